"""What came of a simulated year: which lines were false, which cuts were missed or told late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fallback.simulator.faults import Year
from tests.fallback.simulator.setup import Voter

if TYPE_CHECKING:
    from tests.fallback.simulator.run import Simulation


def judge(world: Simulation) -> None:
    """Count what the year was: false lines, cuts, and how soon each was announced."""
    result, year = world.result, world.year
    result.years += 1
    first: dict[str, int] = {}
    for t, incident_id in world.announced_at:
        first.setdefault(incident_id, t)
    result.announced += len(first)
    for t in first.values():
        if year.up_for(60, t):
            result.false += 1
            result.notes.append(f"false at {t} of year {result.years}")
    for start, end in year.cuts.spans:
        if end - start < 60 or end > world.end or _excused(world.year, start, end):
            continue
        result.cuts += 1
        at = _line_after(world.standing, start, end)
        if at is None:
            result.missed += 1
            result.notes.append(f"missed {start}-{end} of year {result.years}")
        if _live(world.voters, start) >= world.setup.timings.k:
            result.live_cuts += 1
            latency = 9999 if at is None else max(0, at - start)
            result.latencies.append(latency)
            if latency > 30:
                result.late += 1
                result.notes.append(f"late {latency} s at {start} of year {result.years}")


def _excused(year: Year, start: int, end: int) -> bool:
    """Inside a maintenance window nothing is to be said; it ends with its window."""
    return any(w.start - 5 < end and start < w.end + 40 for w in year.windows)


def _line_after(standing: list[tuple[int, int]], start: int, end: int) -> int | None:
    for line_from, line_to in standing:
        if line_from < end and line_to > start:
            return max(line_from, start)
    return None


def _live(voters: list[Voter], start: int) -> int:
    """Voters that nothing else happens to from just before the cut until 30 s after."""
    count = 0
    for at in voters:
        f = at.faults
        around = (start - 15, start + 31)
        hit = f.uplink.touches(*around) or f.pause.touches(*around) or f.path.touches(*around)
        count += not hit
    return count


def percentile(values: list[int], share: float) -> int:
    """The value below which `share` of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
