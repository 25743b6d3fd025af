"""The thread that lets the search index trail behind the messages, and copies back the WAL.

It looks for messages once a second, at the WAL ten times, so that the writer finds little left to
copy. While messages pour in faster than SPARE_ROWS_S it steps aside, for the relay needs the
processor more; a search then scans a longer tail, inside the database. Beyond MAX_TAIL it works
anyway. Where some came during a step it rests after it: what people say now must not wait for the
index of a flood before.

The index is derived from the messages: one that is damaged, or whose file was taken away, is built
anew, while searches scan the messages.
"""

from __future__ import annotations

import glob
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from storage import index, retention
from storage.directory import get_meta
from storage.engine import Engines, wait_for_others
from storage.errors import StorageError
from storage.trouble import Cause, cause_of, in_a_line

T = TypeVar("T")
log = logging.getLogger(__name__)

PERIOD_S = 1.0
# Often, whatever there is: a copy of 8 MiB holds up a commit twice as long, of 32 MiB for 50 ms.
CHECKPOINT_EVERY_S = 0.1
STEP_ROWS = 4096  # per transaction: about 0.1 s
SPARE_ROWS_S = 5_000  # indexing them would take an eighth of a core from the relay
MAX_TAIL = 500_000  # to scan them for a word takes SQLite a third of a second
REST = 2.0  # as long as the step took
NICENESS = 5  # where the processor is short, who relays comes first
DAMAGED_INDEX = "the search index is damaged and is built anew; try again in a moment"
# Of the WAL's file, which keeps its length; the writer itself checkpoints at four times that.
CHECKPOINT_BYTES = 8 << 20
# SQLite begins it anew only when all is copied back and nobody reads from it. Where the indexer is
# far behind it reads nearly always: beyond this length it waits after a step, for a few commits.
LONG_WAL_BYTES = 64 << 20
GIVE_WAY_S = 0.2


def prepare(engines: Engines) -> int:
    """Make the search index ready, anew where it is damaged; the highest number in it."""
    try:
        return _prepare(engines)
    except SQLAlchemyError as error:
        if engines.index_path is None or cause_of(error) is not Cause.CORRUPT:
            raise
    _throw_away(engines)
    return _prepare(engines)


def _prepare(engines: Engines) -> int:
    with engines.indexing.begin() as connection:
        wait_for_others(connection)
        identity = get_meta(connection, index.IDENTITY)
        if identity is None:
            raise StorageError("the database is not ready: it was put there a moment ago")
        trailing = index.of(connection)
        trailing.prepare(connection, identity)
        return trailing.covered(connection).high


def _throw_away(engines: Engines) -> None:
    path = engines.index_path
    assert path is not None
    for each in path.parent.glob(f"{glob.escape(path.name)}*"):
        each.unlink()


class Indexer:
    """Owns the indexing connection. `last_id` tells the highest number given to a message.
    `on_renewed` is called, in its thread, when other files than before are to be read."""

    def __init__(
        self, engines: Engines, last_id: Callable[[], int], on_renewed: Callable[[], None]
    ) -> None:
        self._engines = engines
        self._last_id = last_id
        self._began_after = last_id()  # what came before has other numbers: see `numbers`
        self._on_renewed = on_renewed
        self._suspected = False
        self._was_rebuilt = False
        self._copied_at_ns = 0  # when what was copied back last had been written
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._connection = engines.indexing.connect()
        self._files = (engines.file(), engines.index_file())
        self.index = index.of(self._connection)
        self._thread = threading.Thread(target=self._work, name="muster-indexer", daemon=True)
        self._thread.start()

    def with_connection(self, fn: Callable[..., T], *args: Any) -> T:
        """Run `fn(connection, *args)` in a transaction on the index. Called in a thread."""
        with self._lock, self._connection.begin():
            return fn(self._connection, *args)

    def catch_up(self) -> None:
        """Take in everything there is now."""
        while self._step():
            pass

    def suspect(self) -> None:
        """Somebody found the database damaged: have the index built anew, lest it be that."""
        self._suspected = True

    def give_back(self) -> None:
        """Return free pages of the index to the file system."""
        left, before = self.with_connection(retention.give_back, "search"), 0
        while 0 < left != before:
            left, before = self.with_connection(retention.give_back, "search"), left

    def close(self) -> None:
        """End the thread; called in another one. What is left is indexed after the next start."""
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _step(self) -> int:
        if not self.with_connection(index.is_behind):
            return 0  # without a write: an idle disk may sleep
        return self.with_connection(self.index.extend, STEP_ROWS)

    def _work(self) -> None:
        seen, failing = self._last_id(), False
        _stand_back()
        looked_at = time.monotonic()
        while not self._stop.wait(CHECKPOINT_EVERY_S):
            is_due = time.monotonic() >= looked_at + PERIOD_S
            try:
                if is_due:
                    looked_at, now = time.monotonic(), self._last_id()
                    busy, seen = now - seen > SPARE_ROWS_S * PERIOD_S, now
                    self._look_for_files()
                    self._follow(busy)
                self._checkpoint()
            except (SQLAlchemyError, sqlite3.Error, OSError, StorageError) as error:
                # The thread's own border. Searches are complete without it; said once, not always.
                if not failing:
                    log.warning("the search index does not get on: %s", in_a_line(error))
                failing = True
                if cause_of(error) is Cause.CORRUPT:
                    self.suspect()
            else:
                if failing and is_due:
                    log.warning("the search index gets on again")
                    failing = False

    def _follow(self, busy: bool) -> None:
        """Take in what there is, for as long as the processor can be spared for it."""
        while not self._stop.is_set() and not (busy and self._is_near()):
            began, before = time.monotonic(), self._last_id()
            if self._step() < STEP_ROWS:
                return
            self._checkpoint()
            if self._last_id() != before:
                rest_s = 0.0 if busy else REST * (time.monotonic() - began)
                self._stop.wait(max(rest_s, GIVE_WAY_S if self._is_wal_long() else 0.0))
            busy = self._last_id() - before > SPARE_ROWS_S * (time.monotonic() - began)

    def _is_near(self) -> bool:
        """Whether a search can well scan what is not covered."""
        covered = self.with_connection(self.index.covered)
        return self._last_id() - max(covered.high, self._began_after) < MAX_TAIL

    def _look_for_files(self) -> None:
        """Whether database and index are still the files that are open."""
        if not self._engines.is_sqlite:
            return
        database, indexed = self._engines.file(), self._engines.index_file()
        if self._suspected and not self._was_rebuilt:  # once: else it is the messages themselves
            self._was_rebuilt = True
            log.error("the search index may be damaged; it is built anew")
            with self._lock:
                _throw_away(self._engines)
        elif indexed is not None and (database, indexed) == self._files:
            return
        self._open_anew()

    def _open_anew(self) -> None:
        with self._lock:
            prepare(self._engines)
            old, self._connection = self._connection, self._engines.indexing.connect()
            self._files = (self._engines.file(), self._engines.index_file())
            with suppress(SQLAlchemyError):
                old.close()
        self._on_renewed()

    def _wal(self) -> os.stat_result | None:
        if not self._engines.is_sqlite:
            return None
        with suppress(FileNotFoundError):
            return os.stat(f"{self._engines.url.database}-wal")
        return None

    def _is_wal_long(self) -> bool:
        wal = self._wal()
        return wal is not None and wal.st_size > LONG_WAL_BYTES

    def _checkpoint(self) -> None:
        wal = self._wal()
        if wal is None:
            return
        if wal.st_size > CHECKPOINT_BYTES and wal.st_mtime_ns != self._copied_at_ns:
            self._copied_at_ns = wal.st_mtime_ns
            with self._lock:
                driver = self._connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchall()


def _stand_back() -> None:
    """Make this thread nice. Linux alone counts that by thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
