"""`fallback key`: it makes the key once, for whoever will use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fallback import cli


def test_the_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["key", "--data-dir", str(tmp_path / "data")]
    assert cli.main(words) == 0
    assert cli.main(words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("muster1:")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "mesh.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act for another user")
def test_root_makes_the_key_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65_534, 65_534)
    assert cli.main(["key", "--data-dir", str(tmp_path)]) == 0
    assert (tmp_path / "mesh.key").stat().st_uid == 65_534
