"""The ops bot: knows people by account or by connection, never by nick; answers in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.command import Desk
from bouncer.control.grammar import ControlError
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from bouncer.hub import opsbot
from bouncer.hub.attachment import Link
from bouncer.hub.hub import Hub
from bouncer.irc.wire import Message
from storage.records import User
from tests.bouncer.desks import Noted, open_desk
from tests.bouncer.session.dialogue import Dialogue

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


async def test_an_account_that_only_looks_alike_is_another(desk: Desk) -> None:
    """To Unicode the sign of kelvin is a large k; to services it is whatever they say."""
    await dispatch("staff add kelly --account home kelly", OPERATOR, desk)
    assert (await opsbot.answer("!status", desk, account="Kelly"))[0].startswith("UP")
    assert await opsbot.answer("!status", desk, account="\u212aelly") == [opsbot.UNKNOWN]


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


async def test_wrong_words_are_answered_in_one_line(desk: Desk) -> None:
    assert await opsbot.answer("!status 'full", desk, holder="alice") == [
        "a quotation mark is not closed; close it, or write a backslash before it"
    ]
    assert len(await opsbot.answer("!status a b c", desk, holder="alice")) == 1


async def test_an_apostrophe_is_a_letter_in_the_channel(desk: Desk) -> None:
    await opsbot.answer("!maintenance now 30min it's Bob's switch", desk, holder="boss")
    [line] = await opsbot.answer("!maintenance list", desk, holder="boss")
    assert line.endswith(" it's Bob's switch")


@pytest.mark.parametrize("text", ["!maintenance", "!maintenance soon"])
async def test_what_it_says_to_type_is_heard(text: str, desk: Desk) -> None:
    [said] = await opsbot.answer(text, desk, holder="boss")
    assert "`!help maintenance`" in said
    for line in await opsbot.answer("!help maintenance", desk, holder="boss"):
        assert line.startswith("!maintenance ")


async def test_a_hold_is_ordered_as_in_an_agent_s_room(desk: Desk) -> None:
    [said] = await opsbot.answer("!hold 10 min", desk, holder="boss")
    assert said.startswith("no agents are paired")
    [said] = await opsbot.answer("!hold 30s", desk, holder="boss")
    assert said.startswith("hold: DURATION: 30s is no time to hold: 1min at least, 12h at most")


async def test_nothing_but_reading_is_possible_in_the_channel(desk: Desk) -> None:
    assert await opsbot.answer("!user remove alice", desk, holder="boss") == []
    with pytest.raises(ControlError, match='there is no "user"; `!help` lists what there is'):
        await dispatch("user remove alice", Actor(Door.OPS, admin=True, staff=True), desk)


CAME = ":alice!user@host JOIN #ops"
SPEAKS = ":alice!user@cloak PRIVMSG #ops :!status"


@pytest.mark.parametrize(
    ("seen", "speaks", "is_hers"),
    [
        pytest.param((CAME,), SPEAKS, True, id="shown otherwise, and nobody was told"),
        pytest.param((CAME,), SPEAKS.replace("cloak", "host"), True, id="as she came"),
        pytest.param((), SPEAKS, False, id="nobody saw her come"),
        pytest.param((":alice!u@evil JOIN #ops",), SPEAKS, False, id="somebody else came"),
        pytest.param((CAME, ":alice!user@host PART #ops"), SPEAKS, False, id="left since"),
        pytest.param(
            (CAME, ":alice!user@host QUIT :a.test b.test", ":alice!u@evil JOIN #ops"),
            SPEAKS,
            False,
            id="a netsplit, and somebody has her nick on this side",
        ),
        pytest.param(
            (CAME, ":eve!u@evil JOIN #ops", ":alice!user@host NICK al", ":eve!u@evil NICK alice"),
            SPEAKS,
            False,
            id="somebody took the nick that she gave up",
        ),
        pytest.param(
            (":me!user@host NICK alice", ":eve!u@evil JOIN #ops"),
            SPEAKS,
            False,
            id="the bot's own nick on the other side",
        ),
    ],
)
def test_who_came_from_her_place_and_never_left_is_her(
    seen: tuple[str, ...], speaks: str, is_hers: bool
) -> None:
    """A server may change the host that it shows, without CHGHOST, 396 or another JOIN."""
    bot, alice = Dialogue(), Dialogue()
    for each in (bot, alice):
        each.connect()
    alice.says(":me!user@host NICK alice")
    bot.says(*seen)
    hub = SimpleNamespace(user=User("alice"), links={"home": Link(alice.session)})
    found = opsbot.holder(Message.parse(speaks), bot.session, [cast(Hub, hub)])
    assert found == ("alice" if is_hers else "")
