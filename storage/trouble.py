"""When the database cannot be written: what it is, and what people are told. Pure.

A line may then be shown before it is durable; that promise is suspended openly, never silently.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import Enum

from sqlalchemy.exc import DBAPIError, TimeoutError

from storage.errors import Taken


class Cause(Enum):
    """Why nothing can be written, and what to do: the value completes "the database ..."."""

    FULL = "has no room: the disk is full. Free some space"
    READ_ONLY = "is read-only. Check the file system and the file's owner"
    LOCKED = "is locked by another process. Let that one end"
    CORRUPT = "is damaged. Stop Muster and restore a backup, or try sqlite3's .recover"
    GONE = "cannot be reached. Check the server, or the file and its folder"
    TAKEN = "is served by another bouncer now. Stop one of the two"
    FAILING = "fails to write: the disk reports errors. Check the disk"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The state of a store that cannot write. `since_s` is Unix time."""

    cause: Cause
    since_s: float
    waiting: int = 0  # messages in memory, to be written when it works again
    lost: int = 0  # messages for which even memory had no room

    def __str__(self) -> str:
        """A sentence or three for users."""
        text = (
            f"The database {self.cause.value}. Messages are shown but NOT kept meanwhile; "
            f"{self.waiting} wait in memory and are written when it works again."
        )
        return f"{text} {self.lost} have been lost." if self.lost else text


_SQLITE = {
    # No room for the file by which processes share the WAL; what else makes it fail is rarer.
    sqlite3.SQLITE_IOERR_SHMSIZE: Cause.FULL,
    sqlite3.SQLITE_FULL: Cause.FULL,
    sqlite3.SQLITE_READONLY: Cause.READ_ONLY,
    sqlite3.SQLITE_PERM: Cause.READ_ONLY,
    sqlite3.SQLITE_BUSY: Cause.LOCKED,
    sqlite3.SQLITE_LOCKED: Cause.LOCKED,
    sqlite3.SQLITE_CORRUPT: Cause.CORRUPT,
    sqlite3.SQLITE_NOTADB: Cause.CORRUPT,
    sqlite3.SQLITE_CANTOPEN: Cause.GONE,
    sqlite3.SQLITE_IOERR: Cause.FAILING,
}
# Classes and codes of SQLSTATE: PostgreSQL, appendix A.
_SQLSTATE = {
    "53100": Cause.FULL,
    "25006": Cause.READ_ONLY,
    "55P03": Cause.LOCKED,
    "57014": Cause.LOCKED,
    "XX001": Cause.CORRUPT,
    "XX002": Cause.CORRUPT,
    "58030": Cause.FAILING,
}


def in_a_line(error: BaseException) -> str:
    """The driver's own words. What follows them holds the statement, or the row at fault."""
    reason = str(getattr(error, "orig", None) or error)
    return reason.strip().partition("\n")[0]


def cause_of(error: BaseException) -> Cause | None:
    """What of the database's surroundings an error tells of; None: it is about the statement."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        # The low byte is the kind, the rest details: sqlite.org/rescode.html
        return None if code is None else _SQLITE.get(code, _SQLITE.get(code & 0xFF))
    if type(error).__module__.startswith("psycopg"):
        state = getattr(error, "sqlstate", None)
        if state is None:
            kinds = {kind.__name__ for kind in type(error).__mro__}  # a timeout is one of its kinds
            return Cause.GONE if "OperationalError" in kinds else None
        if state[:2] in ("08", "57", "53"):
            return _SQLSTATE.get(state, Cause.GONE)
        return _SQLSTATE.get(state)
    if isinstance(error, OSError | TimeoutError):
        return Cause.GONE
    if isinstance(error, Taken):
        return Cause.TAKEN
    return None
