"""SQLite's table of messages, which older releases kept by number, becomes one in the order of
pages: a page of history then lies in a few pages of the file, not in a hundred.

In small steps between which the writer serves others, also with an older release. Triggers let the
new table have what is added, changed and deleted meanwhile; what was there before is copied from
the lowest number upward. Then the new one takes the old one's name, and that is emptied. What is to
be done next is seen from the tables, so that it goes on wherever it was cut.
"""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from storage import schema
from storage.directory import drop_meta, get_meta, put_meta
from storage.errors import StorageError

AT_ONCE = 10_000  # messages that the migration itself takes care of, within half a second
STEP_ROWS = 2_000  # per transaction: about ten milliseconds
SPARE_BYTES = 256 << 20  # of the disk, left to others
_GROWTH = 1.2  # of the file, until the old table is empty: what is added meanwhile comes twice

_COPY, _OLD = "messages_clustered", "messages_rowid"
_COPIED = "clustered_id"  # in `meta`: up to where
_NAMES = [column.name for column in schema.messages.c]
_COLUMNS = ", ".join(_NAMES)
_NEW = ", ".join(f"NEW.{name}" for name in _NAMES)
_TABLE = str(CreateTable(schema.messages).compile(dialect=sqlite.dialect())).strip()
_BEGIN = (
    _TABLE.replace("CREATE TABLE messages ", f"CREATE TABLE {_COPY} ", 1),
    f"CREATE UNIQUE INDEX ix_messages_id ON {_COPY} (id)",
    f"CREATE INDEX ix_messages_by_network ON {_COPY} (network_id, id)",
    "CREATE TRIGGER clustering_added AFTER INSERT ON messages BEGIN "
    f"INSERT INTO {_COPY} ({_COLUMNS}) VALUES ({_NEW}); END",
    "CREATE TRIGGER clustering_changed AFTER UPDATE ON messages BEGIN "
    f"UPDATE {_COPY} SET ({_COLUMNS}) = ({_NEW}) WHERE id = OLD.id; END",
    "CREATE TRIGGER clustering_deleted AFTER DELETE ON messages BEGIN "
    f"DELETE FROM {_COPY} WHERE id = OLD.id; END",
)
_SWAP = (
    "DROP TRIGGER clustering_added",
    "DROP TRIGGER clustering_changed",
    "DROP TRIGGER clustering_deleted",
    f"ALTER TABLE messages RENAME TO {_OLD}",
    f"ALTER TABLE {_COPY} RENAME TO messages",
)


class NoRoom(StorageError):
    """The disk has no room for the messages twice."""


def is_to_do(connection: Connection) -> bool:
    """Whether anything is left."""
    if connection.dialect.name != "sqlite":
        return False
    tables = _tables(connection)
    return not tables.keys().isdisjoint((_COPY, _OLD)) or not _is_clustered(tables)


def step(connection: Connection, free_bytes: int | None = None) -> bool:
    """Do what is next, within the caller's transaction; False where nothing was left. Raises NoRoom
    where the disk has too little free."""
    tables = _tables(connection)
    if _COPY in tables:
        _see_room(SPARE_BYTES, free_bytes)
        _copy(connection)
    elif _OLD in tables:
        _empty(connection)
    elif not _is_clustered(tables):
        _see_room(int(_size(connection) * _GROWTH) + SPARE_BYTES, free_bytes)
        _run(connection, _BEGIN)
    else:
        return False
    return True


def _size(connection: Connection) -> int:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())


def _see_room(needed: int, free_bytes: int | None) -> None:
    if free_bytes is not None and free_bytes < needed:
        raise NoRoom(
            f"the disk has {free_bytes >> 20} MiB free, and to bring the messages into the order "
            f"of pages takes {needed >> 20} for a while; until then long histories are read slower"
        )


def _tables(connection: Connection) -> dict[str, str]:
    """The tables of messages and how they were made."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name LIKE 'messages%'"
    return {row.name: row.sql for row in connection.exec_driver_sql(query)}


def _is_clustered(tables: dict[str, str]) -> bool:
    return "WITHOUT ROWID" in tables["messages"]


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _copy(connection: Connection) -> None:
    after = get_meta(connection, _COPIED)
    condition, values = ("WHERE id > ?", (int(after),)) if after is not None else ("", ())
    some = f"SELECT {{}} FROM messages {condition} ORDER BY id LIMIT {STEP_ROWS}"
    last = connection.exec_driver_sql(f"SELECT max(id) FROM ({some.format('id')})", values).scalar()
    if last is None:
        _run(connection, _SWAP)
        drop_meta(connection, _COPIED)
        return
    connection.exec_driver_sql(  # a trigger may have had them
        f"INSERT OR IGNORE INTO {_COPY} ({_COLUMNS}) {some.format(_COLUMNS)}", values
    )
    put_meta(connection, _COPIED, str(last))


def _empty(connection: Connection) -> None:
    some = f"SELECT id FROM {_OLD} ORDER BY id LIMIT {STEP_ROWS}"
    if not connection.exec_driver_sql(f"DELETE FROM {_OLD} WHERE id IN ({some})").rowcount:
        connection.exec_driver_sql(f"DROP TABLE {_OLD}")
