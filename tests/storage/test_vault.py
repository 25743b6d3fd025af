"""The key file is whole or not there, whatever happens while it is made or changed."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from storage.vault import add_key, drop_old_keys, load_key
from tests.real.disk import small_disk


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as filling:
        while filling.write(b"\0" * 4096):
            pass
    return ballast


def test_a_full_disk_leaves_no_empty_key_file(tmp_path: Path) -> None:
    """It would be taken for one that somebody has spoilt, and nothing would start any more."""
    path = tmp_path / "secrets.key"
    with small_disk(tmp_path, "1m"):
        ballast = fill(tmp_path)
        with pytest.raises(OSError, match=rf"No space left on device: '{path}"):
            load_key(path)
        assert list(tmp_path.iterdir()) == [ballast]
        ballast.unlink()
        first = load_key(path)
        assert len(first.split()) == 1
        fill(tmp_path)
        with pytest.raises(OSError, match="No space left on device"):
            add_key(path)
        assert load_key(path) == first
        ballast.unlink()
        assert drop_old_keys(path) != add_key(path)
        assert sorted(tmp_path.iterdir()) == [path]


def test_who_makes_it_at_the_same_moment_has_the_same_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        for number in range(20):
            keys = set(pool.map(load_key, [tmp_path / f"{number}.key"] * 4))
            assert len(keys) == 1
