"""Where configuration is looked for by somebody who may not look everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bouncer import place

NOBODY = 65_534


@contextmanager
def as_nobody(monkeypatch: pytest.MonkeyPatch, cwd: Path) -> Iterator[None]:
    """Look around with the rights of another user, from a folder that is closed to them."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    monkeypatch.chdir(cwd)
    cwd.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_closed_working_directory_holds_no_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # `sudo -u muster bouncer status` in root's home
    with as_nobody(monkeypatch, tmp_path):
        assert not place.is_there(place.HERE)


def test_a_closed_configuration_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "bouncer.toml"
    path.touch()
    with (
        as_nobody(monkeypatch, tmp_path),
        pytest.raises(place.Misplaced, match="not yours to read; run this as"),
    ):
        place.find_config(path, {})


def test_a_named_file_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(place.Misplaced, match="no such file"):
        place.find_config(tmp_path / "bouncer.toml", {})
