"""Messages from elsewhere that are older than what is here.

They get numbers below all others, downward: so they sort before what comes live, and no client's
cursor stands below them, which would play them as news. How far an import has got is noted in the
transaction that brings the rows, so that it can be interrupted and repeated without doubles.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from storage.appender import Appender
from storage.directory import get_meta, put_meta
from storage.message import Row

LAST_IMPORTED_ID = (1 << 32) - 1  # what comes live is numbered above

_FIRST = "first_id"


def add_older(connection: Connection, rows: Sequence[Row], note: str, done: str) -> int:
    """Insert rows in their order below all others (their own ids do not matter).

    `note` names the source, `done` says how far it has been read; see `progress_of`.
    """
    first = int(get_meta(connection, _FIRST) or LAST_IMPORTED_ID + 1) - len(rows)
    if rows:
        numbered = [row._replace(id=first + offset) for offset, row in enumerate(rows)]
        Appender(connection, renames=False).insert(numbered)
        put_meta(connection, _FIRST, str(first))
    put_meta(connection, note, done)
    return len(rows)


def progress_of(connection: Connection, note: str) -> str | None:
    """How far an earlier import of this source came; None where there was none."""
    return get_meta(connection, note)
