"""A bouncer or a voter whose file went back in time, or is lost: what both still agree on."""

from __future__ import annotations

from pathlib import Path

import trio

from bouncer.mesh.beacon import MAX_AHEAD
from bouncer.mesh.enrolment import VERSION
from bouncer.mesh.windows import COUNT, KEPT
from fallback import watch
from fallback.app import Voter
from storage import directory
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import Site_, open_site, until


def phase(voter: Voter) -> watch.Phase:
    return voter.conduct.state.watch.phase


async def armed(site: Site_) -> Voter:
    witness = await site.starts(await site.pairs("hel", role="witness"))
    await site.beats()
    await until(lambda: phase(witness) is watch.Phase.WATCHING and witness.roster)
    return witness


async def test_a_restored_bouncer_s_windows_are_entered_whatever_their_numbers(
    tmp_path: Path,
) -> None:
    """FALLBACK: "success is claimed only after the acks", and there must be some."""
    async with open_site(tmp_path) as site:
        witness = await armed(site)
        assert site.beacon is not None
        now = witness.pulse.now()
        await site.beacon.announce_maintenance(now, now + 600, "")
        told = await site.beacon.end_maintenance()
        assert told.acked == 1
        site.is_cut()
        await site.store.run(directory.put_meta, COUNT, "0")
        await site.store.run(directory.put_meta, KEPT, "[]")
        beacon = await site.beats()
        told = await beacon.announce_maintenance(now, now + 600, "the same number again")
        assert told.acked == 1
        await until(lambda: phase(witness) is watch.Phase.MAINTENANCE)


async def test_a_voter_that_lost_its_file_hears_of_the_window_again(tmp_path: Path) -> None:
    """What one boot has acked the next may not hold: a file that broke is moved away."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        beacon = await site.beats()
        first = Voter(config)
        async with trio.open_nursery() as nursery:
            await nursery.start(first.run)
            await until(lambda: phase(first) is watch.Phase.WATCHING)
            now = first.pulse.now()
            for _ in range(2):  # two that have ended are told again, too, and each is acked
                await beacon.announce_maintenance(now, now + 600, "")
                await beacon.end_maintenance()
            told = await beacon.announce_maintenance(now, now + 600, "new switch")
            assert told.acked == 1
            nursery.cancel_scope.cancel()
        for path in config.data_dir.glob("fallback.db*"):
            path.unlink()
        second = await site.starts(config)
        await until(lambda: phase(second) is watch.Phase.MAINTENANCE)
        fra = beacon._voters["fra"]
        await until(lambda: beacon._windows.to_tell(fra.held) == [])


async def test_a_restored_bouncer_s_roster_is_taken_all_the_same(tmp_path: Path) -> None:
    """S8, "roster version never falls": the bouncer's goes above what its voters hold."""
    async with open_site(tmp_path) as site:
        witness = await armed(site)
        site.is_cut()
        await site.store.run(directory.put_meta, VERSION, "41")
        beacon = await site.beats()
        await until(lambda: witness.roster and witness.roster.version == 41)
        site.is_cut()
        await site.store.run(directory.put_meta, VERSION, "7")
        beacon = await site.beats()
        await until(lambda: witness.roster and witness.roster.version == 42)
        await until(lambda: beacon.status()[0].roster == 42)
        assert any("holds roster v41, ours was v7" in line for line in site.told)


async def test_a_lying_voter_cannot_use_the_versions_up(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await armed(site)
        beacon = site.beacon
        assert beacon is not None
        [one] = beacon._voters.values()
        beacon._see_version(one, 2 + MAX_AHEAD)
        beacon._see_version(one, 2**62)
        assert site.told == []
        for _ in range(2):  # a second one within the minute is not believed either
            beacon._see_version(one, 1 + MAX_AHEAD)
            await until(lambda: beacon.roster and beacon.roster.version == 2 + MAX_AHEAD)
            beacon._see_version(one, 3 + MAX_AHEAD)
        assert len(site.told) == 1


async def test_a_change_during_the_reading_of_the_roster_is_read_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        witness = await armed(site)
        assert site.beacon is not None
        beacon, store = site.beacon, site.store
        await site.employs("alice")

        class Later:
            """The next reading is over before the change is, and told after it."""

            async def run(self, fn: object, *args: object) -> object:
                beacon._store = store
                read = await store.run(fn, *args)  # type: ignore[arg-type]
                await site.employs("bob")
                beacon.roster_changed()
                return read

        beacon._store = Later()
        beacon.roster_changed()
        await until(lambda: witness.roster and witness.roster.version == 3)
