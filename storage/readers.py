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
from storage.job import Job
from storage.trouble import cause_of

READERS = 4  # threads, each with a connection; a fifth question waits for one


class Readers:
    """Bounded by its callers, each of whom waits for an answer. Used in trio's thread alone."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._idle: list[_Reader] = []
        self._started = 0
        self._waiting: deque[Job] = deque()
        self._closed = False

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
            _Reader(self._engines, self._go_on).jobs.put(job)
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
    """One thread. `done` is called in trio's thread after each job, which is then the only one."""

    def __init__(self, engines: Engines, done: Done) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._engines = engines
        self._done = done
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
            cause = cause_of(error)
            if cause is None:
                raise
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
