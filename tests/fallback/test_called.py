"""An agent that the roster calls a witness: it speaks no more, and again when it is called one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from bouncer.mesh.roster import Roster
from bouncer.mesh.roster import Voter as Paired
from fallback import incident, watch
from fallback.app import Voter
from fallback.calling import about_role, as_called
from fallback.journal import Journal
from fallback.report import status_lines
from fallback.running import Serving
from storage import directory
from storage.incidents import Incidents
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.test_config import NETWORK, read
from tests.fallback.voters import Site_, open_site, until


async def calls(site: Site_, role: str) -> None:
    await site.store.run(partial(directory.change_agent, role=role), "fra")
    assert site.beacon is not None
    site.beacon.roster_changed()


def votes(voter: Voter) -> bool:
    return voter.conduct.state.watch.phase is watch.Phase.WATCHING


async def enters(ircd: Ircd) -> None:
    await ircd.welcomes("fb-fra")
    await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)


@pytest.mark.parametrize("declared", [False, True])
async def test_it_leaves_and_votes_and_comes_back(
    declared: bool, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """FALLBACK: "witness: a process that watches and votes, never speaks"."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        serving = Serving(config)
        first = serving.voter
        await nursery.start(serving.run)
        await site.beats()
        await enters(ircd)
        await until(lambda: votes(first) and first.roster and first.announcers["pub"].joined)
        if declared:
            first.conduct.put(incident.Declared("alice"))
            await ircd.hears("PRIVMSG #lobby", within_s=15)
        await calls(site, "witness")
        if declared:
            assert "Withdrawn: this agent speaks no more" in await ircd.hears("PRIVMSG #lobby")
        # after the last lines, at their pace
        assert await ircd.hears("QUIT", within_s=15) == "QUIT :called a witness"
        await until(lambda: serving.voter is not first and votes(serving.voter))
        second = serving.voter
        assert second.announcers == {}
        assert second.conduct.state.incident is None
        assert any("the roster says witness" in line for line in status_lines(second))
        assert any("so it speaks nowhere" in each.what for each in second.worries())
        remembered = Journal(second.incidents, "fra", "boot", second.pulse.now).remember(("pub",))
        assert remembered.kept.opened is None, "else it would go on with it once it is an agent"
        await calls(site, "agent")
        await enters(ircd)
        await until(lambda: serving.voter is not second and votes(serving.voter))
        await until(lambda: serving.voter.announcers["pub"].joined)
        assert not serving.voter.conduct.incident_id
        await serving.stop()
        await until(serving.voter.stopped.is_set)


async def test_one_that_is_killed_meanwhile_starts_as_a_witness(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        async with trio.open_nursery() as nursery:
            first = Voter(config)
            await nursery.start(first.run)
            await site.beats()
            await enters(ircd)
            await until(lambda: first.roster and first.announcers["pub"].joined)
            first.conduct.put(incident.Declared("alice"))
            await ircd.hears("PRIVMSG #lobby", within_s=15)
            await calls(site, "witness")
            await until(lambda: first.is_called_otherwise)
            nursery.cancel_scope.cancel()
        second = await site.starts(config)
        assert second.config.role == "witness"
        assert second.announcers == {}

        def kept() -> bool:
            file = Incidents(config.database_file)
            try:
                return file.fact("incident") is None
            finally:
                file.close()

        await until(kept)


async def test_without_its_password_it_stays_a_witness(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """What it cannot do as an agent must not end its votes."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        password = tmp_path / "password"
        password.write_text("sesame")
        account = {"account": "fra", "password_file": password}
        network = config.network[0].model_copy(update=account)
        serving = Serving(config.model_copy(update={"network": (network,)}))
        await nursery.start(serving.run)
        await site.beats()
        await until(lambda: serving.voter.roster)
        await calls(site, "witness")
        await until(lambda: not serving.voter.announcers and votes(serving.voter))
        witness = serving.voter
        password.unlink()
        await calls(site, "agent")
        await until(lambda: witness.is_called_otherwise)
        heard = witness.hearing.last
        await until(lambda: witness.hearing.last is not heard and votes(witness))
        assert serving.voter is witness
        password.write_text("sesame")
        await until(lambda: serving.voter.announcers)
        await serving.stop()
        await until(serving.voter.stopped.is_set)


def test_the_roster_may_narrow_the_file_and_not_widen_it() -> None:
    agent = read(network=[NETWORK])
    assert as_called(agent, None) is agent
    assert as_called(agent, Roster("org", 1, 0)) is agent
    for role, speaks in (("agent", True), ("witness", False)):
        ours = Paired(agent.name, str(agent.primary_key), "192.0.2.1:1", role)  # type: ignore[arg-type]
        roster = Roster("org", 1, 0, voters=(ours,))
        assert bool(as_called(agent, roster).network) is speaks
        assert bool(list(about_role(agent, roster))) is not speaks
        witness = read(role="witness")
        assert as_called(witness, roster) is witness
        assert bool(list(about_role(witness, roster))) is speaks
