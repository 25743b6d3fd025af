"""`python -m tests.fallback.simulator [YEARS]`: the table of FALLBACK.md §2, from one seed.

The two setups of the goal run for YEARS (20) simulated years; the contrast rows, which only have
to show that each ingredient is needed, for a fifth of that. Exit 1 if a goal is missed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from fallback.timings import Solo, Timings
from tests.fallback.simulator.run import Result, Setup, percentile, simulate

GOALS = [
    Setup("2 of 2", agents=1, witnesses=1),
    Setup("2 of 3", agents=2, witnesses=1),
]

# One agent that knows nothing but a timeout: no solo rule, no class B.
_FIXED = Timings(k=1, suspect_s=5.0, declare_s=15.0, solo=Solo.ASK)
CONTRASTS = [
    Setup("one agent, fixed 15 s", 1, 0, _FIXED, self_check=False, asks=False, answers=False),
    Setup("one agent, with self-check", 1, 0, _FIXED, asks=False, answers=False),
    Setup("any of 3", 3, 0, _FIXED, asks=False, answers=False),
    Setup("2 of 3, no forwarding, no indirect probes", 2, 1, asks=False),
    Setup(
        "one agent, with self-check, heartbeats 5 s",
        1,
        0,
        replace(_FIXED, suspect_s=10.0),
        heartbeat_s=5,
        asks=False,
        answers=False,
    ),
]

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
    for setup in [*GOALS, *CONTRASTS]:
        began = time.monotonic()
        goal = setup in GOALS
        result = simulate(setup, years if goal else max(1, years // 5))
        print(line(setup, result), f"| {time.monotonic() - began:.0f} s", flush=True)
        if goal and (result.false or result.missed or result.late):
            failed = True
            print("\n".join(result.notes))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
