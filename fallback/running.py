"""`fallback run`: one voter until told to stop; a new one where the clock was set under the old.

A voter counts on from the time it read at its start, so that a clock that is set moves none of its
waits. But its lines tell that time, and the roster's age goes by it. So where a machine had yet to
learn the time, once its clock stands and nothing is going on, the voter begins anew.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import structlog
import trio

from fallback import watch
from fallback.app import Fault, Hindrance, Voter
from fallback.config import Config
from fallback.credentials import can_be_read
from fallback.voter import VoterState
from storage.incidents import MOVE_AWAY, IncidentsError

SET_BY_S = 30.0  # lines tell minutes
STANDS_S = 60.0  # so long a set clock must agree with itself
SAME_S = 1.0
AGAIN_S = 3600.0  # between two beginnings: a clock that is set for ever ends nothing

log = structlog.get_logger("fallback")


class SetClock:
    """Whether the wall clock was set for good. Pure; hand in its drift now and then."""

    def __init__(self, stands_s: float = STANDS_S) -> None:
        self._stands_s = stands_s
        self._drift_s = 0.0
        self._since = float("-inf")

    def stands(self, drift_s: float, now: float) -> bool:
        """Whether it is another than at the start, and has been the same for a minute."""
        if abs(drift_s - self._drift_s) > SAME_S:
            self._drift_s, self._since = drift_s, now
        return abs(drift_s) > SET_BY_S and now >= self._since + self._stands_s


def nothing_goes_on(state: VoterState, now: float) -> bool:
    """Whether a voter may begin anew unnoticed: no silence, no incident, no window to come."""
    own, seen = state.incident, state.watch
    quiet = own is None or not (own.id or own.stood_down)
    windows = any(now < watch.over_at(notice, seen.timings) for notice in seen.notices)
    calm = seen.phase in (watch.Phase.UNARMED, watch.Phase.WATCHING)
    return quiet and calm and not windows


def run(config: Config, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until TERM or INT. Raises Fault when it cannot begin."""

    os.umask(0o077)  # what is said in the room stands in our files

    async def serve() -> None:
        serving = Serving(config)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(serving.run)
                ready()
                async for number in signals:
                    log.info("stopping", signal=signal.Signals(number).name)
                    await serving.stop()
                    return

    trio.run(serve)


class Serving:
    """One voter after another. Making it raises Fault, as does what comes later."""

    def __init__(self, config: Config, *, stands_s: float = STANDS_S) -> None:
        self._config = config
        self._stands_s = stands_s
        self._stopped = False
        self.voter = _new(config)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped. Raises Fault."""
        look_from = trio.current_time()
        while True:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.voter.run)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await self._until_set(self.voter, look_from)
            if self._stopped:
                return
            self.voter = _new(self._config)
            look_from = trio.current_time() + AGAIN_S

    async def stop(self) -> None:
        self._stopped = True
        await self.voter.stop()

    async def _until_set(self, voter: Voter, look_from: float) -> None:
        if self._stopped:  # while this one was just beginning
            await voter.stop()
        clock = SetClock(self._stands_s)
        while not voter.stopped.is_set():
            if voter.is_called_otherwise and (voter.config.network or can_be_read(self._config)):
                log.warning("the roster calls this voter otherwise: beginning anew as that")
                await voter.withdraw()
                await voter.stop("called a witness")
                return
            now, drift_s = trio.current_time(), voter.pulse.wall_drift_s
            if (
                clock.stands(drift_s, now)
                and now >= look_from
                and nothing_goes_on(voter.conduct.state, voter.pulse.now())
                and can_be_read(self._config)  # a wrong clock is better than no voter
            ):
                log.warning("the clock was set since the start: beginning anew", by_s=drift_s)
                await voter.stop()
                return
            with trio.move_on_after(1.0):
                await voter.stopped.wait()


def _new(config: Config) -> Voter:
    try:
        return Voter(config)
    except IncidentsError as error:
        if error.passes:
            raise Hindrance(str(error)) from None
        raise Fault(f"{error}; {MOVE_AWAY}") from None
