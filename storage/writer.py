"""The one thread that writes. Everybody who waits at a moment shares one commit.

Rows handed in while a commit runs are collected, and committed together by the next one. The thread
sleeps until it is called; its end of a batch is a single message to trio's loop, however many wait
for it. It is stopped by closing: what was handed in before is committed first.

When the database cannot be written, rows go to a spill (`storage.spill`) and `append` returns at
once; they are written, in their order and before all later ones, as soon as it works again.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import outcome
import trio
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from storage.appender import Appender
from storage.engine import BUSY_TIMEOUT_S, Engines
from storage.errors import NotWritten, StorageError
from storage.job import Job
from storage.message import Kept, Row, repaired
from storage.spill import Spill
from storage.trouble import Cause, Trouble, cause_of, in_a_line

T = TypeVar("T")
log = logging.getLogger(__name__)

# A thread that wants the interpreter's lock from a busy one waits this long; the default of 5 ms
# would be paid three times in a commit.
SWITCH_INTERVAL_S = 0.0005
RETRY_S = 1.0
RETRY_LOCK_S = 0.05
SPILL_STEP = 1000  # rows per commit when the spill is written

_OF_THE_SERVER = {Cause.FULL, Cause.LOCKED}  # a new session with it would change nothing


class Batch:
    """What has been handed in since the thread last looked: rows that share one commit."""

    __slots__ = ("_callbacks", "committed", "finished", "jobs", "rows", "withdrawals")

    def __init__(self) -> None:
        self.rows: list[Kept] = []
        self.jobs: list[tuple[Job, bool]] = []  # each with whether it reshapes
        self.withdrawals: list[Job] = []  # of what waits for trouble to end
        self.committed = False
        self.finished = False  # committed, or in the spill: it may be shown
        self._callbacks: list[Callable[[], None]] = []

    def then(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in trio's thread when its rows may be shown; at once where that
        is so already. It must neither wait nor raise."""
        if self.finished:
            callback()
        else:
            self._callbacks.append(callback)

    async def wait(self) -> bool:
        """True when its rows are committed, False when they wait for trouble to end."""
        done = trio.Event()
        self.then(done.set)
        await done.wait()
        return self.committed

    def finish(self) -> None:
        """Called in trio's thread."""
        self.finished = True
        for callback in self._callbacks:
            callback()


class Writer:
    """Bounded by its callers: each waits for its own rows, so no queue can outgrow them.

    `on_trouble(trouble, news)` is called in trio's thread as trouble begins, changes, or ends
    (None); `news` is False where only its figures changed. `prepare` makes a database usable that
    was put in the place of the first. `unwritten` is the file for what waits in trouble.
    """

    def __init__(
        self,
        engines: Engines,
        on_trouble: Callable[[Trouble | None, bool], None],
        prepare: Callable[[Connection], None],
        unwritten: Path | None,
    ) -> None:
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self._engines = engines
        self._on_trouble = on_trouble
        self._prepare = prepare
        self._token = trio.lowlevel.current_trio_token()
        self._lock = threading.Lock()
        self._wake: queue.SimpleQueue[None] = (
            queue.SimpleQueue()
        )  # of one call (see `_asked`), and the last
        self._batch = Batch()
        self._asked = False
        self._is_held = False  # see `together`
        self._is_late = False  # the thread is still to be called
        self._closing = False
        # From here on the thread's own.
        self._trouble: Trouble | None = None
        self._spill = Spill(unwritten)
        self._retry_at = 0.0
        self._connection = engines.writing.connect()
        self._appender = Appender(self._connection)
        self._file = engines.file()
        self._opened_other = False  # and have not prepared it yet
        self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="muster-writer", daemon=True)
        self._thread.start()

    def put(self, rows: Sequence[Kept]) -> Batch:
        """Hand rows in; they are committed with the batch given back."""
        with self._lock:
            batch = self._open_batch()
            batch.rows += rows
        return batch

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is put within shares a commit: the thread is called at the end. Nothing may be
        waited for within."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if self._is_late:
                self._is_late = False
                self._wake.put(None)

    async def run(self, fn: Callable[..., T], *args: Any, reshapes: bool = False) -> T:
        """Run `fn(connection, *args)` in a write transaction of its own. Raises NotWritten.

        `reshapes`: it removes buffers or sources, whose numbers must then be looked up again.
        """
        job = Job(fn, args)
        self.do(job, reshapes=reshapes)
        value: T = await job.wait()
        return value

    def do(self, job: Job, *, reshapes: bool = False) -> None:
        """The same with a job, which is told what came of it."""
        with self._lock:
            self._open_batch().jobs.append((job, reshapes))

    async def withdraw(self, network_id: int, target: str, msgid: str) -> Row | None:
        """Take a message out of those that wait for trouble to end; None where it is not one."""
        job = Job(self._withdraw, (network_id, target, msgid))
        with self._lock:
            self._open_batch().withdrawals.append(job)
        row: Row | None = await job.wait()
        return row

    async def close(self) -> None:
        """Commit what was handed in, then end the thread. Not cancellable: it is short."""
        with self._lock:
            self._closing = True
        self._wake.put(None)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def _open_batch(self) -> Batch:
        if self._closing:
            raise StorageError("the store is closed")
        if not self._asked:
            self._asked = True
            if self._is_held:
                self._is_late = True
            else:
                self._wake.put(None)
        return self._batch

    def _work(self) -> None:
        while True:
            with suppress(queue.Empty):
                self._wake.get(timeout=RETRY_S if self._trouble else None)
            with self._lock:
                batch, self._batch = self._batch, Batch()
                self._asked = False
                closing = self._closing
            if self._trouble and (closing or time.monotonic() >= self._retry_at):
                self._retry()
            if batch.rows:
                self._write_rows(batch)
            for job in batch.withdrawals:
                self._tell(job.finish, outcome.capture(job.fn, *job.args))
            for job, reshapes in batch.jobs:
                self._tell(job.finish, self._write_job(job, reshapes))
            if closing:
                break
            if self._spill:
                self._spill.keep_up()
        self._spill.close()
        with suppress(SQLAlchemyError):
            self._connection.close()

    def _look_for_file(self, every_s: float) -> None:
        """Whether the database's file is still the one that is open."""
        now = time.monotonic()
        if self._trouble or now - self._looked_at < every_s:
            return
        self._looked_at = now
        try:
            if self._engines.file() != self._file:
                raise FileNotFoundError("the file was replaced")
        except OSError as error:
            self._enter(Cause.GONE, error)

    def _write_rows(self, batch: Batch) -> None:
        self._look_for_file(RETRY_S)
        done = self._try(batch.rows) if self._trouble is None else 0
        if done < len(batch.rows):
            self._put_aside(batch.rows[done:])
        else:
            batch.committed = True
        self._tell(batch.finish)

    def _try(self, rows: Sequence[Kept]) -> int:
        """How many rows, from the first, are committed, or can never be and were reported."""
        try:
            self._appender.append(rows)
            return len(rows)
        except Exception as error:  # the thread's own border
            cause = cause_of(error)
            if cause is not None:
                self._enter(cause, error)
                return 0
            if len(rows) == 1:
                return self._try_repaired(rows[0], error)
        # One of them is to blame; it must not take the others with it.
        for done, row in enumerate(rows):
            if not self._try([row]):
                return done
        return len(rows)

    def _try_repaired(self, row: Kept, error: Exception) -> int:
        fixed = repaired(row)
        if fixed != row:
            return self._try([fixed])
        log.error("a message of network %s cannot be kept: %s", row.network_id, in_a_line(error))
        return 1

    def _write_job(self, job: Job, reshapes: bool) -> outcome.Outcome[Any]:
        def work() -> Any:
            self._look_for_file(0)
            if self._trouble and (self._connection.closed or self._has_lost_file()):
                raise NotWritten(f"the database {self._trouble.cause.value}")
            with self._connection.begin():
                return job.run(self._connection)

        result: outcome.Outcome[Any] = outcome.capture(work)
        if reshapes or isinstance(result, outcome.Error):
            self._appender.forget()
        if isinstance(result, outcome.Error) and (cause := cause_of(result.error)) is not None:
            self._enter(cause, result.error)
            failed = NotWritten(f"the database {cause.value}")
            failed.__cause__ = result.error
            return outcome.Error(failed)
        return result

    # Trouble

    def _has_lost_file(self) -> bool:
        """Whether what is open is the file that was taken away, and not what would be read."""
        gone = self._trouble is not None and self._trouble.cause is Cause.GONE
        return gone and self._engines.is_sqlite

    def _enter(self, cause: Cause, error: BaseException) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        known = self._trouble
        if known is None or known.cause is not cause:
            since = time.time() if known is None else known.since_s
            lost = known.lost if known else 0
            trouble = Trouble(cause, since, len(self._spill), lost)
            log.error("%s (%s)", trouble, in_a_line(error))
            self._change(trouble)

    def _put_aside(self, rows: Sequence[Kept]) -> None:
        more_lost = self._spill.put(rows)
        trouble = self._trouble
        if trouble is not None:
            lost = trouble.lost + more_lost
            first_loss = lost and not trouble.lost
            changed = replace(trouble, waiting=len(self._spill), lost=lost)
            self._change(changed, tell=bool(first_loss))

    def _withdraw(self, *which: Any) -> Row | None:
        try:
            return self._spill.withdraw(*which)
        finally:
            self._count_waiting()

    def _count_waiting(self) -> None:
        if self._trouble is not None:
            self._change(replace(self._trouble, waiting=len(self._spill)), tell=False)

    def _retry(self) -> None:
        """Open the database anew and write the spill; leave trouble when all of it is written."""
        try:
            self._open_anew()
            # Who appends meanwhile waits for this: a lock that is still held must show at once.
            self._engines.wait_for_lock(self._connection, RETRY_LOCK_S)
            if self._opened_other:
                with self._connection.begin():
                    self._prepare(self._connection)
                self._opened_other = False
            self._appender.probe()
            self._engines.wait_for_lock(self._connection, BUSY_TIMEOUT_S)
        except Exception as error:  # the thread's own border
            self._enter(cause_of(error) or Cause.FAILING, error)
            return
        self._write_spill()
        if self._spill:
            self._count_waiting()
            return
        lost = self._trouble.lost if self._trouble else 0
        log.warning("the database can be written again; %d messages were lost", lost)
        self._change(None)

    def _write_spill(self) -> None:
        done = 0
        while step := self._spill.some(done, SPILL_STEP):
            written = self._try(step)
            done += written
            if written < len(step):
                break
        if done:
            with suppress(OSError):
                self._engines.flush()  # or a power cut might take both
            self._spill.drop(done)

    def _open_anew(self) -> None:
        is_open = not (self._connection.closed or self._connection.invalidated)
        if is_open and not self._engines.is_sqlite and self._outlives_trouble():
            return  # what it holds alone (see `solitude`) must not be let go for a moment
        with suppress(SQLAlchemyError):
            self._connection.invalidate()
            self._connection.close()
        # Connecting would make a new one where it is gone.
        before, self._file = self._file, self._engines.file()
        self._connection = self._engines.writing.connect()
        if self._file != before:
            self._opened_other = True
        self._appender = Appender(self._connection)

    def _outlives_trouble(self) -> bool:
        return self._trouble is not None and self._trouble.cause in _OF_THE_SERVER

    def _change(self, trouble: Trouble | None, *, tell: bool = True) -> None:
        self._trouble = trouble
        self._tell(self._on_trouble, trouble, tell)

    def _tell(self, fn: Callable[..., None], *args: Any) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(fn, *args)
