"""The mix of faults of one year, drawn from a seed: FALLBACK.md §2. Times in seconds of the year.

Where the specification leaves a length open it is chosen here: crashes lognormal (120 s, 1.0),
partial partitions lognormal (300 s, 1.0), maintenances half an hour with 3 to 20 min of outage
inside, loss bursts lognormal (2 s, 0.85), flapping up and down for 5 to 60 s each.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

YEAR_S = 365 * 86400
HALF_HOUR_S = 1800


class Spans:
    """Sorted disjoint intervals [start, end) of whole seconds."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self.spans: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if self.spans and start <= self.spans[-1][1]:
                self.spans[-1] = (self.spans[-1][0], max(end, self.spans[-1][1]))
            elif end > start:
                self.spans.append((start, end))
        self._starts = [start for start, _ in self.spans]

    def at(self, t: int) -> tuple[int, int] | None:
        """The interval that holds `t`."""
        index = bisect_right(self._starts, t) - 1
        if index >= 0 and t < self.spans[index][1]:
            return self.spans[index]
        return None

    def touches(self, start: int, end: int) -> bool:
        """Whether any interval has a second in [start, end)."""
        index = bisect_right(self._starts, end - 1) - 1
        return index >= 0 and self.spans[index][1] > start

    def next_edge(self, t: int) -> int:
        """The first start or end after `t`."""
        index = bisect_right(self._starts, t)
        after = self._starts[index] if index < len(self._starts) else 1 << 60
        if index and self.spans[index - 1][1] > t:
            return min(after, self.spans[index - 1][1])
        return after


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window: announced at its begin, ended after its outage."""

    start: int
    end: int
    down: tuple[int, int]


@dataclass(slots=True)
class VoterFaults:
    uplink: Spans  # nothing gets through: no A, no B, no landmark, no mesh, no public network
    path: Spans  # the way from the primary to this voter only
    pause: Spans  # the host stands still
    lossy: Spans
    loss: dict[int, float] = field(default_factory=dict)  # start of a lossy half-hour -> loss

    def loss_at(self, t: int) -> float:
        span = self.lossy.at(t)
        if span is None:
            return 0.0
        return max(self.loss.get(s, 0.0) for s in self.loss_starts(span, t))

    def loss_starts(self, span: tuple[int, int], t: int) -> list[int]:
        return [s for s in self.loss if span[0] <= s <= t] or [span[0]]


@dataclass(slots=True)
class Year:
    """All faults of one year. `cuts` are the site's, `crashes` the bouncer's alone."""

    cuts: Spans
    crashes: Spans
    stalls: Spans
    windows: list[Window]
    voters: list[VoterFaults]

    def primary_down(self, t: int) -> bool:
        return self.cuts.at(t) is not None or self.crashes.at(t) is not None

    def up_for(self, wait_s: int, t: int) -> bool:
        """The site had been up for the `wait_s` before `t`."""
        start = t - wait_s
        return not self.cuts.touches(start, t + 1) and not self.crashes.touches(start, t + 1)


def _lognormal(rng: random.Random, median_s: float, sigma: float) -> int:
    return max(1, round(rng.lognormvariate(math.log(median_s), sigma)))


def _some(rng: random.Random, count: int) -> Iterable[int]:
    return (rng.randrange(600, YEAR_S - 90_000) for _ in range(count))


def draw(rng: random.Random, voters: int) -> Year:
    """One year with the specification's counts."""
    cuts = [(at, at + _lognormal(rng, 1200, 1.2)) for at in _some(rng, 12)]
    cuts += [(at, at + rng.randint(20, 60)) for at in _some(rng, 10)]
    cuts += [(at, at + rng.randint(2, 20)) for at in _some(rng, 40)]
    for start in _some(rng, 3):  # flapping for ten minutes
        at = start
        while at < start + 600:
            down_s = rng.randint(5, 60)
            cuts.append((at, at + down_s))
            at += down_s + rng.randint(5, 60)
    windows = []
    for start in _some(rng, 12):
        down = start + rng.randint(60, 300)
        windows.append(Window(start, start + 1800, (down, down + rng.randint(180, 1200))))
    cuts += [window.down for window in windows]
    crashes = [(at, at + _lognormal(rng, 120, 1.0)) for at in _some(rng, 12)]
    stalls = [(at, at + rng.randint(1, 3)) for at in _some(rng, 8000)]
    own = [_draw_voter(rng) for _ in range(voters)]
    for at in _some(rng, 4):  # partial partitions: some voters lose the site, one keeps it
        span = (at, at + _lognormal(rng, 300, 1.0))
        lucky = rng.randrange(voters)
        for index, faults in enumerate(own):
            if index != lucky and (voters == 2 or rng.random() < 0.7):
                faults.path = Spans([*faults.path.spans, span])
    return Year(Spans(cuts), Spans(crashes), Spans(stalls), windows, own)


def _draw_voter(rng: random.Random) -> VoterFaults:
    uplink = [(at, at + _lognormal(rng, 60, 1.3)) for at in _some(rng, 24)]
    uplink += [(at, at + _lognormal(rng, 2, 0.85)) for at in _some(rng, 7300)]
    path = [(at, at + _lognormal(rng, 90, 1.3)) for at in _some(rng, 40)]
    pause = [(at, at + rng.randint(2, 30)) for at in _some(rng, 50)]
    pause += [(at, at + rng.randint(30, 300)) for at in _some(rng, 4)]
    loss = {at: rng.uniform(0.01, 0.20) for at in _some(rng, 50)}
    lossy = Spans((at, at + HALF_HOUR_S) for at in loss)
    return VoterFaults(Spans(uplink), Spans(path), Spans(pause), lossy, loss)
