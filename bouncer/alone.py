"""A data directory for one process alone: what serves from it, or a command that must meet none.

The lock is on the directory itself, makes no file, and ends with the process, however that ends.
NFS locks only what is opened to be written: there it is on a file of its own. Where a file system
has no locks, that is said.
"""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.errors import Unusable
from storage.ownership import give_like

DATA_MODE = 0o700
LOCK_FILE = "data.lock"

Flock = Callable[[int, int], None]


class Occupied(OSError):
    """Somebody else has it. The text is the operator's message."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a directory is for, in words for the operator."""

    who: str  # may be in it already
    harm: str  # what becomes of it where a second one cannot be kept out


BOUNCER = Tenant(
    "a bouncer, an import, a move or a rekey is",
    "nothing keeps a second bouncer or an import out while one is at work there, and they would "
    "spoil each other's data",
)


def make(data_dir: Path) -> None:
    """Make the directory where it is missing. Raises Unusable, or OSError where it cannot be."""
    try:
        data_dir.mkdir(mode=DATA_MODE, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Unusable(f"data_dir: {in_the_way(data_dir)}") from None
    except OSError as error:  # its disk may come yet: not Unusable
        raise OSError(
            f"data_dir: {data_dir} cannot be made ({error.strerror}); make it, and give it its user"
        ) from None


def can_be_made(folder: Path) -> bool:
    """Whether a directory that is missing may be made, with those that it is in."""
    lowest = next(each for each in folder.parents if each.exists())
    return os.access(lowest, os.W_OK | os.X_OK)


def in_the_way(data_dir: Path) -> str:
    """What stands where the directory, or one that it is in, should be; "" for nothing."""
    lowest = next(each for each in (data_dir, *data_dir.parents) if each.exists())
    return "" if lowest.is_dir() else f"{lowest} is no directory; name another"


def not_ours(data_dir: Path) -> str:
    """Whose the directory is, and what to do, where we may not work in it; "" where we may, or it
    is missing."""
    try:
        owner = data_dir.stat().st_uid
        if (
            not data_dir.is_dir()
            or os.access(data_dir, os.R_OK | os.W_OK | os.X_OK)
            or is_read_only(data_dir)
        ):
            return ""
    except PermissionError:
        return f"{data_dir} cannot be reached; run this as the bouncer's user, or as root"
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if owner == os.geteuid():
        return f"{data_dir} is closed to its owner; chmod 700 {data_dir}"
    if owner == 0:
        return f"{data_dir} is root's; chown it to the bouncer's user"
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    return f"{data_dir} is {name}'s; run this as {name}, or as root"


def is_read_only(path: Path) -> bool:
    """Whether its file system is mounted so: nobody's rights help there."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


@contextmanager
def alone(data_dir: Path, flock: Flock = fcntl.flock, *, tenant: Tenant = BOUNCER) -> Iterator[str]:
    """Be the only one in it; makes the directory where it is missing. Raises Occupied, Unusable;
    OSError where it cannot be made.

    Gives why nobody can be kept out, in words for the operator; "" where they can.
    """
    make(data_dir)
    held, fault = _lock(data_dir, os.O_RDONLY | os.O_DIRECTORY, flock, tenant)
    if fault:
        os.close(held)
        file = data_dir / LOCK_FILE
        held, fault = _lock(file, os.O_RDWR | os.O_CREAT, flock, tenant)
        give_like(file, data_dir)
    try:
        yield _said(data_dir, fault, tenant)
    finally:
        os.close(held)


def lockless(data_dir: Path, flock: Flock = fcntl.flock, *, tenant: Tenant = BOUNCER) -> str:
    """Why nobody can be kept out of it; "" where they can. Makes nothing: of a directory in which
    nobody ever served on such a file system it is not known."""
    fault = ""
    for place, flags in ((data_dir, os.O_RDONLY), (data_dir / LOCK_FILE, os.O_RDWR)):
        try:
            held, fault = _lock(place, flags, flock, tenant)
            os.close(held)
        except Occupied:
            return ""
        except OSError:  # missing, or not ours: said as a fault of its own
            return ""
        if not fault:
            return ""
    return _said(data_dir, fault, tenant)


def look(data_dir: Path, flock: Flock = fcntl.flock, *, tenant: Tenant = BOUNCER) -> None:
    """Raises Occupied where somebody is in it. Makes nothing, and is in no look's way."""
    for place in (data_dir, data_dir / LOCK_FILE):
        try:
            held, _ = _lock(place, os.O_RDONLY, flock, tenant, fcntl.LOCK_SH)
            os.close(held)
        except Occupied:
            raise
        except OSError:  # missing, or not ours
            continue


def _lock(
    place: Path, flags: int, flock: Flock, tenant: Tenant, how: int = fcntl.LOCK_EX
) -> tuple[int, str]:
    """What holds the lock until it is closed, and why it does not. Raises Occupied, OSError."""
    held = os.open(place, flags, 0o600)
    try:
        flock(held, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        folder = place.parent if place.name == LOCK_FILE else place
        raise Occupied(
            f"{folder}: {tenant.who} running here already; stop it, or wait for its end"
        ) from None
    except OSError as error:
        return held, str(error.strerror)
    return held, ""


def _said(data_dir: Path, fault: str, tenant: Tenant) -> str:
    return fault and (
        f"{data_dir} cannot be locked ({fault}), so {tenant.harm}; put it on a local disk"
    )
