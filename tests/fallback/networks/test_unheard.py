"""An announcement that went down with its connection is said again: silence is the failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from bouncer.irc.wire import Message
from fallback import incident
from fallback.networks.unheard import Unheard
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until

PONG = Message("PONG", ("irc.test", "alive"), "irc.test")


def test_a_sign_from_before_the_line_left_is_none() -> None:
    lines = Unheard()
    lines.begun("pub")
    lines.received("pub", PONG)
    assert lines.lost("pub")
    assert not lines.lost("pub")  # told once


def test_a_pong_after_it_shows_that_it_came() -> None:
    lines = Unheard()
    lines.begun("pub")
    lines.written("pub")
    lines.received("pub", Message("PRIVMSG", ("#lobby", "hello"), "al!a@h"))
    assert "pub" in lines
    lines.received("pub", PONG)
    assert not lines.lost("pub")


@pytest.mark.parametrize("shown", [False, True])
async def test_a_line_written_to_a_dead_connection_is_said_on_the_next(
    shown: bool, tmp_path: Path
) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.roster and agent.announcers["pub"].joined)
        ircd.answers_pings = False
        agent.conduct.put(incident.Declared("alice"))
        line = await ircd.hears("PRIVMSG #lobby", within_s=15)
        await until(lambda: agent.conduct.state.speakers[0].pushed)  # it has been written
        if shown:
            await ircd.says(":irc.test PONG irc.test alive")
            await until(lambda: "pub" not in agent.reception.unheard)
        await ircd.drops()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.conduct.performer.speaks("pub"))
        if shown:
            await ircd.hears_nothing("PRIVMSG #lobby", for_s=0.3)
        else:
            assert await ircd.hears("PRIVMSG #lobby", within_s=15) == line


async def test_a_connection_that_died_in_silence_is_found_by_the_line_that_it_swallowed(
    tmp_path: Path,
) -> None:
    """L1: a joined network is announced on; that the connection is dead only shows then."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        announcer = agent.announcers["pub"]
        announcer.sign_s = 0.5
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.roster and announcer.joined)
        await trio.sleep(2 * announcer.sign_s)
        assert announcer.joined, "silence alone is no death yet"
        ircd.answers_pings = False
        agent.conduct.put(incident.Declared("alice"))
        line = await ircd.hears("PRIVMSG #lobby", within_s=15)
        await until(lambda: ircd.connections == 2)
        ircd.answers_pings = True
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        assert await ircd.hears("PRIVMSG #lobby", within_s=15) == line
        await until(lambda: "pub" not in agent.reception.unheard)
        await trio.sleep(2 * announcer.sign_s)
        assert ircd.connections == 2, "it has answered"
