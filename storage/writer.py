"""The one thread that writes. Everybody who waits at a moment shares one commit.

Rows handed in while a commit runs are collected, and committed together by the next one. The thread
sleeps on a semaphore; the tasks of a batch are woken by a single message to trio's loop. It is
stopped by closing: what was handed in before is committed first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import outcome
import trio

from storage.appender import Appender
from storage.engine import Engines
from storage.errors import StorageError
from storage.messages import Row

T = TypeVar("T")

SWITCH_INTERVAL_S = 0.0005


class _Job:
    """One write transaction that somebody waits for."""

    __slots__ = ("done", "fn", "result")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.done = trio.Event()
        self.result: outcome.Outcome[Any] | None = None


class _Batch:
    """What has been handed in since the thread last looked."""

    __slots__ = ("done", "error", "jobs", "rows")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.jobs: list[_Job] = []
        self.done = trio.Event()
        self.error: Exception | None = None


class Writer:
    """Bounded by its callers: each waits for its own rows, so no queue can outgrow them."""

    def __init__(self, engines: Engines) -> None:
        # A thread that wants the interpreter's lock from a busy one waits this long; the default
        # of 5 ms would be paid three times in a commit.
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self._engines = engines
        self._token = trio.lowlevel.current_trio_token()
        self._lock = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._batch = _Batch()
        self._asked = False
        self._closing = False
        self._connection = engines.writing.connect()
        self._appender = Appender(engines, self._connection)
        self._thread = threading.Thread(target=self._work, name="muster-writer", daemon=True)
        self._thread.start()

    async def append(self, rows: Sequence[Row]) -> None:
        """Return when the rows are committed."""
        if not rows:
            return
        with self._lock:
            batch = self._open_batch()
            batch.rows += rows
        await batch.done.wait()
        if batch.error is not None:
            raise batch.error

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """Run `fn(connection, *args)` in a write transaction of its own."""
        job = _Job(lambda connection: fn(connection, *args))
        with self._lock:
            self._open_batch().jobs.append(job)
        await job.done.wait()
        assert job.result is not None
        value: T = job.result.unwrap()
        return value

    async def close(self) -> None:
        """Commit what was handed in, then end the thread. Not cancellable: it is short."""
        with self._lock:
            self._closing = True
        self._wake.release()
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)
            await trio.to_thread.run_sync(self._connection.close)

    def _open_batch(self) -> _Batch:
        if self._closing:
            raise StorageError("the store is closed")
        if not self._asked:
            self._asked = True
            self._wake.release()
        return self._batch

    def _work(self) -> None:
        while True:
            self._wake.acquire()
            with self._lock:
                batch, self._batch = self._batch, _Batch()
                self._asked = False
                closing = self._closing
            if batch.rows:
                self._write_rows(batch)
            if batch.rows or batch.jobs:
                self._tell(batch.done.set)
            for job in batch.jobs:
                self._write_job(job)
                self._tell(job.done.set)
            if closing:
                return

    def _write_rows(self, batch: _Batch) -> None:
        try:
            self._appender.append(batch.rows)
        except Exception as error:  # the thread's own border: the waiting tasks get it
            batch.error = error

    def _write_job(self, job: _Job) -> None:
        def work() -> Any:
            with self._connection.begin():
                return job.fn(self._connection)

        job.result = outcome.capture(work)
        if isinstance(job.result, outcome.Error):
            self._appender.forget()

    def _tell(self, fn: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(fn)
