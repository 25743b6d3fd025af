"""A voter that was removed hears no heartbeat any more, and must take that for no outage."""

from __future__ import annotations

from pathlib import Path

import trio

from fallback import watch
from fallback.app import Voter
from fallback.check import about_pairing
from fallback.report import status_lines
from storage import directory
from storage.records import Agent
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.voters import Site_, open_site, until


def phase(voter: Voter) -> watch.Phase:
    return voter.conduct.state.watch.phase


async def removed(site: Site_, ircd: Ircd) -> Voter:
    """An agent that was on the roster, and has heard that it is no more."""
    agent = await site.starts(await site.pairs("fra", ircd=ircd))
    beacon = await site.beats()
    await ircd.welcomes("fb-fra")
    await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
    await until(lambda: phase(agent) is watch.Phase.WATCHING and agent.roster)
    await until(lambda: any(one.linked for one in beacon.status()))
    await site.store.run(directory.remove_agent, "fra")
    beacon.roster_changed()
    await until(lambda: agent.dismissed)
    return agent


async def test_a_removed_agent_announces_nothing(tmp_path: Path) -> None:
    """FALLBACK: "The agent doubts itself first." """
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await removed(site, ircd)
        assert site.beacon is not None
        assert site.beacon.status() == []
        await until(lambda: phase(agent) is watch.Phase.ISOLATED)
        silent_from = agent.conduct.state.watch.silent_from
        with trio.fail_after(20):
            while agent.pulse.now() < silent_from + 8:  # the solo rule's time, twice
                await trio.sleep(0.1)
                assert not agent.conduct.incident_id
        assert any("NOT IN THE ROSTER" in line for line in status_lines(agent))
        assert agent.roster is not None
        [finding] = about_pairing(agent.config, agent.roster)
        assert "fra is not in the roster" in finding.what
        assert next(each.what for each in agent.worries()) == finding.what


async def test_one_that_is_paired_again_watches_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await removed(site, ircd)
        host, port = "127.0.0.1", agent.mesh.port
        await until(lambda: phase(agent) is watch.Phase.ISOLATED)
        again = Agent("fra", f"{host}:{port}", str(agent.key.public), role="agent")
        await site.store.run(directory.add_agent, again)
        assert site.beacon is not None
        site.beacon.roster_changed()
        await until(lambda: not agent.dismissed and phase(agent) is watch.Phase.WATCHING)
