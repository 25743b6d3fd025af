"""Every complaint has its test, and every test the patch by which `make mutants` proves it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.mutants.__main__ import PATCHES, ROOT, marker

COMPLAINTS = Path(__file__).parents[1] / "complaints"
NAMES = [*(f"c{number:02}" for number in range(1, 31)), *(f"b{number}" for number in range(1, 10))]


@pytest.mark.parametrize("name", NAMES)
def test_a_complaint_has_its_test_and_its_mutant(name: str) -> None:
    source = "\n".join(path.read_text() for path in COMPLAINTS.glob("test_*.py"))
    found = re.findall(rf'def test_{name}_\w+\([^)]*\) -> None:\n    """(.+)', source)
    assert len(found) == 1
    assert [patch for patch in PATCHES.glob("*.patch") if marker(patch) == f"test_{name}_"]


@pytest.mark.parametrize("patch", sorted(PATCHES.glob("*.patch")), ids=lambda path: path.stem)
def test_a_mutant_still_applies(patch: Path) -> None:
    done = subprocess.run(
        ("git", "apply", "--check", str(patch)), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"write it anew: {done.stderr}"
