"""A fast slice of the simulator; the whole is `python -m tests.fallback.simulator`.

FALLBACK.md §2: "Goal with 2 of 2 and 2 of 3: 0 in 20 years, no cut >= 60 s missed", and with k live
voters "cut to message standing in lobby and room <= 30 s, always".
"""

from __future__ import annotations

import pytest

from tests.fallback.simulator.__main__ import CONTRASTS, GOALS, line
from tests.fallback.simulator.run import Setup, simulate


@pytest.mark.parametrize("setup", GOALS, ids=lambda setup: setup.name)
def test_a_slice_of_a_year_meets_the_goal(setup: Setup) -> None:
    result = simulate(setup, 1, seed=7, share=0.1)
    print(line(setup, result))
    assert result.cuts >= 1
    assert (result.false, result.missed, result.late) == (0, 0, 0), result.notes


@pytest.mark.outage
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("setup", GOALS, ids=lambda setup: setup.name)
def test_twenty_years_meet_the_goal(setup: Setup) -> None:
    result = simulate(setup, 20)
    print(line(setup, result))
    assert result.cuts >= 200
    assert (result.false, result.missed, result.late) == (0, 0, 0), result.notes


@pytest.mark.outage
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("setup", CONTRASTS, ids=lambda setup: setup.name)
def test_each_ingredient_is_needed(setup: Setup) -> None:
    """Without it, voters believe in outages that are none."""
    result = simulate(setup, 1)
    print(line(setup, result))
    assert result.false_verdicts / result.years > 5
