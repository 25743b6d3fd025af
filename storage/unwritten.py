"""Messages that were shown and not kept when Muster ended, for the database could not be written:
a file beside it takes them, and the next to open the database puts them in.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from storage import schema
from storage.appender import Appender
from storage.message import Kept, Renamed, Row
from storage.ownership import give_like

STEP_ROWS = 1_000
log = logging.getLogger(__name__)


def save(path: Path | None, rows: Sequence[Kept]) -> None:
    """Bounded by the writer's spill. What finds no place is counted in the log."""
    kept = 0
    try:
        if path is not None:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
                for row in rows:
                    file.write(json.dumps(row) + "\n")
                    kept += 1
                file.flush()
                os.fsync(file.fileno())
            give_like(path, path.parent)
    except OSError as error:
        log.error("%s cannot be written whole: %s", path, error.strerror)
        kept = 0
    if kept < len(rows):
        log.error("%d messages could not be written before the end", len(rows))
    else:
        log.warning("%d messages wait in %s for the next start", kept, path)


def take_in(connection: Connection, path: Path | None) -> None:
    """Put into the database what waits, each once; then call `done_with`, after the commit."""
    if path is None or not path.exists():
        return
    rows = _read(path)
    appender = Appender(connection)
    for start in range(0, len(rows), STEP_ROWS):
        step = rows[start : start + STEP_ROWS]
        ids = schema.messages.c.id
        query = select(ids).where(ids.in_([row.id for row in step if isinstance(row, Row)]))
        known = set(connection.execute(query).scalars())
        if new := [row for row in step if isinstance(row, Renamed) or row.id not in known]:
            appender.insert(new)
    log.warning("%d messages that had waited in %s are in the database now", len(rows), path)


def done_with(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


def _read(path: Path) -> list[Kept]:
    """A line that was cut, on a full disk, is none."""
    rows: dict[Kept | int, Kept] = {}
    for line in path.read_text(errors="replace").splitlines():
        try:
            values = json.loads(line)
            if len(values) == len(Renamed._fields):
                renamed = Renamed(*values)
                rows[renamed] = renamed
            else:
                row = Row(*values)
                rows[row.id] = row
        except (ValueError, TypeError):
            continue
    return list(rows.values())
