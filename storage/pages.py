"""Queries that give messages: the columns of a Row, joined, read in the way each database likes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, func, literal, select

from storage import schema
from storage.driver import Query
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

# A list of ids as one parameter, JSON: for SQLite, which would read a statement of another length
# anew each time.
LISTED = select(func.json_each(bindparam("ids", type_=Text)).table_valued("value").c.value)


def as_one(query: Select[Any]) -> Select[Any]:
    """The query with all its rows in one, as JSON: for SQLite.

    Python's driver gives the interpreter's lock away at each row, and beside a busy main thread
    waits for it each time. One row waits once.
    """
    each = query.with_only_columns(func.json_array(*query.selected_columns).label("each"))
    rows = each.subquery().c
    return select(literal("[") + func.coalesce(func.group_concat(rows.each), "") + literal("]"))


class Rows:
    """A query for Rows, in the form that is best for each database."""

    def __init__(self, query: Select[Any], on_sqlite: Select[Any] | None = None) -> None:
        self._query = Query(query, as_one(query if on_sqlite is None else on_sqlite))

    def __call__(self, connection: Connection, **values: Any) -> list[Row]:
        rows = self._query(connection, **values)
        if connection.dialect.name == "sqlite":
            rows = json.loads(rows[0][0])
        return list(map(_as_row, rows))


_as_row: Callable[[Sequence[Any]], Row] = partial(tuple.__new__, Row)  # half of `Row._make`
