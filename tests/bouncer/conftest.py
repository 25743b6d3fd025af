"""Where the tests of the command line stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bouncer.program import TOML


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a bouncer.toml, being the current one."""
    (tmp_path / "bouncer.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSTER_CONFIG", raising=False)
    return tmp_path
