"""`python -m tests.fallback.simulator [YEARS]`: the table of FALLBACK.md §2, from one seed.

The two setups of the goal run for YEARS (20) simulated years; the contrast rows, which only have
to show that each ingredient is needed, for a fifth of that. Exit 1 if a goal is missed, or if an
ingredient makes no difference.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

from fallback.timings import Solo, Timings
from tests.fallback.simulator.judging import percentile
from tests.fallback.simulator.run import simulate
from tests.fallback.simulator.setup import Result, Setup

GOALS = [
    Setup("2 of 2", agents=1, witnesses=1),
    Setup("2 of 3", agents=2, witnesses=1),
]

# One agent that knows nothing but a timeout: no solo rule, no class B.
_FIXED = Timings(k=1, suspect_s=5.0, declare_s=15.0, solo=Solo.ASK)
_SELF_CHECKED = Setup("one agent, with self-check", 1, 0, _FIXED, asks=False, answers=False)


@dataclass(frozen=True, slots=True)
class Contrast:
    """What one ingredient is worth: the setup `without` it beside the one `with_it`."""

    ingredient: str
    without: Setup
    with_it: Setup


CONTRASTS = [
    Contrast(
        "self-check",
        replace(_SELF_CHECKED, name="one agent, fixed 15 s", self_check=False),
        _SELF_CHECKED,
    ),
    Contrast(
        "quorum",
        Setup("any of 3", 3, 0, _FIXED, asks=False, answers=False),
        GOALS[1],
    ),
    Contrast(
        "forwarding and indirect probes",
        replace(GOALS[1], name="2 of 3, no forwarding, no indirect probes", asks=False),
        GOALS[1],
    ),
    Contrast(
        "heartbeats every second",
        replace(
            _SELF_CHECKED,
            name="one agent, with self-check, heartbeats 5 s",
            timings=replace(_FIXED, suspect_s=10.0),
            heartbeat_s=5,
        ),
        _SELF_CHECKED,
    ),
]
# An ingredient is needed when without it at least so many times as many verdicts are false.
NEEDED = 2.0


def is_needed(without: Result, with_it: Result) -> bool:
    """More false announcements per year, and NEEDED times as many false verdicts."""
    more = without.false / without.years > with_it.false / with_it.years
    verdicts = without.false_verdicts / without.years
    return more and verdicts >= NEEDED * with_it.false_verdicts / with_it.years


HEAD = "setup | years | false/y | false verdicts/y | cuts | missed | late | median s | worst s"


def line(setup: Setup, result: Result) -> str:
    """One row of the table. Latencies are of cuts with k live voters; late is > 30 s."""
    return (
        f"{setup.name:<42} | {result.years:>2} | {result.false / result.years:>6.1f}"
        f" | {result.false_verdicts / result.years:>7.1f} | {result.cuts:>4}"
        f" | {result.missed:>3} | {result.late:>3} | {percentile(result.latencies, 0.5):>3}"
        f" | {max(result.latencies, default=0):>4}"
    )


def main() -> int:
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(HEAD, flush=True)
    failed = False
    results: dict[Setup, Result] = {}
    for setup in [*GOALS, _SELF_CHECKED, *(contrast.without for contrast in CONTRASTS)]:
        began = time.monotonic()
        goal = setup in GOALS
        result = results[setup] = simulate(setup, years if goal else max(1, years // 5))
        print(line(setup, result), f"| {time.monotonic() - began:.0f} s", flush=True)
        if goal and (result.false or result.missed or result.late):
            failed = True
            print("\n".join(result.notes))
    for contrast in CONTRASTS:
        if not is_needed(results[contrast.without], results[contrast.with_it]):
            failed = True
            print(f"not shown to be needed: {contrast.ingredient}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
