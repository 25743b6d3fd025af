"""The ops bot: knows people by account or by connection, never by nick; answers in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bouncer import opsbot
from bouncer.control.actors import OPERATOR
from bouncer.control.command import Desk
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from tests.bouncer.desks import Noted, open_desk

OPS = {"user": "bot", "network": "home", "channel": "#ops"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    live = Noted(
        networks={"alice": [NetworkStatus("home", "connected", "alice_")]},
        mesh="agents fra=OK hel=OK(w); hb 0.4s; roster v118 3h",
    )
    async with open_desk(tmp_path, live, ops=OPS) as desk:
        for line in (
            "user add bot",
            "user add alice",
            "user add mallory",
            "user add boss --admin",
            "staff add alice --oncall 1 --role net --user alice",
            "staff add bob --role db --account home bobby",
        ):
            await dispatch(line, OPERATOR, desk)
        yield desk


async def test_status_is_one_line(desk: Desk) -> None:
    assert await opsbot.answer("!status", desk, holder="alice") == [
        "UP 41d; agents fra=OK hel=OK(w); hb 0.4s; roster v118 3h; cert 51d/64d"
    ]


async def test_status_full_says_more(desk: Desk) -> None:
    lines = await opsbot.answer("!status full", desk, holder="alice")
    assert lines[1:] == ["agent fra: WATCHING, answered 0.4s ago, linked, roster v3"]


async def test_roster_shows_who_is_where(desk: Desk) -> None:
    assert await opsbot.answer("!roster", desk, account="bobby") == [
        "alice=alice_ (bouncer) oncall; bob=?"
    ]
    assert await opsbot.answer("!roster db", desk, account="bobby") == ["bob=?"]


async def test_help_is_one_line_unless_asked_for_more(desk: Desk) -> None:
    assert await opsbot.answer("!help", desk, holder="alice") == [
        "!roster !cert !ack !status !help; !help COMMAND for more"
    ]
    assert (await opsbot.answer("!help status", desk, holder="alice"))[0].startswith("!status")


@pytest.mark.parametrize(
    ("account", "holder"),
    [("", ""), ("alice", ""), ("mallory", ""), ("", "mallory"), ("", "gone")],
)
async def test_strangers_are_told_how_to_be_known(desk: Desk, account: str, holder: str) -> None:
    """An account counts only where the roster names it; a nick counts nowhere."""
    assert await opsbot.answer("!status", desk, account=account, holder=holder) == [opsbot.UNKNOWN]


@pytest.mark.parametrize(
    ("account", "holder"), [("bobby", ""), ("BOBBY", ""), ("", "alice"), ("", "boss")]
)
async def test_staff_and_admins_are_answered(desk: Desk, account: str, holder: str) -> None:
    assert (await opsbot.answer("!status", desk, account=account, holder=holder))[0].startswith(
        "UP"
    )


@pytest.mark.parametrize("text", ["hello", "", "   ", "!", "!weather", "status", "!user list"])
async def test_what_is_not_for_us_gets_no_answer(desk: Desk, text: str) -> None:
    assert await opsbot.answer(text, desk, holder="boss") == []


async def test_in_private_the_mark_may_be_left_out(desk: Desk) -> None:
    for text in ("status", "!status"):
        lines = await opsbot.answer(text, desk, holder="alice", private=True)
        assert lines[0].startswith("UP")


async def test_wrong_words_are_answered_in_one_line(desk: Desk) -> None:
    assert await opsbot.answer("!status 'full", desk, holder="alice") == [
        'a quotation mark is not closed; close it, or write it as \\"'
    ]
    assert len(await opsbot.answer("!status a b c", desk, holder="alice")) == 1


async def test_nothing_but_reading_is_possible_in_the_channel(desk: Desk) -> None:
    lines = await opsbot.answer("user remove alice", desk, holder="boss", private=True)
    assert lines == ['there is no "user"; `help` lists what there is']
