"""FALLBACK.md §3, "(bfs)": exhaust three agents with crashes, partitions and one liar.

S1, S4, S5, L1, L2 hold in every reachable state; without stagger, yield or quorum they break.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from fallback import speaker
from fallback.speaker.rows import _outranked
from fallback.tables import Table
from tests.fallback.search.explore import explore
from tests.fallback.search.model import WAITS, Broken, Rules


def test_with_no_fault_exactly_one_speaks() -> None:
    assert explore(Rules(faults=0)) > 100


@pytest.mark.parametrize("liar", [0, 2])
def test_one_liar_neither_announces_nor_silences(liar: int) -> None:
    """ "voters are trusted for votes up to k - 1 liars": it votes and claims what it likes."""
    assert explore(Rules(faults=0, recovers=False, liar=liar, lies=1)) > 300


def test_without_the_stagger_two_speak_with_no_fault_at_all() -> None:
    with pytest.raises(Broken, match="two speak with no fault"):
        explore(Rules(timings=replace(WAITS, rank_stagger_s=0), faults=0))


def test_without_the_yield_some_states_never_converge() -> None:
    rows = [row for row in speaker.TABLE.rows if row.guard is not _outranked]
    assert len(rows) == len(speaker.TABLE.rows) - 1
    table = Table("speaker without the yield", speaker.Tick, rows)
    with pytest.raises(Broken, match="S5"):
        explore(Rules(table=table, faults=1, recovers=False))


def test_without_the_quorum_one_liar_announces() -> None:
    with pytest.raises(Broken, match="S1: announced on the word of a liar alone"):
        explore(Rules(timings=replace(WAITS, k=1), faults=0, liar=2, recovers=False))


@pytest.mark.outage
@pytest.mark.timeout(1800)  # the searches give way to everything else
@pytest.mark.parametrize(
    "rules",
    [
        Rules(faults=1, recovers=False),
        Rules(faults=0, liar=0, lies=2, recovers=False),
        Rules(faults=0, liar=2, lies=1, recovers=True),
        Rules(faults=1, liar=2, lies=1, recovers=False),
    ],
    ids=["one fault", "liar of rank 0", "liar of rank 2, recovery", "liar and fault"],
)
def test_all_states(rules: Rules) -> None:
    """A crash, a partition or a ban at any moment, healed at any later one; one liar."""
    states = explore(rules)
    print(states, "states")
    assert states > 1000
