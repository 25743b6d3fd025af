"""How soon a network is tried again, and that a ban or a throttle is left alone."""

from __future__ import annotations

from pathlib import Path

import trio

from bouncer.connections.supervise import STABLE_S, THROTTLED_S
from fallback import incident
from fallback.networks.retries import BANNED_S, LONGEST_BANNED_S, LONGEST_S, Retries
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until


def retries() -> Retries:
    return Retries(jitter=lambda: 1.0)


def test_a_network_that_is_away_is_tried_soon_and_then_each_two_minutes() -> None:
    ours = retries()
    pauses = [ours.after("refused", 0, banned=False) for _ in range(9)]
    assert pauses[:2] == [(2.0, 0.0), (4.0, 0.0)]
    assert pauses[-1] == (LONGEST_S, 0.0)
    assert ours.after("it broke", STABLE_S + 1, banned=False) == (2.0, 0.0)


def test_a_ban_is_left_alone_for_a_quarter_of_an_hour_and_longer() -> None:
    ours = retries()
    assert ours.after("K-Lined", 0, banned=True) == (2.0, BANNED_S)
    assert ours.after("K-Lined", 0, banned=True) == (4.0, 2 * BANNED_S)
    assert [ours.after("K-Lined", 0, banned=True)[1] for _ in range(9)][-1] == LONGEST_BANNED_S


def test_a_ban_that_was_told_once_stands_until_a_connection_has_held() -> None:
    """InspIRCd closes before the TLS handshake, and so without a word that could be read."""
    ours = retries()
    ours.after("K-Lined", STABLE_S + 1, banned=True)
    assert ours.after("connection has been closed", 0, banned=False) == (4.0, 2 * BANNED_S)
    assert ours.after("it broke", STABLE_S + 1, banned=False) == (2.0, 0.0)


def test_who_comes_too_fast_waits_a_minute_at_least() -> None:
    said = "Closing Link: Reconnecting too fast, throttled"
    assert retries().after(said, 0, banned=False) == (THROTTLED_S, 0.0)


async def test_a_ban_is_tried_at_once_where_the_network_is_needed(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.hears("USER")
        await ircd.says(":irc.test 465 * :You are banned", "ERROR :Closing Link: K-Lined")
        await ircd.drops()
        await until(lambda: agent.announcers["pub"].error)
        await trio.sleep(2.5)  # the first pause is two seconds at most
        assert ircd.connections == 1
        agent.conduct.put(incident.Declared("alice"))
        await until(lambda: ircd.connections == 2)
