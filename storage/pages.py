"""Queries that give messages: the columns of a Row, joined, read in the way each database likes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, func, select

from storage import schema
from storage.message import Row

_m = schema.messages.c
_b = schema.buffers.c
COLUMNS = (
    _m.id,
    _b.network_id,
    _b.target,
    _b.name,
    _m.time_ms,
    _m.msgid,
    _m.command,
    func.coalesce(schema.sources.c.source, ""),
    _m.tags,
    _m.addressee,
    _m.text,
)
JOINED = schema.messages.join(schema.buffers, _b.id == _m.buffer_id).join(
    schema.sources, schema.sources.c.id == _m.source_id, isouter=True
)

SELECT_ROWS: Select[Any] = select(*COLUMNS).select_from(JOINED)


def as_one(query: Select[Any]) -> Select[Any]:
    """The query with all its rows in one, as JSON: for SQLite.

    Python's driver gives the interpreter's lock away at each row, and beside a busy main thread
    waits for it each time. One row waits once.
    """
    inner = query.subquery()
    return select(func.json_group_array(func.json_array(*inner.c))).select_from(inner)


class Rows:
    """A query for Rows, in the form that is best for each database."""

    def __init__(self, query: Select[Any]) -> None:
        self._plain = query
        self._as_one = as_one(query)

    def __call__(self, connection: Connection, **values: Any) -> list[Row]:
        if connection.dialect.name != "sqlite":
            return [Row._make(row) for row in connection.execute(self._plain, values)]
        found = json.loads(connection.execute(self._as_one, values).scalar_one())
        return [Row._make(row) for row in found]
