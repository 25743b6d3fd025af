"""How fast this machine is, beside the one for which aims in milliseconds were set."""

from __future__ import annotations

from tests.bench.benchmark import Scale
from tests.bench.relay import relay
from tests.bench.subjects.floor import Floor

FLOOR_LINES_S = 156_000  # what the bare relay does where the aims were set
ROUNDS = 3
_SAMPLE_LINES = 40_000


def pace(scale: Scale) -> float:
    """1 where a bare relay is as fast as there, 0.5 where it is half as fast: what takes a
    millisecond there then takes two. The best of some rounds, for others only slow it down.

    Raises what a benchmark's `measure` raises.
    """
    sample = scale._replace(relay_lines=min(_SAMPLE_LINES, scale.relay_lines), tls="")
    return max(relay(Floor, sample)["lines"] for _ in range(ROUNDS)) / FLOOR_LINES_S
