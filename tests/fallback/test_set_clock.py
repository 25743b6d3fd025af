"""A clock that is set after the start: no wrong verdict or window, and soon no wrong time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from bouncer.mesh.heartbeat import Kind, Maintenance, sign_statement
from bouncer.mesh.peers import Heard
from fallback import watch
from fallback.app import Voter
from fallback.mesh.port import PRIMARY
from fallback.running import SET_BY_S, Serving, SetClock, nothing_goes_on
from fallback.timings import DEFAULTS
from fallback.voter import agent
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import Site_, open_site, until


def phase(voter: Voter) -> watch.Phase:
    return voter.conduct.state.watch.phase


def set_by(voter: Voter, by_s: float) -> None:
    """The machine's clock is set."""
    read = voter.pulse.clocks

    def clocks() -> tuple[float, float, float]:
        mono, boot, wall = read()
        return mono, boot, wall + by_s

    voter.pulse.clocks = clocks


async def armed(site: Site_) -> Voter:
    voter = await site.starts(await site.pairs("hel", role="witness"))
    await site.beats()
    await until(lambda: phase(voter) is watch.Phase.WATCHING and voter.roster)
    await until(lambda: voter.landmarks.state().fresh)
    return voter


def test_only_a_clock_that_stands_was_set_for_good() -> None:
    clock = SetClock(60.0)
    assert not clock.stands(0.2, 0.0)
    assert not clock.stands(SET_BY_S - 1, 100.0)
    assert not clock.stands(SET_BY_S - 1, 200.0), "too little to matter"
    assert not clock.stands(3600.0, 300.0)
    assert not clock.stands(3600.2, 359.0)
    assert clock.stands(3600.2, 360.0)
    assert not clock.stands(7200.0, 361.0), "it is still being set"


@pytest.mark.parametrize("by_s", [-86_400.0, 86_400.0], ids=["back", "forward"])
async def test_a_clock_that_is_set_makes_no_verdict_and_moves_no_window(
    tmp_path: Path, by_s: float
) -> None:
    """FALLBACK: "its own loop had no gap > 2 s (the largest of monotonic, boottime and wall
    deltas)": a stall at most; and windows are the bouncer's, by its clock."""
    async with open_site(tmp_path) as site:
        voter = await armed(site)
        beacon = site.beacon
        assert beacon is not None
        begins = voter.pulse.now() + 2
        told = await beacon.announce_maintenance(begins, begins + 600, "new switch")
        assert told.acked == 1
        set_by(voter, by_s)
        await until(lambda: phase(voter) is watch.Phase.MAINTENANCE)
        assert begins <= voter.pulse.now() < begins + 5
        ended = await beacon.end_maintenance()
        assert ended.acked == 1
        await until(lambda: phase(voter) is watch.Phase.WATCHING)
        begins = voter.pulse.now() + 2
        told = await beacon.announce_maintenance(begins, begins + 600, "once more")
        [notice] = voter.conduct.state.watch.notices
        assert notice.begins == pytest.approx(begins, abs=0.01)


async def test_a_window_is_dated_by_a_heartbeat_and_not_before_one(tmp_path: Path) -> None:
    """A voter whose clock is wrong cannot know when it begins; it is told again in a second."""
    async with open_site(tmp_path) as site:
        voter = await site.starts(await site.pairs("hel", role="witness"))
        now_ms = round((voter.pulse.now() + 86_400) * 1000)
        notice = Maintenance("m1.boot", now_ms, now_ms + 600_000)
        statement = sign_statement(site.key, Kind.MAINTENANCE, notice)
        voter.hearing.take(Heard(PRIMARY, Kind.MAINTENANCE, statement, True), None)
        await until(lambda: voter.conduct.waiting == 0)
        assert voter.conduct.state.watch.notices == ()


async def test_a_voter_begins_anew_with_the_right_time_when_nothing_goes_on(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        serving = Serving(config, stands_s=0.0)
        first = serving.voter
        await nursery.start(serving.run)
        beacon = await site.beats()
        await until(lambda: phase(first) is watch.Phase.WATCHING)
        now = first.pulse.now()
        await beacon.announce_maintenance(now, now + 600, "it goes on")
        set_by(first, 7200.0)
        await until(lambda: phase(first) is watch.Phase.MAINTENANCE)
        await until(lambda: first.pulse.now() > now + 4)
        assert serving.voter is first, "in a window its clock is not touched"
        await beacon.end_maintenance()
        await until(lambda: serving.voter is not first)
        second = serving.voter
        assert abs(second.pulse.wall_drift_s) < 1.0
        await until(lambda: phase(second) is watch.Phase.WATCHING)
        assert first.stopped.is_set()
        await serving.stop()
        await until(second.stopped.is_set)


def test_a_window_that_passed_while_it_was_off_keeps_nobody_from_beginning_anew() -> None:
    state = agent("fra", 0, (), DEFAULTS)
    seen = watch.WatchState(phase=watch.Phase.WATCHING, notices=(watch.Notice("m1", 0.0, 600.0),))
    over_at = watch.over_at(seen.notices[0], seen.timings)
    assert not nothing_goes_on(replace(state, watch=seen), over_at - 1)
    assert nothing_goes_on(replace(state, watch=seen), over_at)
    assert state.incident is not None
    open_one = replace(state.incident, id="0199.fra")
    assert not nothing_goes_on(replace(state, watch=seen, incident=open_one), over_at)


async def test_who_is_told_to_stop_while_beginning_anew_stops(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    async with open_site(tmp_path) as site:
        serving = Serving(await site.pairs("hel", role="witness"))
        await serving.stop()
        with trio.fail_after(20):
            await nursery.start(serving.run)
            await serving.voter.stopped.wait()


async def test_who_is_told_to_stop_as_its_port_opens_stops(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    async with open_site(tmp_path) as site:
        serving = Serving(await site.pairs("hel", role="witness"))
        open_port = serving.voter.mesh.run

        async def opens(*, task_status: trio.TaskStatus[None]) -> None:
            await serving.stop()
            await open_port(task_status=task_status)

        serving.voter.mesh.run = opens  # type: ignore[method-assign]
        with trio.fail_after(20):
            await nursery.start(serving.run)
            await serving.voter.stopped.wait()
