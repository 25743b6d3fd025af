"""The threads that read. Each keeps its connection, and the next question goes to the one that
was last at work: it has the most in memory, and the others sleep.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import outcome
import trio
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from storage.engine import Engines
from storage.errors import StorageError
from storage.indexer import DAMAGED_INDEX
from storage.job import Job
from storage.trouble import Cause, cause_of

NO_INDEX = "no such table: search."  # of an error: its file was taken away a moment ago
BAD_INDEX = "fts5: "  # of an error: it refuses what it was made for; its own schema is damaged
READERS = 4  # threads, each with a connection; a fifth question waits for one


class Readers:
    """Bounded by its callers, each of whom waits for an answer. Used in trio's thread alone, but
    for `renew`. `on_damage` is called in a reader's thread when the database is found damaged."""

    def __init__(self, engines: Engines, on_damage: Callable[[], None]) -> None:
        self._engines = engines
        self._on_damage = on_damage
        self._opening = 0
        self._idle: list[_Reader] = []
        self._started = 0
        self._waiting: deque[Job] = deque()
        self._closed = False

    def renew(self) -> None:
        """Have the files opened anew, before the next question is answered. Called in one thread,
        whichever it is."""
        self._opening += 1

    def put(self, job: Job) -> None:
        """Have it done as soon as a reader is free, in a read-only transaction of its own.

        It is told a StorageError when the database cannot be read.
        """
        if self._closed:
            raise StorageError("the store is closed")
        if self._idle:
            self._idle.pop().jobs.put(job)
        elif self._started < READERS:
            self._started += 1
            reader = _Reader(self._engines, self._go_on, lambda: self._opening, self._on_damage)
            reader.jobs.put(job)
        else:
            self._waiting.append(job)

    async def close(self) -> None:
        """End the threads. What is still being read is not waited for: it may be a long search."""
        self._closed = True
        for reader in self._idle:
            reader.jobs.put(None)
        with trio.CancelScope(shield=True):
            for reader in self._idle:  # their connections are closed at once
                await trio.to_thread.run_sync(reader.thread.join)

    def _go_on(self, reader: _Reader, job: Job, result: outcome.Outcome[Any]) -> None:
        while self._waiting and self._waiting[0].then is None:
            self._waiting.popleft()  # nobody waits for it any more
        if self._closed:
            reader.jobs.put(None)
        elif self._waiting:
            reader.jobs.put(self._waiting.popleft())
        else:
            self._idle.append(reader)
        job.finish(result)


Done = Callable[["_Reader", Job, outcome.Outcome[Any]], None]


class _Reader:
    """One thread. `done` is called in trio's thread after each job, which is then the only one.
    What is open is closed when `opening` gives another number."""

    def __init__(
        self,
        engines: Engines,
        done: Done,
        opening: Callable[[], int],
        on_damage: Callable[[], None],
    ) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._engines = engines
        self._done = done
        self._opening = opening
        self._on_damage = on_damage
        self._opened_at = 0
        self._token = trio.lowlevel.current_trio_token()
        self._connection: Connection | None = None
        self.thread = threading.Thread(target=self._work, name="muster-reader", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            result = outcome.capture(self._read, job)
            try:
                self._token.run_sync_soon(self._done, self, job, result)
            except trio.RunFinishedError:
                break
            del job, result  # an error would keep whom it was told, until the next question
        self._disconnect()

    def _read(self, job: Job) -> Any:
        if self._opened_at != (opening := self._opening()):
            self._disconnect()
            self._opened_at = opening
        try:
            try:
                return self._read_kept(job)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            self._disconnect()  # the server has ended it since the last time
            return self._read_kept(job)
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._disconnect()
            if NO_INDEX in str(error):
                raise StorageError("the search index was taken away; it is built anew") from error
            if BAD_INDEX in str(error):
                self._on_damage()
                raise StorageError(DAMAGED_INDEX) from error
            cause = cause_of(error)
            if cause is None:
                raise
            if cause is Cause.CORRUPT:
                self._on_damage()
            raise StorageError(f"the database {cause.value}") from error

    def _read_kept(self, job: Job) -> Any:
        connection = self._connection = self._connection or self._engines.reading.connect()
        # SQLAlchemy begins and ends a transaction in as much time as SQLite takes for a page.
        driver = connection.connection.driver_connection if self._engines.is_sqlite else None
        if driver is not None:
            driver.execute("BEGIN")
        try:
            return job.run(connection)
        finally:
            connection.rollback()
            if driver is not None:
                driver.rollback()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
