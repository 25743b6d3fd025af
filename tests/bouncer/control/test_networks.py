"""Commands about networks: how they stand, and how they are logged in to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.control import channels, networks
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from storage import accounts
from tests.bouncer.control.cases import (
    ALICE,
    CHANNEL,
    LIBERA,
)
from tests.bouncer.desks import NOW, Noted, open_desk


async def test_a_running_bouncer_tells_how_networks_stand(tmp_path: Path) -> None:
    up = NetworkStatus("libera", "connected", "al_", channels=1)
    banned = NetworkStatus("oftc", "waiting", error="you are banned")
    live = Noted(networks={"alice": [up, banned]}, attached={"alice": ["phone", ""]})
    async with open_desk(tmp_path, live) as desk:
        for line in (ALICE, LIBERA, CHANNEL, "network add alice oftc ircs://irc.oftc.net"):
            await dispatch(line, OPERATOR, desk)
        await dispatch("network add alice off ircs://off.example --enabled no", OPERATOR, desk)
        assert await dispatch("network list alice", OPERATOR, desk) == [
            "libera: ircs://irc.libera.chat, connected as al_, 1 of 1 channels",
            "off: ircs://off.example, disabled, 0 channels",
            "oftc: ircs://irc.oftc.net, waiting (you are banned), 0 of 0 channels",
        ]
        assert await dispatch("client list alice", OPERATOR, desk) == [
            "(no name): attached",
            "phone: attached",
        ]
        assert await dispatch("server status", OPERATOR, desk) == [
            "up 41d, 1 user, 2 clients, 1 of 2 networks connected"
        ]


async def test_clients_that_are_away_are_listed_with_when_they_were_seen(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted(attached={"alice": ["desktop"]})) as desk:
        for line in (ALICE, LIBERA, "network add alice oftc ircs://irc.oftc.net"):
            await dispatch(line, OPERATOR, desk)
        for number, name in enumerate(("desktop", "phone", "phone", "new")):
            network = (await desk.store.read(accounts.list_networks))[number % 2]
            record = await desk.store.run(accounts.put_client, network.id, name, 0)
            seen_ms = 0 if name == "new" else int((NOW - 7200 - 3600 * number) * 1000)
            await desk.store.run(accounts.put_delivered, [(record.id, 0, seen_ms)])
        assert await dispatch("client list alice", OPERATOR, desk) == [
            "desktop: attached; on libera",
            "new: on oftc",
            "phone: last seen 3h ago; on libera, oftc",
        ]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("--sasl-plain al --password pw", ("PLAIN", "al", "pw")),
        ("--sasl-scram al --password pw", ("SCRAM-SHA-256", "al", "pw")),
        ("--sasl-external", ("EXTERNAL", "", "")),
        ("--sasl-none", ("", "", "")),
        ("--password new", ("PLAIN", "old", "new")),
        ("--sasl-scram old", ("SCRAM-SHA-256", "old", "oldpw")),
    ],
)
async def test_how_a_network_is_logged_in_to(
    line: str, kept: tuple[str, str, str], tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        await dispatch(f"{LIBERA} --sasl-plain old --password oldpw", OPERATOR, desk)
        await dispatch(f"network set alice libera {line}", OPERATOR, desk)
        network = (await desk.store.read(accounts.list_networks))[0]
    assert (network.sasl_mechanism, network.sasl_login, network.sasl_password) == kept


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--sasl-plain al", "needs the password"),
        ("--sasl-plain ''", "needs a login"),
        ("--sasl-plain al --password ''", "--password: it is empty"),
        ("--password pw", "belongs to a login"),
        ("--sasl-external --password pw", "needs no password"),
        ("--sasl-external --sasl-plain al", "exclude each other"),
    ],
)
async def test_half_a_login_is_refused(line: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(ControlError, match=complaint):
            await dispatch(f"{LIBERA} {line}", OPERATOR, desk)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("network set alice libera --password ''", "--password: it is empty"),
        ("sasl set-plain alice libera al ''", "PASSWORD: it is empty"),
        ("sasl set-plain alice libera '' pw", "LOGIN: it is empty; `sasl reset`"),
    ],
)
async def test_an_empty_login_replaces_no_other(line: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        await dispatch(f"{LIBERA} --sasl-plain old --password oldpw", OPERATOR, desk)
        with pytest.raises(ControlError, match=complaint):
            await dispatch(line, OPERATOR, desk)
        network = (await desk.store.read(accounts.list_networks))[0]
    assert (network.sasl_login, network.sasl_password) == ("old", "oldpw")


@pytest.mark.parametrize("login", ["al:pw@", "al@", "@"])
async def test_an_address_holds_no_login(login: str, tmp_path: Path) -> None:
    """It would not be used, and everybody who lists networks would see the password."""
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(ControlError, match="say it by --sasl-plain LOGIN --password"):
            await dispatch(f"network add alice x ircs://{login}irc.example.net", OPERATOR, desk)
        await dispatch("network add alice x unix:/run/a@b", OPERATOR, desk)


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("'ircs://irc example.net'", "no spaces"),
        (f"ircs://{'a' * 254}", "at most 253 characters"),
        ("'ircs://[2001:db8::1'", r"write an IPv6 address as ircs://\[2001:db8::1\]"),
    ],
)
async def test_what_is_no_host_is_refused(uri: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(ControlError, match=complaint):
            await dispatch(f"network add alice x {uri}", OPERATOR, desk)


@pytest.mark.parametrize("line", ["network add door unix:/run/s", "network set libera unix:/run/s"])
async def test_sockets_of_this_machine_are_for_administrators(line: str, tmp_path: Path) -> None:
    """A user's connection to the control socket would be the operator's."""
    async with open_desk(tmp_path) as desk:
        for each in (ALICE, LIBERA):
            await dispatch(each, OPERATOR, desk)
        with pytest.raises(ControlError, match="for administrators"):
            await dispatch(line, Actor(Door.SERVICE, "alice"), desk)
        await dispatch(line, Actor(Door.SERVICE, "alice", admin=True), desk)


@pytest.mark.parametrize(
    "line",
    ["channel add alice libera '#ops'", "network set alice libera --join '#ops'"],
)
async def test_to_join_a_known_channel_keeps_its_settings(line: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for each in (ALICE, LIBERA, f"{CHANNEL} --key k --detached yes --keep-age 90d"):
            await dispatch(each, OPERATOR, desk)
        await dispatch("channel set alice libera '#ops' --enabled no", OPERATOR, desk)
        await dispatch(line, OPERATOR, desk)
        [network] = await desk.store.read(accounts.list_networks)
        [channel] = await desk.store.read(accounts.list_channels, network.id)
    assert (channel.enabled, channel.key, channel.detached) == (True, "k", True)
    assert channel.keep_age_s == 90 * 86_400


@pytest.mark.parametrize(
    "line", ["network set alice libera --sasl-none", "sasl reset alice libera"]
)
async def test_no_login_is_required_where_there_is_none(line: str, tmp_path: Path) -> None:
    """Else the network would be left at once, each time."""
    async with open_desk(tmp_path) as desk:
        for each in (ALICE, f"{LIBERA} --sasl-plain al --password pw --sasl-required yes", line):
            await dispatch(each, OPERATOR, desk)
        [network] = await desk.store.read(accounts.list_networks)
        assert not network.sasl_required


async def test_a_key_is_one_key(tmp_path: Path) -> None:
    """RFC 2812 section 3.2.1: `JOIN #foo,#bar fubar,foobar`."""
    async with open_desk(tmp_path) as desk:
        for each in (ALICE, LIBERA):
            await dispatch(each, OPERATOR, desk)
        with pytest.raises(ControlError, match="is no key: it holds a comma"):
            await dispatch(f"{CHANNEL} --key one,two", OPERATOR, desk)


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        (OPERATOR, "network quote alice libera"),
        (Actor(Door.SERVICE, user="alice"), "network quote libera"),
        (Actor(Door.SERVICE, user="alice", admin=True), "network quote libera"),
        (Actor(Door.SERVICE, user="boss", admin=True), "network quote --user alice libera"),
        (Actor(Door.SERVICE, user="alice"), "network quote libera --"),
    ],
)
async def test_a_quoted_line_is_taken_as_it_is(actor: Actor, words: str, tmp_path: Path) -> None:
    line = "PRIVMSG bob :try --user=bob --all -- -x"
    async with open_desk(tmp_path, live := Noted()) as desk:
        for before in (ALICE, LIBERA, "user add boss --admin"):
            await dispatch(before, OPERATOR, desk)
        await dispatch(f"{words} {line}", actor, desk)
    assert live.quoted == [("alice", "libera", line)]


async def test_networks_and_channels_have_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "MAX_NETWORKS", 2)
    monkeypatch.setattr(channels, "MAX_CHANNELS", 1)
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, CHANNEL, "user add bob"):
            await dispatch(line, OPERATOR, desk)
        with pytest.raises(ControlError, match="libera has 1 channels already"):
            await dispatch("channel add alice libera '#more'", OPERATOR, desk)
        assert await dispatch("channel add alice libera '#OPS' --key k", OPERATOR, desk)
        await dispatch("network add alice two ircs://two.example", OPERATOR, desk)
        with pytest.raises(ControlError, match="alice has 2 networks already"):
            await dispatch("network add alice three ircs://three.example", OPERATOR, desk)
        await dispatch("network add bob three ircs://three.example", OPERATOR, desk)
        await dispatch("network remove alice two", OPERATOR, desk)
        await dispatch("network add alice three ircs://three.example", OPERATOR, desk)
