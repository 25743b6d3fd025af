"""The store: everything the rest of Muster may do with the database.

One function is one transaction and one thread hop: `await store.run(accounts.add_user, user)`,
`await store.read(messages.latest, network_id, target, 100)`. Messages go by `append`, which returns
when they are committed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio
from sqlalchemy.exc import SQLAlchemyError

from storage import (
    coverage,
    future,
    merging,
    messages,
    retention,
    solitude,
)
from storage.backup import backup
from storage.directory import put_meta
from storage.engine import Engines
from storage.errors import NotWritten, StorageError, Taken
from storage.indexer import DAMAGED_INDEX, Indexer
from storage.job import Job, Then
from storage.message import Kept, Row
from storage.opening import open_engines, prepare, prepare_database
from storage.owed import Owed, Redaction
from storage.readers import Readers
from storage.retention import Keep
from storage.trouble import Cause, Trouble, cause_of
from storage.vault import Vault
from storage.wherever import find_wherever
from storage.writer import Batch, Writer

T = TypeVar("T")
Progress = Callable[[int], None]

NO_LIMIT = Keep()
LOOK_S = 2.0  # between two looks whether the server has ended our session
PAUSE_S = 0.01  # between two steps of pruning: others get at the writer


class Store:
    """An open database. Made by `open_store`."""

    def __init__(
        self, engines: Engines, vault: Vault, last_id: int, owed: Owed, unwritten: Path | None
    ) -> None:
        self._engines = engines
        self._vault = vault
        self._last_id = last_id
        self.removals = 0  # of messages, so far: what was read before may hold one that is gone
        self._trouble: Trouble | None = None
        self._owed = owed
        self._listeners: list[Callable[[Trouble | None], None]] = []
        self._writer = Writer(engines, self._set_trouble, prepare_database, unwritten)
        self._readers = Readers(engines, lambda: self._indexer.suspect())
        self._indexer = Indexer(engines, lambda: self._last_id, self._readers.renew)

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return self._engines.url.render_as_string(hide_password=True)

    def next_id(self) -> int:
        """A number for the next message: above every number given before, also by earlier runs."""
        self._last_id += 1
        return self._last_id

    @property
    def last_id(self) -> int:
        """The last number given: where a client begins that shall see only what comes now."""
        return self._last_id

    @property
    def trouble(self) -> Trouble | None:
        """What keeps the store from writing now; None when all is well."""
        return self._trouble

    def on_trouble(self, listener: Callable[[Trouble | None], None]) -> None:
        """Have `listener` called when trouble begins, changes, or ends (None). It must not wait."""
        self._listeners.append(listener)

    def put(self, rows: Sequence[Kept]) -> Batch:
        """Hand messages in, a chunk at a time; they may be shown when the batch is finished.

        Number rows and put them in one go, without waiting in between: what is stored later must
        have higher numbers. While the store is in trouble rows are held in memory, and the batch
        is finished, though not committed: the promise to keep them is suspended.
        """
        return self._writer.put(rows)

    def together(self) -> AbstractContextManager[None]:
        """What is put within shares a commit."""
        return self._writer.together()

    async def append(self, rows: Sequence[Kept]) -> bool:
        """Keep messages; True when they are committed, False as with `put`."""
        return await self.put(rows).wait() if rows else True

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(connection, *args)` in one write transaction, rolled back when it raises.

        A caller that is cancelled while waiting does not undo it. Raises NotWritten when the
        database cannot be written.
        """
        return await self._writer.run(fn, *args)

    def order(self, then: Then, fn: Callable[..., object], *args: Any) -> None:
        """The same by no task: see `ask`."""
        self._writer.do(Job(fn, args, then))

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(connection, *args)` in a read-only transaction, beside others and the writer.

        Who is cancelled does not wait for it. Raises StorageError when the database cannot be read.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        job = Job(fn, args)
        self._readers.put(job)
        value: T = await job.wait()
        return value

    def ask(self, then: Then, fn: Callable[..., object], *args: Any) -> None:
        """The same by no task: `then` is called in trio's thread with what came of it, also with
        an error. It must neither wait nor raise."""
        self._readers.put(Job(fn, args, then))

    async def prune(
        self, keep: Keep = NO_LIMIT, now_ms: int | None = None, progress: Progress | None = None
    ) -> int:
        """Remove what is kept too long or takes too much room; how many messages it were.

        `keep.age_s` is the server's own limit, for whom no nearer one is set. `progress` is called
        with the number so far. No other process may append meanwhile: it remembers the numbers of
        senders.
        """
        now_ms = int(time.time() * 1000) if now_ms is None else now_ms
        await self._note_last_id()
        gone = 0
        for condition in await self.read(retention.doomed, keep, now_ms):
            while ids := await self.read(retention.some, condition):
                await self._drop(ids)
                gone += len(ids)
                if progress is not None:
                    progress(gone)
                await trio.sleep(PAUSE_S)
        if await self.run(retention.is_sweep_due, now_ms):
            await self._sweep_sources()
        await self._give_back()
        return gone

    async def merge(self) -> int:
        """Bring together the buffers that turned out to be of one conversation; how many messages
        went over. Interrupted anywhere, the next call goes on."""
        if self._trouble is not None or not await self.read(merging.is_going_on):
            return 0
        count, in_index = 0, self._indexer.with_connection
        step = await self.read(merging.interrupted) or await self.run(merging.begin)
        while step is not None:
            await self._in_index(in_index, self._indexer.index.remove, step.ids)
            await self.run(merging.bring_over, step)
            await self._in_index(in_index, self._indexer.index.put_back, step.ids)
            self.removals += 1  # from where they were
            count += len(step.ids)
            await trio.sleep(PAUSE_S)
            step = await self.run(merging.begin)
        return count

    async def redate(self, latest_ms: int) -> int:
        """Give lines that are dated later the time at which they came; how many it were."""
        count = 0
        for network_id, ids in (await self.read(future.lines, latest_ms)).items():
            for start in range(0, len(ids), future.STEP_ROWS):
                step = ids[start : start + future.STEP_ROWS]
                dated = await self.read(future.dated, network_id, step, latest_ms)
                await self._in_index(self._indexer.with_connection, coverage.widen, dated)
                await self.run(future.date, dated)
                self.removals += 1  # from where they were
                count += len(dated)
                await trio.sleep(PAUSE_S)
        return count

    async def redact(self, network_id: int, target: str, msgid: str) -> Row | None:
        """Delete one message for good; what it was, None where there is none (any more). Where that
        cannot be done now it raises NotWritten, and is left to `redact_owed`, across restarts."""
        wanted = Redaction(network_id, target, msgid)
        if self._trouble is not None:
            await self._owe(wanted)  # before: who is cancelled while he waits owes it too
        try:
            row = await self._redact(*wanted)
        except StorageError:
            await self._owe(wanted)
            raise
        if wanted in self._owed:
            self._owed.settle(wanted)
            await trio.to_thread.run_sync(self._owed.write)
        return row

    async def redact_owed(self) -> None:
        """Delete what could not be deleted when it was asked for. Raises StorageError, as then."""
        while self._trouble is None and (wanted := self._owed.first()) is not None:
            await self.redact(*wanted)

    async def _owe(self, wanted: Redaction) -> None:
        if wanted not in self._owed:
            self._owed.add(wanted)
            await trio.to_thread.run_sync(self._owed.write)

    async def _redact(self, network_id: int, target: str, msgid: str) -> Row | None:
        if self._trouble is not None:
            waiting = await self._writer.withdraw(network_id, target, msgid)
            if waiting is not None:
                return waiting
        position = await self.read(find_wherever, network_id, target, msgid)
        if position is None:
            return None
        row = await self.read(messages.by_id, position.id)
        await self._note_last_id()
        await self._drop([position.id])
        return row

    async def _note_last_id(self) -> None:
        """Before the newest message goes: its number must not be given again after a restart."""
        await self.run(put_meta, "last_id", str(self._last_id))

    async def _drop(self, ids: Sequence[int]) -> None:
        """Index first: interrupted in between, the messages are there and go the next time."""
        await self._in_index(self._indexer.with_connection, self._indexer.index.remove, ids)
        await self.run(retention.drop, ids)
        self.removals += 1

    async def _in_index(self, fn: Callable[..., object], *args: Any) -> None:
        """Work on the index in a thread. Raises NotWritten where its file cannot be written."""
        try:
            await trio.to_thread.run_sync(fn, *args)
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = cause_of(error)
            if cause is None:
                raise
            if cause is Cause.CORRUPT:
                self._indexer.suspect()
                raise NotWritten(DAMAGED_INDEX) from error
            raise NotWritten(f"the search index {cause.value}") from error

    async def _sweep_sources(self) -> None:
        since_id = self._last_id
        while ids := await self.read(retention.unused_sources):
            await self._writer.run(retention.drop_sources, ids, since_id, reshapes=True)
            if len(ids) < retention.MOST_SOURCES:
                return

    async def _give_back(self) -> None:
        left, before = await self.run(retention.give_back), 0
        while 0 < left != before:
            await trio.sleep(PAUSE_S)
            left, before = await self.run(retention.give_back), left
        await self._in_index(self._indexer.give_back)

    async def be_alone(self, *how: Any) -> None:
        """Be the only one that works on a server, until the store is closed: see
        `solitude.reserve`. Raises OutOfReach."""
        await self.run(solitude.reserve, *how)

    async def stay_alone(self) -> None:
        """See to it for as long as this runs. Raises Taken when another bouncer has taken over."""
        while not self._engines.is_sqlite:
            await trio.sleep(LOOK_S)
            with suppress(NotWritten):
                await self.run(solitude.look)
            if self._trouble is not None and self._trouble.cause is Cause.TAKEN:
                raise Taken(f"the database {self.url} {Cause.TAKEN.value}")

    async def backup(self, path: str) -> int:
        """Copy the SQLite database to a new file; its size in bytes."""
        return await self.read(backup, path)

    async def catch_up(self) -> None:
        """Bring the search index up to date now. Nobody has to: a search is complete anyway."""
        await trio.to_thread.run_sync(self._indexer.catch_up)

    def _set_trouble(self, trouble: Trouble | None, news: bool) -> None:
        self._trouble = trouble
        if news:
            for listener in self._listeners:
                listener(trouble)

    async def _close(self) -> None:
        await self._readers.close()
        await self._writer.close()
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._indexer.close)


@asynccontextmanager
async def open_store(
    url: str,
    *,
    synchronous: str = "normal",
    key: bytes | None = None,
    owed: Path | None = None,
    unwritten: Path | None = None,
) -> AsyncIterator[Store]:
    """Open the database, bring its schema up to date, and close it in the end.

    `synchronous`: "normal" survives kill -9, "full" survives power loss too. `key` is the content
    of the key file that seals secrets; `owed` and `unwritten` are the files of what is still to be
    deleted, and to be kept. Raises Unusable or OutOfReach with a text for the user.
    """
    vault = Vault(key)
    begin = partial(prepare, unwritten=unwritten)
    engines, last_id = await trio.to_thread.run_sync(open_engines, url, vault, begin, synchronous)
    try:
        store = Store(engines, vault, last_id, Owed(owed), unwritten)
        try:
            yield store
        finally:
            await store._close()
    finally:
        engines.dispose()
