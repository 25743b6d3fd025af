"""What the process takes of its machine: memory, and open files."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress

OPEN_FILES = 65_536  # as many as deploy's unit lets us have
M_MMAP_THRESHOLD = -3  # malloc.h


def settle_in() -> None:
    """Once, before anything is served."""
    _give_back_large_blocks()
    _take_open_files()


def _give_back_large_blocks() -> None:
    """Have glibc give blocks of a megabyte back when they are freed.

    It raises that threshold by itself; then every thread that has checked a password keeps
    argon2's 19 MiB for ever (measured: 139 MiB for 80 clients instead of 83).
    """
    with suppress(OSError, AttributeError):  # another libc: it has its own ways
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _take_open_files() -> None:
    """Be allowed as many connections as may be had: a thousand is what many systems begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files() -> int:
    """How many files and connections may be open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if soft == resource.RLIM_INFINITY else soft
