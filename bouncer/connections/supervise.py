"""When to try again: delays that grow, jitter that spreads, a gate that keeps networks friendly."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bouncer.irc.registration.upstream import is_throttle

FIRST_RETRY_S = 2.0  # the first retry comes within this time
LONGEST_RETRY_S = 300.0
GHOST_S = 20.0  # a session that ended in silence stands on the server at least this long
THROTTLED_S = 60.0  # a network that says we come too often is left alone for at least this long
BAN_RETRY_S = 3600.0  # a ban is tried again this slowly at first,
LONGEST_BAN_RETRY_S = 6 * 3600.0  # and later so
STABLE_S = 60.0  # a connection that held this long starts the delays anew


def backoff(
    first_s: float = FIRST_RETRY_S,
    longest_s: float = LONGEST_RETRY_S,
    jitter: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Delays in seconds without end: doubling, each between half and the whole of its step."""
    step = first_s
    while True:
        yield step * (0.5 + jitter() / 2)
        step = min(step * 2, longest_s)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended, or why there was none. `silent`: the server's side of a session may
    still stand; `permanent`: of no use until somebody acts; `banned`: only time can help."""

    reason: str
    silent: bool = False
    permanent: bool = False
    banned: bool = False

    @property
    def refused(self) -> bool:
        """The network does not want us."""
        return self.permanent or self.banned


class Patience:
    """When to try again after each ending. A network error is never a reason to give up."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._start_anew()

    def _start_anew(self) -> None:
        self._delays = backoff(jitter=self._jitter)
        self._ban_delays = backoff(BAN_RETRY_S, LONGEST_BAN_RETRY_S, self._jitter)

    def after(self, ending: Ending, held_s: float) -> float | None:
        """Seconds until the next try after a connection of `held_s`; None for never."""
        if held_s > STABLE_S:
            self._start_anew()
        if ending.permanent:
            return None
        if ending.banned:
            return next(self._ban_delays)
        delay = next(self._delays)
        if is_throttle(ending.reason):
            return max(delay, THROTTLED_S * (1 + self._jitter()))
        return max(delay, GHOST_S) if ending.silent else delay


@dataclass(slots=True)
class Gate:
    """Spaces connections per key, as (source address, network): `per_min` each, 0 for no limit.

    The first `burst` go at once, the others queue behind them at the even pace, so that a restart
    with a hundred users looks like a slow morning and not like an attack.
    """

    per_min: float
    burst: int = 3
    _free_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def delay(self, key: tuple[str, str], now: float) -> float:
        """Reserve the next place for `key` and say how many seconds to wait for it."""
        if self.per_min <= 0:
            return 0.0
        gap = 60.0 / self.per_min
        earliest = now - gap * (self.burst - 1)
        place = max(self._free_at.get(key, earliest), earliest)
        self._free_at[key] = place + gap
        if len(self._free_at) > 10_000:  # forget keys whose places are all in the past
            self._free_at = {k: at for k, at in self._free_at.items() if at > earliest}
        return max(0.0, place - now)
