"""Messages that were shown and are not in the database, for it could not be written: in memory, and
in a file beside it (`storage.unwritten`) wherever that can be written, so that they outlive us.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from storage.errors import NotWritten
from storage.message import Kept, Row, msgid_of
from storage.renaming import names_before
from storage.unwritten import Journal

SPILL_ROWS = 200_000  # about 100 MB; rows beyond are counted as lost, and that is told
CHUNK_ROWS = 1_000  # per write
RETRY_S = 1.0  # after the file could not be written

log = logging.getLogger(__name__)


class Spill:
    """In their order; the file holds a first part of them, which is all but when it fails. Used by
    the writer's thread alone. Without a path in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._rows: list[Kept] = []
        self._journal = None if path is None else Journal(path)
        self._save_at = 0.0
        self._has_failed = False

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, rows: Sequence[Kept]) -> int:
        """How many found no room."""
        room = SPILL_ROWS - len(self._rows)
        self._rows += rows[:room]
        self._save()
        return max(0, len(rows) - room)

    def some(self, start: int, count: int) -> Sequence[Kept]:
        return self._rows[start : start + count]

    def drop(self, count: int) -> None:
        """The first of them are in the database."""
        del self._rows[:count]
        if self._journal is None:
            return
        try:
            if self._rows:
                self._journal.blank(0, count)
            else:
                self._has_failed = False
                self._journal.remove()
        except OSError as error:
            # They are known by their numbers, should they be taken in once more.
            log.error("%s cannot be emptied: %s", self._journal.path, error.strerror)

    def withdraw(self, network_id: int, target: str, msgid: str) -> Row | None:
        """Take a message out; None where it is not here. Raises NotWritten where the file has it
        still."""
        names = names_before(self._rows, network_id, target)
        for place, row in enumerate(self._rows):
            if not isinstance(row, Row) or row.network_id != network_id:
                continue
            if row.target in names and msgid_of(row) == msgid:
                del self._rows[place]
                self._blank(place)
                return row
        return None

    def _blank(self, place: int) -> None:
        if self._journal is not None:
            try:
                self._journal.blank(place, place + 1)
            except OSError as error:
                raise NotWritten(
                    f"{self._journal.path} cannot be written: {error.strerror}"
                ) from error

    def keep_up(self) -> None:
        """Called once a second at least: save what could not be, and have the disk take it. This
        may take its time."""
        self._save()
        self._sync()

    def close(self) -> None:
        """What waits is left to the next start."""
        self._save_at = 0.0
        self._save()
        self._sync(now=True)
        saved = 0
        if self._journal is not None:
            if saved := len(self._journal):
                log.warning("%d messages wait in %s for the next start", saved, self._journal.path)
            self._journal.close()
        if lost := len(self._rows) - saved:
            log.error("%d messages could not be written before the end", lost)

    def _save(self) -> None:
        journal = self._journal
        if journal is None or time.monotonic() < self._save_at:
            return
        try:
            while (saved := len(journal)) < len(self._rows):
                journal.append(self._rows[saved : saved + CHUNK_ROWS])
        except OSError as error:
            self._save_at = time.monotonic() + RETRY_S
            self._complain(journal, error)

    def _sync(self, *, now: bool = False) -> None:
        if self._journal is not None:
            try:
                self._journal.sync(now=now)
            except OSError as error:
                self._complain(self._journal, error)

    def _complain(self, journal: Journal, error: OSError) -> None:
        """Once until all is in the database."""
        if not self._has_failed:
            self._has_failed = True
            log.error(
                "%s cannot be written: what waits in memory is lost if Muster is killed (%s)",
                journal.path,
                error.strerror,
            )
