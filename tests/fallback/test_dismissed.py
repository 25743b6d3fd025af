"""A voter that was removed hears no heartbeat any more, and must take that for no outage."""

from __future__ import annotations

from pathlib import Path

import trio

from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import Dismissal, Roster
from bouncer.mesh.roster import Voter as Paired
from fallback import watch
from fallback.app import Voter
from fallback.check import about_pairing
from fallback.mesh.pairing import Pairing
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


async def test_one_that_only_other_voters_reach_hears_it_from_them(tmp_path: Path) -> None:
    """Its path to the bouncer is broken, so it was removed; it would announce alone."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        witness = await site.starts(await site.pairs("hel", role="witness"))
        beacon = await site.beats()
        await until(lambda: phase(agent) is watch.Phase.WATCHING and agent.roster)
        await until(lambda: phase(witness) is watch.Phase.WATCHING and witness.roster)
        beacon._leaving.track = lambda _now: []  # type: ignore[method-assign]
        await site.store.run(directory.remove_agent, "fra")
        beacon.roster_changed()
        await until(lambda: agent.dismissed)
        assert agent.roster is not None
        assert agent.roster.voter("fra"), "no roster has come that says so"
        await until(lambda: phase(agent) is watch.Phase.ISOLATED)
        assert any("NOT IN THE ROSTER" in line for line in status_lines(agent))
        assert any("fra was removed from the roster" in each.what for each in agent.worries())
        # It is a stranger all the same.
        assert witness.mesh.others == []
        await until(lambda: witness.mesh.refused["not fresh"] > 0)


async def test_one_that_was_dead_hears_it_when_it_is_back(tmp_path: Path) -> None:
    """The only voter, and bouncer and voter were both started anew since."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        await site.employs("alice")
        config = await site.pairs("fra", ircd=ircd)
        await site.beats()
        first = Voter(config)
        async with trio.open_nursery() as nursery:
            await nursery.start(first.run)
            await until(lambda: phase(first) is watch.Phase.WATCHING and first.roster)
            nursery.cancel_scope.cancel()
        site.is_cut()
        await site.store.run(directory.remove_agent, "fra")
        beacon = await site.beats()
        second = await site.starts(config)
        assert not second.dismissed
        await until(lambda: second.dismissed, within_s=40)
        assert second.roster is not None
        assert second.roster.staff == (), "who is a stranger need not know the people"
        [one] = beacon._leaving._dialled.values()
        await until(lambda: one.scope and one.scope.cancel_called)
        site.is_cut()
        dialled = await site.beats()
        await until(lambda: dialled.roster)
        assert dialled._leaving.wanted == {}, "it was told, and is dialled no more"


async def test_what_it_has_announced_alone_is_withdrawn(tmp_path: Path) -> None:
    """Cut off from all when it was removed, it cannot know better; in time it says so."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.pairs("hel", role="witness")  # it is dead
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: phase(agent) is watch.Phase.WATCHING and agent.roster)
        await until(lambda: agent.landmarks.state().fresh)
        site.is_cut()
        await ircd.hears("PRIVMSG #lobby :[fallback", within_s=25)
        await site.store.run(directory.remove_agent, "fra")
        await site.beats()
        assert "Withdrawn" in await ircd.hears("PRIVMSG #lobby", within_s=40)
        await until(lambda: not agent.conduct.incident_id)
        await ircd.hears_nothing("PRIVMSG #lobby", for_s=4)
        assert agent.dismissed
        assert phase(agent) is watch.Phase.ISOLATED
        assert not agent.conduct.incident_id


def test_what_is_signed_of_another_or_of_before_ends_nothing() -> None:
    ours, other = MeshKey(b"o" * 32).public, MeshKey(b"x" * 32).public
    pairing = Pairing("fra", ours)
    held = Roster("org", 7, 0, voters=(Paired("fra", str(ours), "192.0.2.1:1"),))
    pairing.told(Dismissal(str(other), 9))
    pairing.told(Dismissal(str(ours), 6))  # it was paired again since
    assert not pairing.is_over(held)
    pairing.told(Dismissal(str(ours), 8))
    assert pairing.is_over(held)
    assert not pairing.is_over(Roster("org", 9, 0, voters=held.voters))
