"""Every control command, through every door: with the same result, its permission, its help and
its wrong uses."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import trio

from bouncer import admin
from bouncer.cli import remote
from bouncer.control.actors import OPERATOR, Actor, Door, Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import ControlError, NotAllowed, WrongUse, split_line
from bouncer.control.registry import COMMANDS, HELP, dispatch
from storage.errors import StorageError
from tests.bouncer.control.cases import (
    ALICE,
    CASES,
    CHANNEL,
    LIBERA,
    Case,
)
from tests.bouncer.desks import Noted, open_desk

RUNNING = (
    "network quote",
    "server",
    "status",
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
    with admin.listening(path) as listener:
        async with trio.open_nursery() as nursery:
            say = partial(dispatch, actor=OPERATOR, desk=desk)
            await nursery.start(admin.serve, listener, say)
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
    Permission.ORDERS: Actor(Door.SERVICE, user="mallory", staff=True, orders=True),
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
        group = await dispatch(f"help {command.words[0]}", OPERATOR, desk)
        assert first in group
        listed = await dispatch("help", OPERATOR, desk)
    if command is not HELP:
        (line,) = (each for each in listed if re.match(rf"{command.words[0]}\b", each))
        assert re.search(rf"\b{command.words[-1]}\b", line)
    longest = max(map(len, [first, *options, *listed]))
    assert longest < 400, "must fit into one line of IRC"
    assert len(listed) < 20, "must fit into a window"


async def test_users_see_only_what_they_may_use(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        listed = "\n".join(await dispatch("help", Actor(Door.SERVICE, user="alice"), desk))
    assert "network add" in listed
    assert "user add" not in listed
    assert "server" not in listed


async def test_help_leads_to_what_its_reader_may_use(tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path) as desk:
        await dispatch("user add alice", OPERATOR, desk)
        (stats,) = await dispatch("help history", alice, desk)
        assert stats == "history stats: how much is kept of which conversation"
        assert await dispatch("help HISTORY", alice, desk) == [stats]
        with pytest.raises(WrongUse, match=r"^history: say which: stats;"):
            await dispatch("history", alice, desk)
        for line in ("server", "help server"):
            with pytest.raises(NotAllowed, match=r"^server is for administrators$"):
                await dispatch(line, alice, desk)
        assert not [each for each in await dispatch("help", alice, desk) if "roster" in each]
        await dispatch("staff add ali --user Alice", OPERATOR, desk)
        assert "roster: who they are, and who is on call" in await dispatch("help", alice, desk)


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
        ("network", "say which: add, set, list, quote, remove, sts"),
        ("user 'a", "a quotation mark is not closed"),
        ("user add m\udcfcller", "these words are no UTF-8"),
        ("network add alice x y --sasl-plain", "--sasl-plain needs LOGIN"),
        (f"user add {'x' * 65}", '"x{20}…" is no name: it is longer than 64 characters'),
        (f"staff add {'x' * 65}", '"x{20}…" is no nick: it is longer than 64 characters'),
        ("network add alice x ircs://y --nick a --nick b", "--nick is there twice"),
        ("network add alice x ircs://y --s p", "--s may be --sasl-plain or --sasl-scram"),
    ],
)
async def test_unclear_words_are_refused(line: str, complaint: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(ControlError, match=complaint):
            await dispatch(line, OPERATOR, desk)


@pytest.mark.parametrize(
    "line",
    ["channel add alice libera", "network set alice libera --join", "channel remove alice x"],
)
async def test_a_channel_that_the_shell_took_for_a_comment_is_asked_for(
    line: str, tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(WrongUse, match="comment to a shell, so quote it: '#ops'; usage: "):
            await dispatch(line, OPERATOR, desk)
        with pytest.raises(WrongUse) as said:
            await dispatch(line.replace(" alice", ""), Actor(Door.SERVICE, user="alice"), desk)
        assert "shell" not in str(said.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("it's Bob's switch", ["it's", "Bob's", "switch"]),
        ("a 'b c' d", ["a", "b c", "d"]),
        ("--join='#a b,#c'", ["--join=#a b,#c"]),
        (""""it's" don\\'t""", ["it's", "don't"]),
        (shlex.join(["it's", "a 'b' c", 'd"e']), ["it's", "a 'b' c", 'd"e']),
    ],
)
def test_an_apostrophe_in_a_word_is_a_letter_where_people_speak(
    line: str, words: list[str]
) -> None:
    assert split_line(line, spoken=True) == words


def test_the_socket_s_lines_are_a_shell_s() -> None:
    assert split_line("a'b c'd") == ["ab cd"]


async def test_a_user_reaches_only_their_own_things(tmp_path: Path) -> None:
    bob = Actor(Door.SERVICE, user="bob")
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, "user add bob"):
            await dispatch(line, OPERATOR, desk)
        with pytest.raises(ControlError, match="there is no network libera; `network list` shows"):
            await dispatch("network remove libera", bob, desk)
        with pytest.raises(WrongUse, match="there is no --user here"):
            await dispatch("network remove libera --user alice", bob, desk)
        with pytest.raises(ControlError, match="are for administrators"):
            await dispatch("user set --admin true", bob, desk)
        boss = Actor(Door.SERVICE, user="bob", admin=True)
        assert await dispatch("network remove libera --user alice", boss, desk)


async def test_a_name_that_nobody_has_is_told_with_where_to_look(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for line in (ALICE, LIBERA):
            await dispatch(line, OPERATOR, desk)
        for line, where in (
            ("network list bob", "user list"),
            ("channel list alice oftc", "network list"),
            ("channel set alice libera #x --detached true", "channel list"),
            ("channel remove alice libera #x", "channel list"),
            ("agent remove hel", "agent list"),
            ("staff set al --oncall 1", "staff list"),
            ("staff remove al", "staff list"),
        ):
            with pytest.raises((ControlError, StorageError), match=f"; `{where}` shows"):
                await dispatch(line, OPERATOR, desk)


async def test_who_is_on_the_roster_is_staff_at_the_service_too(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for line in (ALICE, "user add bob", "staff add al --user alice"):
            await dispatch(line, OPERATOR, desk)
        assert await dispatch("status", Actor(Door.SERVICE, user="alice"), desk)
        with pytest.raises(NotAllowed, match="status is for staff"):
            await dispatch("status", Actor(Door.SERVICE, user="bob"), desk)


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
