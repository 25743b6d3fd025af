"""Ownership checks in peacetime: what would keep an agent from being heard, found before it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from fallback.findings import TELL_AFTER_S, Finding, Level, Worries, fail, ok, warn
from fallback.mesh.notes import MAX_NOTE
from fallback.networks.ourselves import Secrets
from fallback.networks.upkeep import ASK_EVERY_S, Upkeep, about_network
from tests.fallback.ircd import Ircd
from tests.fallback.networks.test_announcer import Listener, announcing, enter
from tests.fallback.voters import until

T0 = 1000.0


def faults(found: Iterator[Finding]) -> str:
    return "\n".join(str(each) for each in found if each.level is not Level.OK)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([":op!o@h MODE #room -o fb"], "not an operator of #room"),
        ([":op!o@h MODE #room -imo fb"], "#room lacks +im"),
        ([":op!o@h MODE #lobby +m-o fb"], "#lobby is moderated"),
        ([":irc.test 404 fb #lobby :Cannot send"], "cannot speak in #lobby"),
        ([":op!o@h KICK #room fb :out"], "not in #room"),
        ([":op!o@h KICK #lobby fb :out"], "not there"),
        ([":fb!f@h NICK fb-two"], "who holds fb?"),
        (
            [":ChanServ!s@s NOTICE fb :\x02#lobby\x02 is not registered."],
            "#lobby is not registered",
        ),
        ([":ChanServ!s@s NOTICE fb :Channel #ROOM isn't registered."], "#room is not registered"),
    ],
)
async def test_what_lapses_is_found(lines: list[str], said: str) -> None:
    async with announcing() as (ircd, announcer, listener):
        await well(ircd, listener)
        await until(lambda: not faults(about_network(announcer)))
        await ircd.says(*lines)
        await until(lambda: said in faults(about_network(announcer)))


async def well(ircd: Ircd, listener: Listener) -> None:
    await enter(ircd, listener)
    await ircd.says(":op!o@h MODE #room +ims")


async def test_a_bot_that_is_not_marked_as_one_is_found() -> None:
    """ "The agent is labelled a bot (bot mode, …)": IRCv3 bot-mode."""
    async with announcing() as (ircd, announcer, listener):
        await ircd.welcomes("fb", "BOT=B")
        assert await ircd.hears("MODE fb") == "MODE fb +B"
        await ircd.lets_in("fb", "#lobby", "#room", op=True)
        with trio.fail_after(5):
            await listener.stands.wait()
        assert "not marked as a bot" in faults(about_network(announcer))
        await ircd.says(":op!o@h MODE #room +ims", ":fb MODE fb :+B")
        await until(lambda: not faults(about_network(announcer)))


async def test_a_registered_channel_is_no_fault_any_more() -> None:
    async with announcing() as (ircd, announcer, listener):
        await well(ircd, listener)
        await ircd.says(":ChanServ!s@s NOTICE fb :#lobby is not registered.")
        await until(lambda: "register it" in faults(about_network(announcer)))
        await ircd.says(":ChanServ!s@s NOTICE fb :Information on \x02#lobby\x02:")
        await until(lambda: not faults(about_network(announcer)))


async def test_somebody_else_s_word_on_ownership_is_none() -> None:
    async with announcing() as (ircd, announcer, listener):
        await well(ircd, listener)
        await ircd.says(":eve!e@e NOTICE fb :#lobby is not registered.", ":eve!e@e NICK adam")
        await ircd.says(":ChanServ!s@s NOTICE fb :#elsewhere is not registered.")
        await ircd.says(":irc.test 404 fb #lobby :a sign that all before was read")
        await until(lambda: announcer.is_muted)
        assert "register it" not in faults(about_network(announcer))


async def test_services_are_asked_once_a_day_where_they_know_us() -> None:
    async with announcing(Secrets("hunter2"), account="fb") as (ircd, announcer, listener):
        upkeep = Upkeep({"pub": announcer}, lambda: iter(()), lambda _text: None)
        await ircd.welcomes("fb")
        await ircd.says(":NickServ MODE fb :+r")
        await ircd.lets_in("fb", "#lobby", "#room", op=True)
        with trio.fail_after(5):
            await listener.stands.wait()
        upkeep.look(T0)
        await ircd.hears("PRIVMSG ChanServ :INFO #lobby")
        await ircd.hears("PRIVMSG ChanServ :INFO #room")
        await ircd.says(":op!o@h MODE #room +ims")
        await until(lambda: str(list(about_network(announcer))[-1]).endswith("services as fb"))
        upkeep.look(T0 + 60)
        assert not len(announcer.outgoing)
        upkeep.look(T0 + ASK_EVERY_S)
        await ircd.hears("PRIVMSG ChanServ :INFO #lobby")


def test_what_stands_for_five_minutes_is_told_once_and_that_it_is_mended() -> None:
    worries, room = Worries(), fail("pub: not in #room", "invite the agent")
    assert worries.look([room, ok("all else")], T0) == []
    assert worries.look([], T0 + 60) == [], "it mended itself"
    assert worries.look([room], T0 + 120) == []
    assert worries.look([room], T0 + 120 + TELL_AFTER_S) == ["pub: not in #room: invite the agent"]
    assert worries.look([room], T0 + 9999) == []
    assert worries.look([warn("other", "do")], T0 + 10_000) == ["mended: pub: not in #room"]
    assert worries.look([room], T0 + 10_060) == [], "five minutes anew"


async def test_ops_are_told_of_everything_in_one_line() -> None:
    told: list[str] = []
    async with announcing() as (ircd, announcer, listener):
        await well(ircd, listener)
        low = [fail("disk: nearly full", "make room")]
        upkeep = Upkeep({"pub": announcer}, lambda: iter(low), told.append)
        await ircd.says(":op!o@h MODE #room -o fb")
        await until(lambda: not announcer.is_op)
        upkeep.look(T0)
        upkeep.look(T0 + TELL_AFTER_S)
        assert len(told) == 1
        assert "disk: nearly full: make room; pub: not an operator of #room" in told[0]


async def test_much_at_once_is_told_whole() -> None:
    told: list[str] = []
    faults = [fail(f"fault {number}: {'w' * 60}", "do something about it") for number in range(6)]
    upkeep = Upkeep({}, lambda: iter(faults), told.append)
    upkeep.look(T0)
    upkeep.look(T0 + TELL_AFTER_S)
    assert len(told) > 1
    assert all(len(line) <= MAX_NOTE for line in told), "a note is cut at that"
    assert all(any(str(each.what) in line for line in told) for each in faults)


async def test_a_disk_that_hangs_is_told_and_stops_nothing() -> None:
    told: list[str] = []
    answers = threading.Event()

    def on_disk() -> Iterator[Finding]:
        answers.wait()
        yield fail("disk: nearly full", "make room")

    upkeep = Upkeep({}, lambda: iter(()), told.append, on_disk)
    try:
        for _ in range(2):
            with trio.fail_after(5):
                [found] = await upkeep.look_at_disk(within_s=0.05)
            assert "does not answer" in found.what
        upkeep.look(T0, [found])
        upkeep.look(T0 + TELL_AFTER_S, [found])
        assert "disk: it does not answer" in told[0]
    finally:
        answers.set()
    [found] = await upkeep.look_at_disk()
    assert found.what == "disk: nearly full"
