"""Real file systems that are small, or fail, and pages of a database that a disk has spoilt."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.real.needs import require

PAGE = 4096  # octets, SQLite's default


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A tmpfs of `size` (as mount takes it) at `place`. Skips the test where none can be had."""
    with _mounted(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield


def resize_disk(place: Path, size: str) -> None:
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


@contextmanager
def ext4_disk(place: Path, image: Path, octets: int) -> Iterator[None]:
    """An ext4 in the file `image`, which `fail_disk` can make fail."""
    require("mkfs.ext4")
    with image.open("wb") as file:
        file.truncate(octets)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with _mounted(place, "-o", "loop,errors=remount-ro", str(image)):
        yield


def fail_disk(place: Path) -> None:
    """Have the kernel do what it does when an ext4 is found to be damaged: it becomes read-only."""
    os.sync()
    subprocess.run(["mount", "-o", "remount,abort", str(place)], check=True)


@contextmanager
def _mounted(place: Path, *words: str) -> Iterator[None]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("this machine lets only root mount a small file system")
    require("mount")
    line = ["mount", *words, str(place)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine refuses to {' '.join(line)}: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Let another process, as it were, hold the lock by which an SQLite file is written."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def index_root(database: Path) -> int:
    """The page by which messages are found in their conversation: each new one needs it."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'messages'"
        return int(connection.execute(query).fetchone()[0])


def damage(database: Path, page: int, octets: bytes = b"\xff" * PAGE) -> bytes:
    """Put other octets where a page is; what was there."""
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        was = file.read(PAGE)
        file.seek((page - 1) * PAGE)
        file.write(octets)
    return was
