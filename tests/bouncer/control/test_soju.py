"""The commands as soju's users type them, at the service and, with the user named, on the host."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bouncer.control import soju
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.registry import COMMANDS, dispatch
from storage import accounts
from tests.bouncer.control.cases import ALICE, CHANNEL, LIBERA
from tests.bouncer.desks import Noted, open_desk

HERE = Actor(Door.SERVICE, user="alice", admin=True, network="libera")
NOWHERE = replace(HERE, network="")
PIN = "ab" * 32
BEFORE = (ALICE, "user add bob", LIBERA, CHANNEL)
CONNECT = "-connect-command 'PRIVMSG NickServ :IDENTIFY x' -connect-command='MODE al +x'"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("network create -addr irc.oftc.net", "network add irc.oftc.net irc.oftc.net"),
        (
            "network create -addr irc+insecure://irc.oftc.net:7000 -name oftc",
            "network add oftc irc+insecure://irc.oftc.net:7000",
        ),
        ("network create -addr irc+unix:///run/s -name s", "network add s unix:/run/s"),
        (
            "net create -name o -addr o.net -username u -pass p -realname 'A B' -nick n "
            f"-auto-away false -enabled false {CONNECT}",
            "network add o o.net --ident u --server-password p --realname 'A B' --nick n "
            f"--auto-away false --enabled false {CONNECT.replace('-connect', '--connect')}",
        ),
        (f"network create -addr o.net -certfp {PIN}", f"network add o.net o.net --pin {PIN}"),
        ("network update libera -nick al -name net", "network set libera --nick al --name net"),
        ("network update -addr ircs://new.example", "network set libera ircs://new.example"),
        ("network update -realname=x", "network set libera --realname x"),
        ("network delete libera", "network remove libera"),
        ("network quote libera 'WHOIS -x'", "network quote libera WHOIS -x"),
        ("network quote 'WHOIS bob'", "network quote libera WHOIS bob"),
        ("network status", "network list"),
        ("channel create '#new' -detached true", "channel add libera '#new' --detached true"),
        (
            "channel update '#ops' -relay-detached message -reattach-on highlight "
            "-detach-after 1h30m -detach-on none",
            "channel set libera '#ops' --relay-detached message --reattach-on highlight "
            "--detach-after 5400 --detach-on none",
        ),
        ("channel delete '#ops'", "channel remove libera '#ops'"),
        ("channel status", "channel list libera"),
        ("channel status -network libera", "channel list libera"),
        ("sasl set-plain -network libera al pw", "sasl set-plain libera al pw"),
        ("sasl set-plain al pw", "sasl set-plain libera al pw"),
        ("sasl status -network libera", "sasl status libera"),
        ("sasl reset", "sasl reset libera"),
        ("user create -username eve -password pw", "user add eve --password pw"),
        (
            "user create -username eve -password pw -admin true -nick e -realname E -enabled false",
            "user add eve --password pw --admin --nick e --realname E --enabled false",
        ),
        ("user create -username eve -password pw -admin", "user add eve --password pw --admin"),
        ("user create -username eve -password pw -admin=false", "user add eve --password pw"),
        ("user update -realname 'A B'", "user set --realname 'A B'"),
        (
            "user update bob -enabled false -admin true",
            "user set --user bob --enabled false --admin true",
        ),
        ("user update -username bob -nick b", "user set --user bob --nick b"),
        ("user status bob", "user list bob"),
        ("user status", "user list"),
        ("user delete bob", "user remove bob"),
        ("user run bob network status", "user run bob network list"),
        ("server status", "server status"),
        ("server notice hello there", "server notice hello there"),
    ],
)
async def test_what_is_typed_and_what_it_means(line: str, meant: str, tmp_path: Path) -> None:
    told, kept = [], []
    for name, each in (("soju", line), ("ours", meant)):
        live = Noted()
        async with open_desk(tmp_path / name, live) as desk:
            for before in BEFORE:
                await dispatch(before, OPERATOR, desk)
            live.refreshed.clear()
            said = await dispatch(each, HERE, desk)
            told.append((said, live.refreshed, live.quoted, live.notices))
            kept.append(await everything(desk.store))
    assert told[0] == told[1]
    assert kept[0] == kept[1]


async def everything(store: Any) -> list[object]:
    """Users, networks and channels, without the hashes that are never the same twice."""
    users = [
        replace(each, password_hash=str(bool(each.password_hash)), scram="")
        for each in await store.read(accounts.list_users)
    ]
    networks = await store.read(accounts.list_networks)
    channels = [await store.read(accounts.list_channels, each.id) for each in networks]
    return [users, networks, channels]


async def test_a_new_password_is_one_option_of_an_update(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        before = await desk.store.read(accounts.get_user, "alice")
        said = await dispatch("user update -password sesame", HERE, desk)
        assert said == ["user alice changed: password"]
        after = await desk.store.read(accounts.get_user, "alice")
        assert await desk.hasher.verify(after.password_hash, "sesame")
        assert after.scram not in ("", before.scram)


@pytest.mark.parametrize("words", ["", "-network libera ", "-key-type rsa ", "-key-type=ed25519 "])
async def test_certificates_are_made_for_the_network_spoken_from(
    words: str, tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        for before in BEFORE:
            await dispatch(before, OPERATOR, desk)
        made = await dispatch(f"certfp generate {words}", HERE, desk)
        assert made[0].startswith("a certificate for libera is made")
        assert await dispatch("certfp fingerprint", HERE, desk) == made[1:3]


async def test_the_operator_names_the_user_first(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for before in BEFORE:
            await dispatch(before, OPERATOR, desk)
        await dispatch("network create alice -addr irc.oftc.net -name oftc", OPERATOR, desk)
        await dispatch("channel update alice libera '#ops' -detached true", OPERATOR, desk)
        await dispatch("user update alice -nick al", OPERATOR, desk)
        await dispatch("user update -username bob -nick bo", OPERATOR, desk)
        names = [each.name for each in await desk.store.read(accounts.list_networks)]
        assert names == ["libera", "oftc"]
        nicks = [each.nick for each in await desk.store.read(accounts.list_users)]
        assert nicks == ["al", "bo"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("network create -name x", "URI is missing"),
        ("network create -addr", "-addr needs URI"),
        ("network create -addr x.net -frob y", "there is no -frob here"),
        ("network update -enabled perhaps", '--enabled: "perhaps" is neither true nor false'),
        ("network delete", "NAME is missing"),
        ("channel update '#ops' -detach-after soon", '"soon" is no duration'),
        ("certfp generate -bits 4096", "-bits: RSA keys have 3072 bits here"),
        ("certfp generate -key-type dsa", '"dsa" is not one of ecdsa, ed25519, rsa'),
        ("user create -username eve -disable-password", "who has no password logs in by"),
        ("sasl set-plain al -pw", "there is no -pw here; put -- before"),
        ("user status bob now", '"now" is one word too many'),
    ],
)
async def test_what_cannot_be_meant_is_explained(line: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for before in BEFORE:
            await dispatch(before, OPERATOR, desk)
        with pytest.raises(WrongUse, match=re.escape(complaint)):
            await dispatch(line, HERE, desk)


@pytest.mark.parametrize("line", ["channel status", "sasl status", "network update -nick x"])
async def test_who_speaks_from_no_network_names_one(line: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for before in BEFORE:
            await dispatch(before, OPERATOR, desk)
        with pytest.raises(WrongUse, match=r"(NETWORK|NAME) is missing"):
            await dispatch(line, NOWHERE, desk)


async def test_users_name_nobody_else(tmp_path: Path) -> None:
    bob = Actor(Door.SERVICE, user="bob")
    async with open_desk(tmp_path) as desk:
        for before in BEFORE:
            await dispatch(before, OPERATOR, desk)
        for line in ("user update -username alice -nick x", "user update alice -nick x"):
            with pytest.raises(WrongUse, match=r"is not for you to say|one word too many"):
                await dispatch(line, bob, desk)
        for line in ("user update -admin true", "user update -enabled true"):
            with pytest.raises(ControlError, match="for administrators"):
                await dispatch(line, bob, desk)


def test_every_flag_means_something_that_its_commands_take() -> None:
    rows = {command.name: command for command in COMMANDS}
    for flags in soju.FLAGS:
        for name in flags.commands:
            options = {option.flag for option in rows[name].options}
            arguments = {argument.name for argument in rows[name].arguments} | {"USER"}
            assert {meaning for _, meaning in flags.means} <= options | arguments
