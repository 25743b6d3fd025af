"""The files that are begun first, for they take longest, are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import LONGEST

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", LONGEST)
def test_what_is_begun_first_is_there(name: str) -> None:
    assert (TESTS / f"{name}.py").is_file()
