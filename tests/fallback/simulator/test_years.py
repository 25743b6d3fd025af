"""A fast slice of the simulator; the whole is `python -m tests.fallback.simulator`.

FALLBACK.md §2: "Goal with 2 of 2 and 2 of 3: 0 in 20 years, no cut >= 60 s missed", and with k live
voters "cut to message standing in lobby and room <= 30 s, always".
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.fallback.simulator.__main__ import CONTRASTS, GOALS, Contrast, is_needed, line
from tests.fallback.simulator.run import simulate
from tests.fallback.simulator.setup import Result, Setup


@cache
def two_years(setup: Setup) -> Result:
    """Several contrasts have the same other side."""
    return simulate(setup, 2)


@pytest.mark.parametrize("setup", GOALS, ids=lambda setup: setup.name)
def test_a_slice_of_a_year_meets_the_goal(setup: Setup) -> None:
    result = simulate(setup, 1, seed=7, share=0.1)
    print(line(setup, result))
    assert result.cuts >= 1
    assert (result.false, result.missed, result.late) == (0, 0, 0), result.notes


@pytest.mark.outage
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("setup", GOALS, ids=lambda setup: setup.name)
def test_five_years_meet_the_goal(setup: Setup) -> None:
    """The twenty take a processor for half an hour: `python -m tests.fallback.simulator`."""
    result = simulate(setup, 5)
    print(line(setup, result))
    assert result.cuts >= 50
    assert (result.false, result.missed, result.late) == (0, 0, 0), result.notes


@pytest.mark.outage
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("contrast", CONTRASTS, ids=lambda contrast: contrast.ingredient)
def test_each_ingredient_is_needed(contrast: Contrast) -> None:
    """Without it there are more false announcements in two years."""
    without, with_it = two_years(contrast.without), two_years(contrast.with_it)
    print(line(contrast.without, without), line(contrast.with_it, with_it), sep="\n")
    assert is_needed(without, with_it)
