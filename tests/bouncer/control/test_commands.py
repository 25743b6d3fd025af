"""Every control command, through every door: with the same result, its permission, its help and
its wrong uses."""

from __future__ import annotations

import re
import shlex
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import trio

from bouncer import admin, config, enrolment, proofs
from bouncer.cli import remote
from bouncer.control import readers, znc
from bouncer.control.actors import OPERATOR, Actor, Door, Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import ControlError, NotAllowed, WrongUse
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import COMMANDS, dispatch
from bouncer.keys import MeshKey
from bouncer.reachable import reachable
from bouncer.roster import Credential
from storage import accounts, messages
from storage.messages import Row
from tests.bouncer.desks import Noted, open_desk

KEY = str(MeshKey(b"\1" * 32).public)
SSH = "'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSpeMWYHBy+PDsSVWbgFvKrXNIFq+yvpvIr/TP6N8 alice@x'"
CERT = "ab" * 32

ALICE = "user add alice --password secret"
LIBERA = "network add alice libera ircs://irc.libera.chat"
CHANNEL = "channel add alice libera '#ops'"
STAFF = "staff add alice --role net --oncall 1"
AGENT = f"agent add fra 192.0.2.1:7000 {KEY}"


@dataclass(frozen=True)
class Case:
    """One right use and one wrong one. `own` is the line a user types about their own things;
    without one the line is the same at every door."""

    line: str
    answers: str  # a pattern for the reply, its lines joined by newlines
    wrong: str
    complaint: str  # a pattern for what a wrong use is told
    before: Sequence[str] = ()
    own: str = ""


CASES = {
    "user add": Case(
        "user add bob --nick bobby",
        r"user bob added; password, shown only now: ([a-z2-7]{5}-?){4}",
        "user add",
        r"NAME is missing; usage: user add NAME",
    ),
    "user set": Case(
        "user set alice --nick al --auto-away off",
        r"user alice changed: auto_away, nick",
        "user set alice --nick 'a b'",
        r'--nick: "a b" is no nick',
        [ALICE],
        own="user set --nick al --auto-away off",
    ),
    "user passwd": Case(
        "user passwd alice --password other",
        r"password of alice changed",
        "user passwd alice --pasword x",
        r"no --pasword here, did you mean --password\?",
        [ALICE],
        own="user passwd --password other",
    ),
    "user run": Case(
        "user run alice network list",
        r"libera: ircs://irc\.libera\.chat, starting",
        "user run alice",
        r"COMMAND is missing",
        [ALICE, LIBERA],
    ),
    "sasl status": Case(
        "sasl status alice libera",
        r"libera: SASL PLAIN as al",
        "sasl status alice",
        r"NETWORK is missing",
        [ALICE, LIBERA, "sasl set-plain alice libera al hunter2"],
        own="sasl status libera",
    ),
    "sasl set-plain": Case(
        "sasl set-plain alice libera al hunter2",
        r"libera is logged in to by SASL PLAIN as al$",
        "sasl set-plain alice libera al",
        r"PASSWORD is missing",
        [ALICE, LIBERA],
        own="sasl set-plain libera al hunter2",
    ),
    "sasl reset": Case(
        "sasl reset alice libera",
        r"libera is logged in to no more",
        "sasl reset alice",
        r"NETWORK is missing",
        [ALICE, LIBERA],
        own="sasl reset libera",
    ),
    "user list": Case(
        "user list",
        r"alice: 1 network, 0 clients",
        "user list now",
        r'"now" is one word too many',
        [ALICE, LIBERA],
    ),
    "user remove": Case(
        "user remove bob",
        r"user bob removed, with networks, channels and history",
        "user remove",
        r"NAME is missing",
        [ALICE, "user add boss --admin", "user add bob"],
    ),
    "network add": Case(
        "network add alice oftc ircs://irc.oftc.net --join '#a,#b key' --rate 0",
        r"network oftc added for alice: connecting",
        "network add alice oftc http://irc.oftc.net",
        r"URI: 'http://irc.oftc.net': write ircs://host\[:port\]",
        [ALICE],
        own="network add oftc ircs://irc.oftc.net --join '#a,#b key' --rate 0",
    ),
    "network set": Case(
        "network set alice libera --nick al --enabled false",
        r"network libera of alice changed: enabled, nick",
        "network set alice libera --enabled perhaps",
        r'"perhaps" is neither true nor false',
        [ALICE, LIBERA],
        own="network set libera --nick al --enabled false",
    ),
    "network list": Case(
        "network list alice",
        r"libera: ircs://irc.libera.chat, starting, 0 channels",
        "network list alice --all",
        r"there is no --all here",
        [ALICE, LIBERA],
        own="network list",
    ),
    "network quote": Case(
        "network quote alice libera PRIVMSG bob :hello there",
        r"sent to libera",
        "network quote alice libera",
        r"LINE is missing",
        [ALICE, LIBERA],
        own="network quote libera PRIVMSG bob :hello there",
    ),
    "network remove": Case(
        "network remove alice libera",
        r"network libera of alice removed, with channels and history",
        "network remove alice",
        r"NAME is missing",
        [ALICE, LIBERA],
        own="network remove libera",
    ),
    "channel add": Case(
        "channel add alice libera '#ops' --key k",
        r"channel #ops added on libera",
        "channel add alice libera ops",
        r'"ops" is no channel',
        [ALICE, LIBERA],
        own="channel add libera '#ops' --key k",
    ),
    "channel set": Case(
        "channel set alice libera '#ops' --detached true",
        r"channel #ops on libera changed: detached",
        "channel set alice libera",
        r"CHANNEL is missing",
        [ALICE, LIBERA, CHANNEL],
        own="channel set libera '#ops' --detached true",
    ),
    "channel list": Case(
        "channel list alice libera",
        r"#ops",
        "channel list alice",
        r"NETWORK is missing",
        [ALICE, LIBERA, CHANNEL],
        own="channel list libera",
    ),
    "channel remove": Case(
        "channel remove alice libera '#ops'",
        r"channel #ops on libera removed",
        "channel remove alice libera #ops extra",
        r'"extra" is one word too many',
        [ALICE, LIBERA, CHANNEL],
        own="channel remove libera '#ops'",
    ),
    "ignore add": Case(
        "ignore add alice libera troll",
        r"troll!\*@\* is ignored on libera",
        "ignore add alice libera 'a b'",
        r'"a b" is no mask',
        [ALICE, LIBERA],
        own="ignore add libera troll",
    ),
    "ignore list": Case(
        "ignore list alice libera",
        r"\*!\*@spam\.example",
        "ignore list alice",
        r"NETWORK is missing",
        [ALICE, LIBERA, "ignore add alice libera *@spam.example"],
        own="ignore list libera",
    ),
    "ignore remove": Case(
        "ignore remove alice libera troll",
        r"troll!\*@\* is no longer ignored on libera",
        "ignore remove alice libera",
        r"MASK is missing",
        [ALICE, LIBERA, "ignore add alice libera troll"],
        own="ignore remove libera troll",
    ),
    "client set": Case(
        "client set alice phone --autoplay off",
        r"client phone of alice changed: autoplay",
        "client set alice phone --autoplay",
        r"--autoplay needs on\|off\|default",
        [ALICE, LIBERA],
        own="client set phone --autoplay off",
    ),
    "client list": Case(
        "client list alice",
        r"phone: on libera; autoplay off",
        "client list",
        r"USER is missing",
        [ALICE, LIBERA, "client set alice phone --autoplay off"],
        own="client list",
    ),
    "certfp add": Case(
        f"certfp add alice {CERT} --label laptop",
        r"alice may log in with certificate abab",
        "certfp add alice abcd",
        r"64 hex digits",
        [ALICE],
        own=f"certfp add {CERT} --label laptop",
    ),
    "certfp list": Case(
        "certfp list alice",
        rf"{CERT} laptop",
        "certfp list alice all",
        r"one word too many",
        [ALICE, f"certfp add alice {CERT} --label laptop"],
        own="certfp list",
    ),
    "certfp remove": Case(
        f"certfp remove alice {CERT}",
        r"certificate abab.* logs nobody in any more",
        "certfp remove alice",
        r"FINGERPRINT is missing",
        [ALICE, f"certfp add alice {CERT}"],
        own=f"certfp remove {CERT}",
    ),
    "certfp generate": Case(
        "certfp generate alice libera",
        r"a certificate for libera is made(.*\n)*SHA-256 [0-9a-f]{64}\nSHA-512 [0-9a-f]{128}",
        "certfp generate alice",
        r"NETWORK is missing",
        [ALICE, LIBERA],
        own="certfp generate libera",
    ),
    "certfp fingerprint": Case(
        "certfp fingerprint alice libera",
        r"SHA-256 [0-9a-f]{64}\nSHA-512 [0-9a-f]{128}",
        "certfp fingerprint alice",
        r"NETWORK is missing",
        [ALICE, LIBERA, "certfp generate alice libera"],
        own="certfp fingerprint libera",
    ),
    "certfp discard": Case(
        "certfp discard alice libera",
        r"libera is shown no certificate any more",
        "certfp discard alice",
        r"NETWORK is missing",
        [ALICE, LIBERA, "certfp generate alice libera"],
        own="certfp discard libera",
    ),
    "staff add": Case(
        f"staff add bob --role db --nick libera bob --account libera bob --ssh-key {SSH}",
        r"bob is on the roster; `staff codes bob` makes recovery codes",
        "staff add bob --oncall first",
        r'"first" is no whole number',
    ),
    "staff set": Case(
        "staff set alice --nick libera al --nick libera al_",
        r"alice changed: nicks",
        "staff set alice --nick libera",
        r"--nick needs NETWORK and NICK",
        [STAFF],
    ),
    "staff list": Case(
        "staff list",
        r"alice: net, on call 1",
        "staff list net now",
        r"one word too many",
        [STAFF],
    ),
    "staff remove": Case(
        "staff remove alice",
        r"alice is off the roster",
        "staff remove",
        r"HANDLE is missing",
        [STAFF],
    ),
    "staff codes": Case(
        "staff codes alice",
        r"recovery codes of alice, shown only now.*(\n([a-z2-7]{4}-?){4}){10}",
        "staff codes",
        r"HANDLE is missing",
        [STAFF],
    ),
    "agent add": Case(
        f"agent add hel '[2001:db8::1]:7000' {KEY} --role witness --primary ircs://192.0.2.9",
        r'# witness hel is paired\n(.*\n)*primary = \["ircs://192.0.2.9"\]\n(.*\n)*mesh = ',
        f"agent add hel 2001:db8::1:7000 {KEY}",
        r"write host:port, or \[v6\]:port",
    ),
    "agent list": Case(
        "agent list",
        r"1\. fra: agent at 192\.0\.2\.1:7000, key muster1:",
        "agent list fra",
        r"one word too many",
        [AGENT],
    ),
    "agent remove": Case(
        "agent remove fra",
        r"fra is a voter no more",
        "agent remove",
        r"NAME is missing",
        [AGENT],
    ),
    "agent quorum": Case(
        "agent quorum 1",
        r"1 of 1 voters must agree.*\none voter alone decides",
        "agent quorum 0",
        r'"0" is not a number of voters; write 1 to 5',
        [AGENT],
    ),
    "cert": Case("cert", r"certificate good: 51d of 64d left, until ", "cert x", r"too many"),
    "ack": Case("ack", r"nothing to acknowledge", "ack x", r"too many"),
    "status": Case(
        "status full",
        r"UP 41d; no agents paired; cert 51d/64d",
        "status full now",
        r"one word too many",
    ),
    "roster": Case(
        "roster net",
        r"alice=\? oncall",
        "roster net db",
        r"one word too many",
        [STAFF],
    ),
    "server status": Case(
        "server status",
        r"up 41d, 1 users, 0 clients, 0 of 0 networks connected",
        "server status full",
        r"one word too many",
        [ALICE],
    ),
    "server notice": Case(
        "server notice going down at 5",
        r"said to every client",
        "server notice",
        r"TEXT is missing",
    ),
    "server reload": Case(
        "server reload",
        r"configuration and certificates reloaded",
        "server reload now",
        r"one word too many",
    ),
    "history prune": Case(
        "history prune --older-than 90d",
        r"0 messages removed",
        "history prune --older-than soon",
        r'"soon" is no age; write days, weeks or years',
    ),
    "history stats": Case(
        "history stats alice",
        r"alice: 0 messages, about 0 bytes",
        "history stats alice all",
        r'"all" is one word too many',
        [ALICE],
        own="history stats",
    ),
    "help": Case(
        "help network add",
        r"network add .*\n(.*\n)*  --join CHANNELS: ",
        "help netwrk",
        r'there is no "netwrk"',
    ),
}
CASES |= {
    "maintenance now": Case(
        "maintenance now 30min new switch",
        r"m1 08:00-08:30Z, acked 0/0 agents$",
        "maintenance now soon why",
        r'"soon" is not a duration',
    ),
    "maintenance start": Case(
        "maintenance start 07:00 2h new switch",
        r"m1 07:00-09:00Z, acked 0/0 agents$",
        "maintenance start teatime 2h new switch",
        r'"teatime" is not a time of day',
    ),
    "maintenance end": Case(
        "maintenance end",
        r"m1 ended, acked 0/0 agents$",
        "maintenance end m1 m2",
        r"usage: maintenance end",
        before=["maintenance now 30min why"],
    ),
    "maintenance list": Case(
        "maintenance list",
        r"m1 08:00-08:30Z new switch$",
        "maintenance list all",
        r"usage: maintenance list",
        before=["maintenance now 30min new switch"],
    ),
    "standdown": Case(
        "standdown",
        r"closing in 60s; !hold to stop$",
        "standdown --force yes",
        r"--force",
    ),
    "hold": Case(
        "hold 2h",
        r"held until 10:00Z$",
        "hold",
        r"DURATION is missing",
    ),
}
RUNNING = (
    "network quote",
    "server",
    "maintenance",
    "standdown",
    "hold",
    "cert",
    "ack",
)  # these need a bouncer that runs
RANDOM = re.compile(
    r"[a-z2-7]{5}(-[a-z2-7]{5}){3}"  # passwords
    r"|[a-z2-7]{4}(-[a-z2-7]{4}){3}"  # recovery codes
    r"|muster1:\S+"
    r"|SHA-(256|512) [0-9a-f]+"
)


def without_random(lines: list[str]) -> list[str]:
    return [RANDOM.sub("…", line) for line in lines]


async def prepare(desk: Desk, case: Case) -> None:
    for line in case.before:
        await dispatch(line, OPERATOR, desk)


async def by_socket(desk: Desk, line: str) -> list[str]:
    """The reply as the command line gets it, without its last line; ControlError for ERROR."""
    path = desk.config.data_dir / "s"
    async with trio.open_nursery() as nursery:
        say = partial(dispatch, actor=OPERATOR, desk=desk)
        await nursery.start(partial(admin.serve, path, say))
        words = shlex.split(line)
        reply = await trio.to_thread.run_sync(remote.over_socket, path, words)
        nursery.cancel_scope.cancel()
    assert reply is not None
    if reply[-1] == "OK":
        return reply[:-1]
    text = reply[-1].removeprefix("ERROR ")
    if text.startswith(admin.WRONG_USE):
        raise WrongUse(text.removeprefix(admin.WRONG_USE))
    raise ControlError(text)


def test_every_command_has_its_case() -> None:
    assert {command.name for command in COMMANDS} == set(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_every_door_gives_the_same_result(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    replies, told = [], []
    for door in ("direct", "socket", "service"):
        live = Noted()
        async with open_desk(tmp_path / door, live) as desk:
            await prepare(desk, case)
            live.refreshed.clear()
            match door:
                case "direct":
                    lines = await dispatch(case.line, OPERATOR, desk)
                case "socket":
                    lines = await by_socket(desk, case.line)
                case _:
                    admin_alice = Actor(Door.SERVICE, user="alice", admin=True)
                    lines = await dispatch(case.own or case.line, admin_alice, desk)
        replies.append(without_random(lines))
        told.append((live.refreshed, live.rosters, live.reloads, live.notices))
        assert re.match(case.answers, "\n".join(lines)), lines
    if name != "help":  # its usage is the one of the door
        assert replies[0] == replies[1] == replies[2]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("name", CASES)
async def test_every_command_works_on_the_database_alone(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    async with open_desk(tmp_path) as desk:
        if f"{name} ".startswith(tuple(f"{each} " for each in RUNNING)):
            with pytest.raises(ControlError, match="no bouncer is running"):
                await dispatch(case.line, OPERATOR, desk)
        else:
            await prepare(desk, case)
            assert await dispatch(case.line, OPERATOR, desk)


@pytest.mark.parametrize("name", CASES)
async def test_every_wrong_use_is_explained_and_changes_nothing(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    live = Noted()
    async with open_desk(tmp_path, live) as desk:
        await prepare(desk, case)
        live.refreshed.clear()
        live.rosters = 0
        for ask in (partial(dispatch, actor=OPERATOR, desk=desk), partial(by_socket, desk)):
            with pytest.raises(WrongUse, match=case.complaint):
                await ask(case.wrong)
    assert (live.refreshed, live.rosters) == ([], 0)


WHO = {
    Permission.ANYONE: Actor(Door.SERVICE, user="mallory"),
    Permission.USER: Actor(Door.SERVICE, user="mallory"),
    Permission.STAFF: Actor(Door.SERVICE, user="mallory", staff=True),
    Permission.ADMIN: Actor(Door.SERVICE, user="mallory", admin=True),
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_who_may_is_who_the_row_says(command: Command, tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for least, actor in WHO.items():
            line = CASES[command.name].own or CASES[command.name].line
            ranks = {Permission.ANYONE, Permission.USER}
            allowed = command.permission <= least or command.permission in ranks
            try:
                await dispatch(line, actor, desk)
            except NotAllowed:
                assert not allowed
            except ControlError:
                assert allowed
            else:
                assert allowed


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_every_command_has_its_help(command: Command, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        first, *options = await dispatch(f"help {command.name}", OPERATOR, desk)
        assert first == f"{command.usage(OPERATOR)}: {command.help}"
        assert len(options) == len(command.options)
        listed = await dispatch("help", OPERATOR, desk)
        assert f"{command.name}: {command.help}" in listed
    longest = max(map(len, [first, *options]))
    assert longest < 400, "must fit into one line of IRC"


async def test_users_see_only_what_they_may_use(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        listed = "\n".join(await dispatch("help", Actor(Door.SERVICE, user="alice"), desk))
    assert "network add" in listed
    assert "user add" not in listed
    assert "server" not in listed


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
            "up 41d, 1 users, 2 clients, 1 of 2 networks connected"
        ]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("net li alice", "network list alice"),
        ("NETWORK status alice", "network list alice"),
        ("chan li alice libera", "channel list alice libera"),
        ("cl l alice", "client list alice"),
        ("user status", "user list"),
    ],
)
async def test_words_may_be_short(line: str, meant: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for before in (ALICE, LIBERA, CHANNEL):
            await dispatch(before, OPERATOR, desk)
        assert await dispatch(line, OPERATOR, desk) == await dispatch(meant, OPERATOR, desk)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "say what to do"),
        ("s", '"s" may be sasl, staff, status, server'),
        ("network", "say which: add, set, list, quote, remove"),
        ("user 'a", "a quotation mark is not closed"),
        ("network add alice x y --sasl-plain", "--sasl-plain needs LOGIN"),
        ("network add alice x ircs://y --nick a --nick b", "--nick is there twice"),
        ("network add alice x ircs://y --s p", "--s may be --sasl-plain or --sasl-scram"),
    ],
)
async def test_unclear_words_are_refused(line: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(ControlError, match=complaint):
            await dispatch(line, OPERATOR, desk)


async def test_a_user_reaches_only_their_own_things(tmp_path: Path) -> None:
    bob = Actor(Door.SERVICE, user="bob")
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, "user add bob"):
            await dispatch(line, OPERATOR, desk)
        with pytest.raises(ControlError, match="there is no network libera"):
            await dispatch("network remove libera", bob, desk)
        with pytest.raises(WrongUse, match="there is no --user here"):
            await dispatch("network remove libera --user alice", bob, desk)
        with pytest.raises(ControlError, match="are for administrators"):
            await dispatch("user set --admin true", bob, desk)
        boss = Actor(Door.SERVICE, user="bob", admin=True)
        assert await dispatch("network remove libera --user alice", boss, desk)


async def test_who_is_on_the_roster_is_staff_at_the_service_too(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for line in (ALICE, "user add bob", "staff add al --user alice"):
            await dispatch(line, OPERATOR, desk)
        assert await dispatch("status", Actor(Door.SERVICE, user="alice"), desk)
        with pytest.raises(NotAllowed, match="status is for staff"):
            await dispatch("status", Actor(Door.SERVICE, user="bob"), desk)


async def test_the_last_admin_stays(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, "user add boss --admin"):
            await dispatch(line, OPERATOR, desk)
        for line in ("user remove boss", "user set boss --admin no", "user set boss --enabled no"):
            with pytest.raises(ControlError, match="would leave no admin"):
                await dispatch(line, OPERATOR, desk)
        assert "boss: admin, 0 networks" in await dispatch("user list", OPERATOR, desk)


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
    ("words", "age_s", "octets"),
    [
        ("--keep-age 90d", 90 * 86_400, None),
        ("--keep-age 12W --keep-size 500M", 12 * 7 * 86_400, 500 << 20),
        ("--keep-size 2GiB", None, 2 << 30),
        ("--keep-age 2y --keep-size default", 2 * 365 * 86_400, None),
    ],
)
async def test_how_long_history_is_kept(
    words: str, age_s: int | None, octets: int | None, tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, CHANNEL):
            await dispatch(line, OPERATOR, desk)
        for what in ("user set alice", "network set alice libera", "channel set alice libera #ops"):
            *_, said = await dispatch([*what.split(), *words.split()], OPERATOR, desk)
            assert ("keep_age_s" in said) == ("age" in words)
        (user,) = await desk.store.read(accounts.list_users)
        (network,) = await desk.store.read(accounts.list_networks)
        (channel,) = await desk.store.read(accounts.list_channels, network.id)
        for each in (user, network, channel):
            assert (each.keep_age_s, each.keep_bytes) == (age_s, octets)
        lists = ("user list", "network list alice", "channel list alice libera")
        for line in lists:
            (shown,) = await dispatch(line, OPERATOR, desk)
            assert ("days" in shown) == (age_s is not None), shown
            assert ("kept up to" in shown) == (octets is not None), shown
        for what in ("user set alice", "network set alice libera", "channel set alice libera #ops"):
            undo = "--keep-age default --keep-size default"
            await dispatch([*what.split(), *undo.split()], OPERATOR, desk)
        for line in lists:
            assert "kept" not in (await dispatch(line, OPERATOR, desk))[0]


@pytest.mark.parametrize(
    "words", ["--keep-age 90", "--keep-age 0d", "--keep-size 5", "--keep-size x"]
)
async def test_what_is_no_limit_is_refused(words: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(WrongUse, match=r"is no (age|size); write"):
            await dispatch(f"user set alice {words}", OPERATOR, desk)


async def test_nobody_lifts_the_limit_of_their_own_room(tmp_path: Path) -> None:
    mine = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path) as desk:
        await dispatch(f"{ALICE} --keep-size 1G", OPERATOR, desk)
        await dispatch("user set --keep-age 30d", mine, desk)
        with pytest.raises(ControlError, match="--keep-size are for administrators"):
            await dispatch("user set --keep-size 2G", mine, desk)


async def test_limits_act_at_the_next_prune(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, CHANNEL):
            await dispatch(line, OPERATOR, desk)
        (network,) = await desk.store.read(accounts.list_networks)
        now_ms = time.time_ns() // 1_000_000
        for target, days in (("#ops", 1), ("#ops", 40), ("#dev", 40), ("#dev", 100)):
            at = now_ms - days * 86_400_000
            number = desk.store.next_id()
            text = f"said {days} days ago"
            row = Row(number, network.id, target, target, at, "", "PRIVMSG", "b!b@h", "", "", text)
            assert await desk.store.append([row])
        await dispatch("network set alice libera --keep-age 60d", OPERATOR, desk)
        await dispatch("channel set alice libera #ops --keep-age 30d", OPERATOR, desk)
        (said,) = await dispatch("history prune", OPERATOR, desk)
        assert said.startswith("2 messages removed")
        left = await desk.store.read(messages.since, network.id, 0, 10)
        assert [(row.target, row.text[5:7]) for row in left] == [("#ops", "1 "), ("#dev", "40")]


async def test_secrets_are_never_said(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        said = []
        for line in (
            ALICE,
            f"{LIBERA} --sasl-plain al --password hunter2 --server-password hunter3",
            "network set alice libera --password hunter4",
            "user passwd alice --password hunter5",
            "channel add alice libera '#a' --key hunter6",
            "network list alice",
            "channel list alice libera",
            "user list",
        ):
            said += await dispatch(line, OPERATOR, desk)
    assert not [line for line in said if "hunter" in line or "secret" in line]


@pytest.mark.parametrize(
    "text",
    [
        CERT,
        CERT.upper(),
        f"sha256:{CERT}",
        "sha256 Fingerprint=" + ":".join(["AB"] * 32),
        "SHA256 Fingerprint=" + ":".join(["AB"] * 32),
        ":".join(["ab"] * 32),
    ],
)
def test_fingerprints_are_read_as_programs_print_them(text: str) -> None:
    assert readers.fingerprint(text) == CERT


async def test_recovery_codes_are_kept_as_hashes_and_replaced(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(f"{STAFF} --ssh-key {SSH}", OPERATOR, desk)
        first = (await dispatch("staff codes alice", OPERATOR, desk))[1:]
        second = (await dispatch("staff codes alice", OPERATOR, desk))[1:]
        person = await desk.store.read(accounts.get_staff, "alice")
    kept = [Credential("recovery", public) for kind, public in person.keys if kind == "recovery"]
    assert len(kept) == 10
    assert all(proofs.matching_code(code, kept) for code in second)
    assert not any(proofs.matching_code(code, kept) for code in first)
    assert [kind for kind, _ in person.keys].count("ssh") == 1
    assert not any(code in str(person) for code in second)


async def test_an_rsa_key_is_refused_at_enrolment(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(ControlError, match="enrol Ed25519"):
            await dispatch("staff add bob --ssh-key 'ssh-rsa AAAA bob'", OPERATOR, desk)


async def test_a_voter_is_paired_once(tmp_path: Path) -> None:
    live = Noted()
    async with open_desk(tmp_path, live) as desk:
        await dispatch(AGENT, OPERATOR, desk)
        with pytest.raises(ControlError, match="paired already"):
            await dispatch(f"agent add hel 192.0.2.2:7000 {KEY}", OPERATOR, desk)
        with pytest.raises(ControlError, match="a mesh key looks like"):
            await dispatch("agent add hel 192.0.2.2:7000 nokey", OPERATOR, desk)
        assert desk.config.mesh.key is not None
        ours = MeshKey.load(desk.config.mesh.key)
        with pytest.raises(ControlError, match="this bouncer's own key"):
            await dispatch(f"agent add hel 192.0.2.2:7000 {ours.public}", OPERATOR, desk)
    assert live.rosters == 1


async def test_the_printed_fallback_toml_is_one_that_a_voter_takes(tmp_path: Path) -> None:
    listen = [{"address": "192.0.2.5:6697"}, {"address": "127.0.0.1:6667", "tls": False}]
    async with open_desk(tmp_path, listen=listen) as desk:
        lines = await dispatch(AGENT, OPERATOR, desk)
        with pytest.raises(WrongUse, match="is a name; write the IP address"):
            await dispatch(f"{AGENT} --primary ircs://irc.example.net", OPERATOR, desk)
    tables = tomllib.loads("\n".join(lines))
    assert tables["name"] == "fra"
    assert tables["primary"] == ["ircs://192.0.2.5:6697"]


@pytest.mark.parametrize(
    ("listen", "primary"),
    [
        (["127.0.0.1:6697"], ["ircs://127.0.0.1:6697"]),
        (
            ["[2001:db8::1]:6697", "192.0.2.5:1"],
            ["ircs://[2001:db8::1]:6697", "ircs://192.0.2.5:1"],
        ),
        (["0.0.0.0:6697"], ["ircs://127.0.0.1:6697"]),  # the address we use towards the voter
        (["unix:/run/irc.sock"], []),
    ],
)
async def test_where_a_voter_is_told_to_knock(
    listen: list[str], primary: list[str], tmp_path: Path
) -> None:
    tables = {"listen": [{"address": each} for each in listen], "server_name": "nowhere.invalid"}
    settings = config.parse(tables, tmp_path / "bouncer.toml")
    assert await reachable(settings, "127.0.0.1:7000") == primary


async def test_an_unusable_configuration_is_not_loaded(tmp_path: Path) -> None:
    live = Noted(fault="bouncer.toml: listen: is empty\nbouncer.toml: ops.user: is missing")
    async with open_desk(tmp_path, live) as desk:
        with pytest.raises(ControlError, match=r"nothing reloaded: .*empty \| .*missing"):
            await dispatch("server reload", OPERATOR, desk)


ZNC_BEFORE = (ALICE, "user add bob", LIBERA, CHANNEL, "ignore add alice libera *@spam.example")
ZNC_REST = {
    "AddNetwork": "oftc ircs://irc.oftc.net",
    "DelNetwork": "libera",
    "SetNick": "ally",
    "Quote": "WHOIS bob",
    "AddUser": "dave",
    "DelUser": "bob",
    "AddIgnore": "troll",
    "DelIgnore": "*@spam.example",
    "SetPassword": "correct-horse",
    "Broadcast": "going down at 5",
}


@pytest.mark.parametrize("word", znc.WORDS, ids=lambda word: word.name)
async def test_the_words_of_znc_work_or_say_what_takes_their_place(
    word: znc.Word, tmp_path: Path
) -> None:
    alice = Actor(Door.SERVICE, user="alice", admin=True, network="libera")
    rest = shlex.split(ZNC_REST.get(word.name, "'#ops'")) if znc.REST in word.becomes else []
    async with open_desk(tmp_path, Noted()) as desk:
        for line in ZNC_BEFORE:
            await dispatch(line, OPERATOR, desk)
        if word.says:
            with pytest.raises(ControlError, match=re.escape(word.says)):
                await dispatch([word.name], alice, desk)
            return
        assert await dispatch([word.name.lower(), *rest], alice, desk)
        if rest:
            with pytest.raises(WrongUse, match="say what"):
                await dispatch([word.name], alice, desk)
        if znc.HERE in word.becomes and not rest:
            nowhere = replace(alice, network="")
            with pytest.raises(WrongUse, match="say which network"):
                await dispatch([word.name], nowhere, desk)
            assert await dispatch([word.name, "libera"], nowhere, desk)
        with pytest.raises(WrongUse, match="there is no"):
            await dispatch([word.name, *rest], OPERATOR, desk)  # for the service alone


async def test_a_quorum_beyond_the_voters_is_refused_and_one_within_raises_the_roster_s_version(
    tmp_path: Path,
) -> None:
    live = Noted()
    async with open_desk(tmp_path, live) as desk:
        with pytest.raises(ControlError, match="no voters are paired"):
            await dispatch("agent quorum 2", OPERATOR, desk)
        await dispatch(AGENT, OPERATOR, desk)
        before = await desk.store.run(enrolment.publish, MeshKey(b"b" * 32).public, 0)
        with pytest.raises(ControlError, match="2 of 1 voters can never agree"):
            await dispatch("agent quorum 2", OPERATOR, desk)
        told = live.rosters
        await dispatch("agent quorum 1", OPERATOR, desk)
        after = await desk.store.run(enrolment.publish, MeshKey(b"b" * 32).public, 0)
        assert (before.k, after.k) == (2, 1)
        assert after.version == before.version + 1
        assert live.rosters == told + 1
        said = await dispatch("agent remove fra", OPERATOR, desk)
        assert said[1].startswith("0 voters are left and 1 must agree")


async def test_an_authenticator_app_is_enrolled_once_shown_and_can_be_forgotten(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(STAFF, OPERATOR, desk)
        [_, _, uri] = await dispatch("staff set alice --totp", OPERATOR, desk)
        [held] = [
            public
            for kind, public in (await desk.store.read(accounts.get_staff, "alice")).keys
            if kind == "totp"
        ]
        assert uri.startswith("otpauth://totp/Muster%3Aalice?")
        assert f"secret={held}" in uri
        [line] = await dispatch("staff list", OPERATOR, desk)
        assert "1 authenticator app" in line
        assert held not in line
        await dispatch("staff set alice --no-totp", OPERATOR, desk)
        assert not (await desk.store.read(accounts.get_staff, "alice")).keys
        [said, _, second] = await dispatch("staff add bob --totp", OPERATOR, desk)
        assert "on the roster" in said
        assert second != uri


async def test_who_acknowledges_is_named(tmp_path: Path) -> None:
    live = Noted(fault="expiring")
    async with open_desk(tmp_path, live) as desk:
        actor = Actor(Door.OPS, staff=True, handle="alice", proof="account a on home")
        [line] = await dispatch("ack", actor, desk)
        assert line.startswith("alice sees to it")
        assert live.acks == ["alice"]
