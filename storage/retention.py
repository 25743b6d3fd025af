"""How long history is kept: by age and by size, for a user, a network, a channel.

The nearest setting counts for age: channel, else network, else user, else the server's. A size
limits what it is set on, as a whole: the newest messages that fit stay. Messages go in small steps
between which the writer serves others, first from the index, then from the table; freed pages are
given back to the file system. Interrupted anywhere, the next run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, delete, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from storage import schema
from storage.directory import get_meta, put_meta
from storage.rows import folded

STEP_ROWS = 500  # per transaction: a few milliseconds
FREED_PAGES = 500  # given back per step
# What a message takes beside its texts: row, two index entries, its share of the search index.
OVERHEAD_BYTES = 120
MOST_SOURCES = 10_000  # swept at once
SWEEP_EVERY_S = 86_400  # it reads all messages

_m = schema.messages.c


class _octets(FunctionElement[int]):
    """How long a text is on the disk: beyond ASCII more than its characters."""

    type = BigInteger()
    inherit_cache = True


@compiles(_octets, "sqlite")
def _octets_on_sqlite(element: _octets, compiler: SQLCompiler, **words: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **words)} AS BLOB))"


@compiles(_octets, "postgresql")
def _octets_on_postgresql(element: _octets, compiler: SQLCompiler, **words: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **words)})"


_SIZE = OVERHEAD_BYTES + _octets(_m.text) + _octets(_m.tags) + _octets(_m.msgid)


@dataclass(frozen=True, slots=True)
class Keep:
    """The server's own limit, where nothing nearer is set; None for none."""

    age_s: int | None = None


@dataclass(frozen=True, slots=True)
class BufferStats:
    """What is kept of one conversation. `size_bytes` is an estimate, indexes included."""

    user: str
    network: str
    name: str
    messages: int
    size_bytes: int
    oldest_ms: int
    newest_ms: int


def doomed(connection: Connection, server: Keep, now_ms: int) -> list[ColumnElement[bool]]:
    """Conditions on messages, each by index: whatever meets one of them is to go."""
    return [
        *_ownerless(connection),
        *_too_old(connection, server.age_s, now_ms),
        *_too_much(connection),
    ]


def some(connection: Connection, condition: ColumnElement[bool]) -> list[int]:
    """The next few ids that meet a condition."""
    return list(connection.execute(select(_m.id).where(condition).limit(STEP_ROWS)).scalars())


def drop(connection: Connection, ids: Sequence[int]) -> int:
    """Delete these messages; how many it were."""
    gone = connection.execute(delete(schema.messages).where(_m.id.in_(ids))).rowcount
    return int(gone)


def give_back(connection: Connection, database: str = "main") -> int:
    """Return a few free pages to the file system (SQLite); how many are still free."""
    if connection.dialect.name != "sqlite":
        return 0  # PostgreSQL's autovacuum sees to it
    driver = connection.connection.driver_connection
    assert driver is not None
    # Each page is a row without columns: Python 3.11 ends a statement after the first.
    for _ in range(min(FREED_PAGES, _free_pages(connection, database))):
        driver.execute(f"PRAGMA {database}.incremental_vacuum(1)")
    return _free_pages(connection, database)


def _free_pages(connection: Connection, database: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {database}.freelist_count").scalar_one())


def _ownerless(connection: Connection) -> Iterator[ColumnElement[bool]]:
    """What is left of removed networks. Skips from network to network along the index."""
    present = text(
        "WITH RECURSIVE present(id) AS (SELECT min(network_id) FROM messages UNION ALL "
        "SELECT (SELECT min(network_id) FROM messages WHERE network_id > present.id) "
        "FROM present WHERE present.id IS NOT NULL) SELECT id FROM present WHERE id IS NOT NULL"
    )
    # In this order: PostgreSQL shows the second one a network that was added after the first.
    found = connection.execute(present).scalars().all()
    known = set(connection.execute(select(schema.networks.c.id)).scalars())
    for network_id in found:
        if network_id not in known:
            yield _m.network_id == network_id


def _too_old(
    connection: Connection, server_age_s: int | None, now_ms: int
) -> Iterator[ColumnElement[bool]]:
    nearest = _nearest_ages(connection)
    buffers = schema.buffers.c
    for buffer_id, network_id, name in connection.execute(
        select(buffers.id, buffers.network_id, buffers.name)
    ):
        age_s = nearest.get((network_id, folded(name)), nearest.get((network_id, "")))
        if age_s is None:
            age_s = server_age_s
        if age_s is not None:
            yield and_(_m.buffer_id == buffer_id, _m.time_ms < now_ms - age_s * 1000)


def _nearest_ages(connection: Connection) -> dict[tuple[int, str], int]:
    """(network, folded channel, or '' for the network itself) -> seconds, where one is set."""
    users, networks, channels = schema.users.c, schema.networks.c, schema.channels.c
    ages = select(networks.id, func.coalesce(networks.keep_age_s, users.keep_age_s)).select_from(
        schema.networks.join(schema.users, users.id == networks.user_id)
    )
    found = {(network, ""): age for network, age in connection.execute(ages) if age is not None}
    own = select(channels.network_id, channels.folded_name, channels.keep_age_s)
    for network, name, age in connection.execute(own.where(channels.keep_age_s.is_not(None))):
        found[network, name] = age
    return found


def _too_much(connection: Connection) -> Iterator[ColumnElement[bool]]:
    for scope, limit, by_time in _sizes(connection):
        cut = _cut(connection, scope, limit, by_time=by_time)
        if cut is None:
            continue
        time_ms, message_id = cut
        if by_time:
            same = and_(_m.time_ms == time_ms, _m.id <= message_id)
            yield and_(scope, _m.time_ms < time_ms)
            yield and_(scope, same)
        else:
            yield and_(scope, _m.id <= message_id)


def _sizes(connection: Connection) -> Iterator[tuple[ColumnElement[bool], int, bool]]:
    """(what a size limit covers, the limit, whether it is a single buffer)."""
    users, networks = schema.users.c, schema.networks.c
    channels, buffers = schema.channels.c, schema.buffers.c
    own = select(channels.network_id, channels.folded_name, channels.keep_bytes)
    limits = {
        (network, name): limit
        for network, name, limit in connection.execute(own.where(channels.keep_bytes.is_not(None)))
    }
    for buffer_id, network_id, name in connection.execute(
        select(buffers.id, buffers.network_id, buffers.name)
    ):
        if (network_id, folded(name)) in limits:
            yield _m.buffer_id == buffer_id, limits[network_id, folded(name)], True
    by_network = select(networks.id, networks.keep_bytes).where(networks.keep_bytes.is_not(None))
    for network_id, limit in connection.execute(by_network):
        yield _m.network_id == network_id, limit, False
    by_user = select(users.id, users.keep_bytes).where(users.keep_bytes.is_not(None))
    for user_id, limit in connection.execute(by_user):
        theirs = select(networks.id).where(networks.user_id == user_id)
        yield _m.network_id.in_(theirs), limit, False


def _cut(
    connection: Connection, scope: ColumnElement[bool], limit: int, *, by_time: bool
) -> tuple[int, int] | None:
    """The newest message that does not fit any more, as (time, id)."""
    order = (_m.time_ms.desc(), _m.id.desc()) if by_time else (_m.id.desc(),)
    total = func.sum(_SIZE).over(order_by=order, rows=(None, 0)).label("total")
    sums = select(_m.time_ms, _m.id, total).where(scope).subquery()
    outer = (sums.c.time_ms.desc(), sums.c.id.desc()) if by_time else (sums.c.id.desc(),)
    query = select(sums.c.time_ms, sums.c.id).where(sums.c.total > limit).order_by(*outer)
    row = connection.execute(query.limit(1)).first()
    return None if row is None else (row[0], row[1])


def is_sweep_due(connection: Connection, now_ms: int) -> bool:
    """Whether unused senders were last looked for a day ago; notes that they are now."""
    last_ms = int(get_meta(connection, "swept_ms") or 0)
    if 0 <= now_ms - last_ms < SWEEP_EVERY_S * 1000 and last_ms:
        return False
    put_meta(connection, "swept_ms", str(now_ms))
    return True


def unused_sources(connection: Connection) -> list[int]:
    """Senders of whom no message is left. Reads all messages: for a reader's thread."""
    used = select(_m.source_id)
    query = select(schema.sources.c.id).where(schema.sources.c.id.not_in(used)).limit(MOST_SOURCES)
    return list(connection.execute(query).scalars())


def drop_sources(connection: Connection, ids: Sequence[int], since_id: int) -> None:
    """Delete senders that were unused when `since_id` was the newest message, and still are."""
    recent = select(_m.source_id).where(_m.id > since_id)
    sources = schema.sources
    connection.execute(delete(sources).where(sources.c.id.in_(ids), sources.c.id.not_in(recent)))


def stats(connection: Connection, user_id: int | None = None) -> list[BufferStats]:
    """What is kept, per conversation, the largest first. Reads all of it."""
    users, networks, buffers = schema.users.c, schema.networks.c, schema.buffers.c
    joined = (
        schema.messages.join(schema.buffers, buffers.id == _m.buffer_id)
        .join(schema.networks, networks.id == buffers.network_id)
        .join(schema.users, users.id == networks.user_id)
    )
    size = func.sum(_SIZE)
    columns: tuple[Any, ...] = (users.name, networks.name, buffers.name)
    query = (
        select(*columns, func.count(), size, func.min(_m.time_ms), func.max(_m.time_ms))
        .select_from(joined)
        .group_by(buffers.id, *columns)
        .order_by(size.desc())
    )
    if user_id is not None:
        query = query.where(users.id == user_id)
    return [
        BufferStats(row[0], row[1], row[2], row[3], int(row[4]), row[5], row[6])
        for row in connection.execute(query)
    ]
