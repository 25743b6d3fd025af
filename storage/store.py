"""The store: everything the rest of Muster may do with the database.

One function is one transaction and one thread hop: `await store.run(accounts.add_user, user)`,
`await store.read(messages.latest, network_id, target, 100)`. Messages go by `append`, which returns
when they are committed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
from sqlalchemy import Connection, func, select

from storage import migrations, schema
from storage.directory import get_meta
from storage.engine import READERS, Engines, make_engines
from storage.messages import Row
from storage.vault import Vault
from storage.writer import Writer

T = TypeVar("T")

# Imported messages are older than all others and get numbers downward from here, so that they sort
# before what comes live and no client's cursor stands below them.
LAST_IMPORTED_ID = (1 << 32) - 1


class Store:
    """An open database. Made by `open_store`."""

    def __init__(self, engines: Engines, vault: Vault, last_id: int) -> None:
        self._engines = engines
        self._vault = vault
        self._writer = Writer(engines)
        self._readers = trio.CapacityLimiter(READERS)
        self._last_id = last_id

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

    async def append(self, rows: Sequence[Row]) -> None:
        """Keep messages; return when they are committed. Shared commits: call it with a chunk."""
        await self._writer.append(rows)

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(connection, *args)` in one write transaction, rolled back when it raises.

        A caller that is cancelled while waiting does not undo it.
        """
        return await self._writer.run(fn, *args)

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(connection, *args)` in a read-only transaction, beside others and the writer."""
        return await trio.to_thread.run_sync(self._read, fn, args, limiter=self._readers)

    def _read(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        with self._engines.reading.connect() as connection:
            return fn(connection, *args)


@asynccontextmanager
async def open_store(
    url: str, *, synchronous: str = "normal", key: bytes | None = None
) -> AsyncIterator[Store]:
    """Open the database, bring its schema up to date, and close it in the end.

    `synchronous`: "normal" survives kill -9, "full" survives power loss too. `key` is the content
    of the key file that seals secrets. Raises Unusable with a text for the user.
    """
    vault = Vault(key)
    engines, last_id = await trio.to_thread.run_sync(_open, url, vault, synchronous)
    try:
        store = Store(engines, vault, last_id)
        try:
            yield store
        finally:
            await store._writer.close()
    finally:
        engines.dispose()


def _open(url: str, vault: Vault, synchronous: str) -> tuple[Engines, int]:
    engines = make_engines(url, vault, synchronous)
    with engines.writing.begin() as connection:
        migrations.upgrade(connection)
        return engines, _last_id(connection)


def _last_id(connection: Connection) -> int:
    """The highest number in use, or ever used by messages that have been removed since."""
    newest = connection.execute(select(func.max(schema.messages.c.id))).scalar() or 0
    cursors = connection.execute(select(func.max(schema.clients.c.delivered_id))).scalar() or 0
    return max(LAST_IMPORTED_ID, newest, cursors, int(get_meta(connection, "last_id") or 0))
