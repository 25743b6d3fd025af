"""Whether this process was awake: the agent doubts itself first.

A gap in our own loop is the largest of three deltas: the monotonic clock sees a stopped process,
boottime a suspended machine, the wall clock a virtual machine that was frozen and moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

TICK_S = 0.5


def _read_clocks() -> tuple[float, float, float]:
    return (
        time.clock_gettime(time.CLOCK_MONOTONIC),
        time.clock_gettime(time.CLOCK_BOOTTIME),
        time.time(),
    )


@dataclass
class Pulse:
    """The voter's steady clock, and the stalls it went through.

    `now()` is seconds since the epoch as they were at the start, counted on by boottime: it never
    jumps. `beat()` at least every TICK_S; and before any event is handled, so that a stall is
    known before what waited meanwhile.
    """

    self_stall_s: float
    clocks: Callable[[], tuple[float, float, float]] = _read_clocks
    _last: tuple[float, float, float] = field(init=False)
    _offset: float = field(init=False)
    beaten: int = 0
    worst_gap_s: float = 0.0

    def __post_init__(self) -> None:
        self._last = self.clocks()
        self._offset = self._last[2] - self._last[1]

    def now(self) -> float:
        return self.clocks()[1] + self._offset

    def beat(self) -> float:
        """The gap since the last beat in seconds if it was a stall, else 0."""
        current = self.clocks()
        gap = max(new - old for new, old in zip(current, self._last, strict=True))
        self._last = current
        self.beaten += 1
        self.worst_gap_s = max(self.worst_gap_s, gap)
        return gap if gap > self.self_stall_s else 0.0

    @property
    def wall_drift_s(self) -> float:
        """How far the wall clock has moved from ours since the start."""
        _mono, boot, wall = self.clocks()
        return wall - (boot + self._offset)
