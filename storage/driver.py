"""Statements whose text is made once. On SQLite the driver runs them itself.

What SQLAlchemy does around a statement takes longer than a page of history takes SQLite. Errors are
those of SQLAlchemy all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any] | Sequence[Any]

_NAMED = sqlite.dialect(paramstyle="named")


def run_sqlite(connection: Connection, statement: str, values: Values = ()) -> list[Any]:
    """All rows of one statement on SQLite, in the connection's transaction."""
    driver = connection.connection.driver_connection
    assert driver is not None
    if not driver.in_transaction:
        connection.begin()
    try:
        rows: list[Any] = driver.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError(statement, values, error) from error
    return rows


class Query:
    """A SELECT with named parameters, for both databases; `on_sqlite` where that one is another."""

    def __init__(self, query: Select[Any], on_sqlite: Select[Any] | None = None) -> None:
        self._query = query
        self._on_sqlite = query if on_sqlite is None else on_sqlite

    @cached_property
    def _made(self) -> tuple[str, dict[str, Any]]:
        """The text, and the values of the parameters that the query itself holds."""
        compiled = self._on_sqlite.compile(dialect=_NAMED)
        return str(compiled), dict(compiled.params)

    def __call__(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """All rows."""
        if connection.dialect.name == "sqlite":
            text, own = self._made
            return run_sqlite(connection, text, {**own, **values})
        return connection.execute(self._query, values).all()
