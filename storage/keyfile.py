"""Files that hold a key: whole or not there, whatever happens while they are made or changed; on
the disk before they are used; and nobody else's to read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from storage.ownership import give_like

# What a file system says that knows no hard links, as FAT's.
_WITHOUT_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def make(path: Path, new: Callable[[], bytes]) -> None:
    """Make the file, of what `new` gives, where it does not exist; of two who do so at once, one
    does. Raises OSError."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.{os.getpid()}")
    _write(part, path, new())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path)


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """In one step, so that nobody ever reads half of it. Raises OSError, and then the file is as it
    was."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # of one who was killed; it may be open to others
    _write(part, path, content, mode)
    part.replace(path)
    _sync_folder(path)


def _write(part: Path, path: Path, content: bytes, mode: int = 0o600) -> None:
    """All of it, on the disk, or nothing."""
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_like(part, part.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync_folder(path: Path) -> None:
    """Have its name outlive a power failure, as what it opens does."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
