"""Who learns of what needs a person, and by which ways the bouncer is heard."""

from __future__ import annotations

from pathlib import Path

import trio

from fallback import incident, watch
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import WAITS, open_site, until

LINK_BEATS_S = 9.0  # longer than a voter bears without a heartbeat


async def test_a_lone_agent_that_asks_is_answered_in_the_room(tmp_path: Path) -> None:
    """ "`solo = "ask"` waits for `!confirm` instead": the bouncer can tell nobody that it waits, so
    the agent says it in the room, and nothing in the lobby."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        await site.employs("alice", admin=True, accounts=(("pub", "AliceAcct"),))
        config = await site.pairs("fra", ircd=ircd)
        await site.pairs("hel", role="witness")  # it is dead
        asking = config.model_copy(update={"timings": WAITS | {"solo": "ask"}})
        agent = await site.starts(asking)
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await ircd.says(":al!a@h JOIN #room AliceAcct :A")
        await until(
            lambda: agent.roster and agent.conduct.state.watch.phase is watch.Phase.WATCHING
        )
        site.is_cut()
        asked = await ircd.hears("PRIVMSG #room :for ops", within_s=20)
        assert "`!confirm` announces it" in asked
        assert agent.conduct.incident_id == ""
        await ircd.says(":al!a@h PRIVMSG #room :!confirm")
        assert "Incident opened by an admin" in await ircd.hears("PRIVMSG #lobby", within_s=20)
        assert agent.conduct.state.incident is not None
        assert agent.conduct.state.incident.kind is incident.Kind.OPERATOR


async def test_heartbeats_on_the_link_alone_keep_it_calm(tmp_path: Path) -> None:
    """ "The same every 5 s on the TLS link; either counts."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        waits = WAITS | {"suspect": 8, "declare": 20, "service_down": 20}
        agent = await site.starts(config.model_copy(update={"timings": waits}))
        beacon = await site.beats()
        beacon._send = lambda _one, _data: None  # type: ignore[method-assign]
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        first = agent.hearing.last
        assert first is not None
        assert agent.hearing.last is not None
        with trio.fail_after(30):
            while agent.hearing.last.at < first.at + LINK_BEATS_S:
                assert agent.conduct.state.watch.phase is watch.Phase.WATCHING
                await trio.sleep(0.1)


async def test_a_notice_and_an_order_get_through_by_the_link_alone(tmp_path: Path) -> None:
    """Where a firewall drops UDP, a planned stop must be no outage all the same."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        beacon = await site.beats()
        beacon._send = lambda _one, _data: None  # type: ignore[method-assign]
        await until(lambda: any(one.linked for one in beacon.status()))
        now = agent.pulse.now()
        told = await beacon.announce_maintenance(now, now + 600, "new disks")
        assert (told.acked, told.voters) == (1, 1)
        assert agent.conduct.state.watch.phase is watch.Phase.MAINTENANCE
        assert await beacon.order("declare", "alice", known_by="test", why="fire") == (1, 1)
        await until(lambda: agent.conduct.incident_id)
