"""A real file system that is small, for what a full disk does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.needs import require


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A tmpfs of `size` (as mount takes it) at `place`. Skips the test where none can be had."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("this machine lets only root mount a small file system")
    require("mount")
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine refuses to mount a tmpfs: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
