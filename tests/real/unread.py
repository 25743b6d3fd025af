"""A pipe that is full and that nobody reads: a paused terminal, a pager, a journal that stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

ROOM = 4096


@contextmanager
def unread() -> Iterator[tuple[int, int]]:
    """What to read from, should somebody come to do so, and what a program is to write to."""
    reader, end = os.pipe()
    fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, ROOM)
    os.set_blocking(end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(end, b"." * ROOM)
    os.set_blocking(end, True)  # as a program finds its stderr
    try:
        yield reader, end
    finally:
        os.close(reader)
        with contextlib.suppress(OSError):  # or it is closed already, to see the other one's end
            os.close(end)
