"""One process per data directory, and what keeps a voter from starting."""

from __future__ import annotations

import fcntl
import os

from fallback.config import Config

LOCK_FILE = "fallback.lock"


class Fault(Exception):
    """The voter cannot start. Its text is the operator's message; exit code 2."""


def take_lock(config: Config) -> _Lock:
    """One process per data directory. Raises Fault."""
    path = config.data_dir / LOCK_FILE
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Fault(f"{config.data_dir} is in use: another `fallback run` holds it") from None
    return _Lock(handle)


class _Lock:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def close(self) -> None:
        os.close(self._handle)
