"""Rows into the messages table, fast: plain tuples, one transaction, buffer numbers remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from storage import schema
from storage.engine import Engines
from storage.messages import Row

CACHED_BUFFERS = 65_536  # forgotten wholesale beyond this, and read again

_COLUMNS = "id, network_id, buffer_id, time_ms, msgid, command, source, tags, addressee, text"


class Appender:
    """Used by the writer thread alone."""

    def __init__(self, engines: Engines, connection: Connection) -> None:
        self._connection = connection
        mark = "?" if engines.is_sqlite else "%s"
        marks = ", ".join([mark] * 10)
        self._insert = f"INSERT INTO messages ({_COLUMNS}) VALUES ({marks})"
        self._buffers: dict[tuple[int, str], tuple[int, str]] = {}

    def forget(self) -> None:
        """Drop what is remembered: a transaction was rolled back, or rows were removed."""
        self._buffers.clear()

    def append(self, rows: Sequence[Row]) -> None:
        """Commit the rows in one transaction."""
        try:
            with self._connection.begin():
                self._connection.exec_driver_sql(self._insert, self._tuples(rows))
        except BaseException:
            self.forget()
            raise

    def _tuples(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        known = self._buffers
        out = []
        for row in rows:
            i, network, target, name, time_ms, msgid, command, source, tags, addressee, text = row
            try:
                buffer_id, last_name = known[network, target]
            except KeyError:
                buffer_id, last_name = self._look_up(network, target, name)
            if last_name != name:
                self._rename(network, target, buffer_id, name)
            out.append(
                (i, network, buffer_id, time_ms, msgid, command, source, tags, addressee, text)
            )
        return out

    def _look_up(self, network_id: int, target: str, name: str) -> tuple[int, str]:
        columns = schema.buffers.c
        where = {"network_id": network_id, "target": target}
        found = self._connection.execute(
            select(columns.id, columns.name).filter_by(**where)
        ).first()
        if found is None:
            values = {**where, "name": name}
            done = self._connection.execute(insert(schema.buffers).values(**values))
            assert done.inserted_primary_key is not None
            buffer = (int(done.inserted_primary_key[0]), name)
        else:
            buffer = (found[0], found[1])
        if len(self._buffers) >= CACHED_BUFFERS:
            self._buffers.clear()
        self._buffers[network_id, target] = buffer
        return buffer

    def _rename(self, network_id: int, target: str, buffer_id: int, name: str) -> None:
        self._connection.execute(update(schema.buffers).filter_by(id=buffer_id).values(name=name))
        self._buffers[network_id, target] = (buffer_id, name)
