"""A data directory for one process alone: a bouncer that serves, or a command that must meet none.

The lock is on the directory itself, makes no file, and ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATA_MODE = 0o700


class Occupied(OSError):
    """Somebody else has it. The text is the operator's message."""


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Be the only one in it; makes the directory where it is missing. Raises Occupied."""
    data_dir.mkdir(mode=DATA_MODE, parents=True, exist_ok=True)
    held = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Occupied(
                f"{data_dir}: a bouncer, an import, a move or a rekey is running here already; "
                "stop it, or wait for its end"
            ) from None
        except OSError:
            pass  # a file system that has no such locks, as NFS: the admin socket has to do
        yield
    finally:
        os.close(held)
