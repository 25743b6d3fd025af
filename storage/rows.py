"""Records <-> table rows: secrets sealed, tuples as JSON, names folded for uniqueness.

The functions of `accounts` and `directory` are written in terms of these seven; they know nothing
of what a column means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage import schema
from storage.errors import AlreadyThere, NotFound, StorageError
from storage.vault import Vault

R = TypeVar("R")

SECRETS = {
    schema.networks: {"password", "sasl_password", "certificate", "connect_commands", "proxy"},
    schema.channels: {"key"},
    schema.subscriptions: {"auth"},
}
LISTS = {
    schema.networks: {"connect_commands"},
    schema.staff: {"nicks", "accounts", "keys"},
    schema.subscriptions: {"caps"},
}
_ASCII_LOWER = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


def folded(name: str) -> str:
    """Names of users, networks and channel settings differ by more than ASCII case."""
    return name.translate(_ASCII_LOWER)


def vault_of(connection: Connection) -> Vault:
    """The vault that the engine put on each of its connections."""
    vault = connection.info["vault"]
    assert isinstance(vault, Vault)
    return vault


def to_columns(connection: Connection, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    columns = dict(values)
    for name in LISTS.get(table, set()) & columns.keys():
        columns[name] = json.dumps(columns[name], ensure_ascii=False) if columns[name] else ""
    for name in SECRETS.get(table, set()) & columns.keys():
        columns[name] = vault_of(connection).seal(columns[name])
    if "name" in columns and "folded_name" in table.c:
        columns["folded_name"] = folded(columns["name"])
    return columns


def to_record(connection: Connection, table: Table, record: type[R], row: Mapping[Any, Any]) -> R:
    values = {field.name: row[field.name] for field in fields(record)}  # type: ignore[arg-type]
    for name in SECRETS.get(table, set()):
        values[name] = vault_of(connection).open(values[name])
    for name in LISTS.get(table, set()):
        items = json.loads(values[name]) if values[name] else []
        values[name] = tuple(tuple(x) if isinstance(x, list) else x for x in items)
    return record(**values)


def add(connection: Connection, table: Table, record: Any, taken: str) -> int:
    """Insert `record`, give its new id. `taken` is the text of AlreadyThere."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    if not values.pop("id"):
        values = to_columns(connection, table, values)
    else:
        values = to_columns(connection, table, {**values, "id": record.id})
    return int(put(connection, table, values, taken)[0])


def put(
    connection: Connection, table: Table, values: Mapping[str, Any], taken: str
) -> tuple[Any, ...]:
    """Insert columns as they are; the primary key. Raises NotFound where what they belong to is
    gone, AlreadyThere with the text `taken`."""
    try:
        with connection.begin_nested():
            key = connection.execute(insert(table).values(**values)).inserted_primary_key
    except IntegrityError as error:
        if "foreign key" in str(error.orig).lower():
            raise NotFound("what this belongs to is no longer there") from None
        raise AlreadyThere(taken) from None
    assert key is not None
    return tuple(key)


def find(
    connection: Connection, table: Table, record: type[R], *order: Any, **where: Any
) -> list[R]:
    query = select(table).filter_by(**where).order_by(*(order or (table.c.id,)))
    rows = connection.execute(query).mappings()
    return [to_record(connection, table, record, row) for row in rows]


def change(
    connection: Connection, table: Table, record: type[Any], row_id: int, changes: Mapping[str, Any]
) -> None:
    """Set some fields of one row. Raises NotFound, AlreadyThere (a new name that is taken)."""
    unknown = changes.keys() - ({field.name for field in fields(record)} - {"id"})
    if unknown:
        raise StorageError(f"a {record.__name__.lower()} has no {', '.join(sorted(unknown))}")
    values = to_columns(connection, table, changes)
    if not values:
        return
    try:
        with connection.begin_nested():
            done = connection.execute(update(table).filter_by(id=row_id).values(**values))
    except IntegrityError:
        raise AlreadyThere(f"{changes.get('name', 'that name')} is taken") from None
    if done.rowcount != 1:
        raise NotFound(f"that {record.__name__.lower()} is no longer there")


def remove(connection: Connection, table: Table, missing: str, **where: Any) -> None:
    """Delete what matches. Raises NotFound with the text `missing` where nothing does."""
    if not connection.execute(delete(table).filter_by(**where)).rowcount:
        raise NotFound(missing)
