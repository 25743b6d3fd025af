"""What is missing is named with the line that installs it; in CI nobody may look away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import needs

ROOT = Path(__file__).parents[2]


def test_what_is_missing_is_one_line_to_install() -> None:
    assert needs.missing("sh") == []
    (line,) = needs.missing("sh", "no-such-ircd", "no-such-nft")
    assert line.endswith("apt install no-such-ircd no-such-nft")


@pytest.mark.parametrize("ci", [False, True])
def test_a_missing_program_skips_here_and_fails_in_ci(tmp_path: Path, ci: bool) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from tests.real.needs import require\n"
        "def test_it():\n    require('no-such-ircd')\n"
        "def test_kernel():\n    pytest.skip('this kernel cannot do it')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "true" if ci else ""}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == (1 if ci else 0), done.stdout
    assert ("1 failed, 1 skipped" if ci else "2 skipped") in done.stdout
