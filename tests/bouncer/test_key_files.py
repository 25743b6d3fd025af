"""The keys that the bouncer makes for itself: on a full disk none is made by half, for the next
start would refuse it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bouncer.mesh.keys import KeyFault, MeshKey
from bouncer.push.webpush import VapidKey
from bouncer.tls import selfsigned
from tests.real.disk import small_disk
from tests.storage.test_vault import fill


@pytest.mark.parametrize(
    "load_or_make", [MeshKey.load_or_make, VapidKey.load_or_make], ids=["mesh", "vapid"]
)
def test_a_full_disk_leaves_no_empty_key_file(
    load_or_make: Callable[[Path], MeshKey | VapidKey], tmp_path: Path
) -> None:
    path = tmp_path / "a.key"
    with small_disk(tmp_path, "1m"):
        ballast = fill(tmp_path)
        with pytest.raises((OSError, KeyFault), match="No space left on device"):
            load_or_make(path)
        assert list(tmp_path.iterdir()) == [ballast]
        ballast.unlink()
        made = load_or_make(path)
        assert load_or_make(path).public == made.public


def test_a_full_disk_leaves_nothing_of_a_certificate(tmp_path: Path) -> None:
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    with small_disk(tmp_path, "1m"):
        ballast = fill(tmp_path)
        with pytest.raises(OSError, match=rf"No space left on device: '{key}'"):
            selfsigned.make(chain, key, ["irc.example.net"])
        assert list(tmp_path.iterdir()) == [ballast]
        ballast.unlink()
        selfsigned.make(chain, key, ["irc.example.net"])
        assert sorted(tmp_path.iterdir()) == [chain, key]
        assert key.stat().st_mode & 0o777 == 0o600
