"""Rows into the messages table, fast: one statement, one commit, numbers of names remembered.

On SQLite a batch is ONE multi-row INSERT that is its own transaction. Python's driver takes and
gives back the interpreter's lock at each step of a statement; with executemany that is once per
row, and beside a busy main thread each may wait a whole switch interval (measured: 400 rows/s
instead of 40,000). One statement waits once.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, groupby
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from storage import renaming, schema
from storage.message import Kept, Renamed, Row

CACHED_NAMES = 65_536  # per kind; forgotten wholesale beyond this, and read again

PROBE = "x" * 16_384  # so much room at least, or writing would fail again at once

_COLUMNS = (
    "id",
    "network_id",
    "buffer_id",
    "source_id",
    "time_ms",
    "msgid",
    "command",
    "tags",
    "addressee",
    "text",
)
# Statements are kept compiled for these numbers of rows; a batch is padded up to the next one.
_SIZES = (*range(1, 17), 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_MARKS = f"({', '.join('?' * len(_COLUMNS))})"
_PADDING = [None] * len(_COLUMNS)


def _statement(size: int) -> str:
    names = ", ".join(_COLUMNS)
    values = ", ".join([_MARKS] * size)
    return (
        f"WITH given ({names}) AS (VALUES {values}) "
        f"INSERT INTO messages ({names}) SELECT * FROM given LIMIT ?"
    )


class Appender:
    """Used by the writer thread alone. `renames`: a buffer gets the name last seen."""

    def __init__(self, connection: Connection, *, renames: bool = True) -> None:
        self._connection = connection
        self._renames = renames
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._buffers: dict[tuple[int, str, str], int] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._sources: dict[str, int] = {}
        self._statements = {size: _statement(size) for size in _SIZES}

    def forget(self) -> None:
        """Drop what is remembered: a transaction was rolled back, or rows were removed."""
        self._buffers.clear()
        self._names.clear()
        self._sources.clear()

    def append(self, rows: Sequence[Kept]) -> None:
        """Commit the rows, in one transaction."""
        try:
            if self._is_sqlite and len(rows) <= _SIZES[-1]:
                with suppress(KeyError, ValueError):
                    self._insert(self._tuples(rows))
                    return
            with self._connection.begin():
                self.insert(rows)
        except BaseException:
            self.forget()
            raise

    def probe(self) -> None:
        """Write something harmless and commit it; raises what keeps us from it."""
        with self._connection.begin():
            self._connection.execute(delete(schema.meta).filter_by(key="probe"))
            self._connection.execute(insert(schema.meta).values(key="probe", value=PROBE))
        with self._connection.begin():
            self._connection.execute(delete(schema.meta).filter_by(key="probe"))

    def insert(self, rows: Sequence[Kept]) -> None:
        """Insert the rows within the caller's transaction."""
        for renames, run in groupby(rows, lambda row: isinstance(row, Renamed)):
            if renames:
                self._rename([each for each in run if isinstance(each, Renamed)])
            else:
                self._insert_rows([each for each in run if isinstance(each, Row)])

    def _rename(self, renames: Sequence[Renamed]) -> None:
        for each in renames:
            renaming.rename(self._connection, each)
            renaming.mark(self._connection, each)
        self.forget()

    def _insert_rows(self, rows: Sequence[Row]) -> None:
        self._learn(rows)
        values = self._tuples(rows)
        if self._is_sqlite:
            for start in range(0, len(values), _SIZES[-1]):
                self._insert(values[start : start + _SIZES[-1]])
            return
        driver = self._connection.connection.driver_connection
        assert driver is not None
        copy = f"COPY messages ({', '.join(_COLUMNS)}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(copy) as target:
            for value in values:
                target.write_row(value)

    def _insert(self, values: list[tuple[Any, ...]]) -> None:
        size = _SIZES[bisect_left(_SIZES, len(values))]
        flat: list[Any] = list(chain.from_iterable(values))
        flat += _PADDING * (size - len(values))
        flat.append(len(values))
        driver = self._connection.connection.driver_connection
        assert driver is not None
        driver.execute(self._statements[size], flat)

    def _tuples(self, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What is inserted. Raises KeyError where the rows name something new, and ValueError where
        a conversation is renamed among them."""
        bufs, sources = self._buffers, self._sources
        return [
            (i, net, bufs[net, target, name], sources[source], at, msgid, command, tags, to, text)
            for i, net, target, name, at, msgid, command, source, tags, to, text in rows
        ]

    def _learn(self, rows: Sequence[Row]) -> None:
        if len(self._buffers) >= CACHED_NAMES or len(self._sources) >= CACHED_NAMES:
            self.forget()
        for key in dict.fromkeys((row[1], row[2], row[3]) for row in rows):
            if key not in self._buffers:
                network_id, target, name = key
                self._buffers.pop((network_id, target, self._names.get(key[:2], "")), None)
                self._buffers[key] = self._buffer(network_id, target, name)
                self._names[network_id, target] = name
        missing = list({row[7] for row in rows} - self._sources.keys())
        if missing:
            self._learn_sources(missing)

    def _buffer(self, network_id: int, target: str, name: str) -> int:
        columns = schema.buffers.c
        where = {"network_id": network_id, "target": target}
        query = select(columns.id, columns.name).filter_by(**where)
        found = self._connection.execute(query).first()
        if found is None:
            values = {**where, "name": name}
            done = self._connection.execute(insert(schema.buffers).values(**values))
            assert done.inserted_primary_key is not None
            return int(done.inserted_primary_key[0])
        if self._renames and found.name != name:
            self._connection.execute(
                update(schema.buffers).filter_by(id=found.id).values(name=name)
            )
        return int(found.id)

    def _learn_sources(self, missing: list[str]) -> None:
        if self._is_sqlite:
            given = "SELECT value FROM json_each(?)"
            values: tuple[Any, ...] = (json.dumps(missing),)
        else:
            given = "SELECT unnest(%s::text[])"
            values = (missing,)
        run = self._connection.exec_driver_sql
        # "WHERE true": without it SQLite reads ON as the start of a join.
        run(
            f"INSERT INTO sources (source) SELECT * FROM ({given}) AS given WHERE true "
            "ON CONFLICT DO NOTHING",
            values,
        )
        known = run(f"SELECT source, id FROM sources WHERE source IN ({given})", values)
        self._sources.update((source, number) for source, number in known)
