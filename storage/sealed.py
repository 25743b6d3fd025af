"""What the key file has sealed: how much, whether it opens, and giving it up where the key is lost.

The connection comes first: call these by `store.read(count)` and `store.run(forget)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Table, delete, inspect, select, update

from storage import schema
from storage.errors import Unusable
from storage.rows import SECRETS, vault_of
from storage.vault import is_sealed

Given = tuple[str, str, str]  # user, network, and what was given up


def count(connection: Connection) -> int:
    """How many secrets are sealed, whichever release has made the tables; 0 where none has."""
    return sum(1 for _ in _sealed(connection))


def check(connection: Connection) -> None:
    """Raise Unusable where the vault does not open one of them."""
    vault = vault_of(connection)
    for *_, stored in _sealed(connection):
        vault.open(stored)


def forget(connection: Connection) -> list[Given]:
    """Empty what the vault does not open; a push subscription, worth nothing then, goes whole."""
    vault = vault_of(connection)
    owners = _owners(connection)
    given_up = []
    for table, row_id, network_id, column, stored in list(_sealed(connection)):
        try:
            vault.open(stored)
        except Unusable:
            if table is schema.subscriptions:
                connection.execute(delete(table).filter_by(id=row_id))
            else:
                connection.execute(update(table).filter_by(id=row_id).values({column: ""}))
            given_up.append((*owners[network_id], _NAMES.get((table, column), column)))
    return given_up


_NAMES = {
    (schema.networks, "password"): "server password",
    (schema.networks, "sasl_password"): "SASL password",
    (schema.networks, "connect_commands"): "connect commands",
    (schema.channels, "key"): "a channel's key",
    (schema.subscriptions, "auth"): "a push subscription",
}


def _sealed(connection: Connection) -> Iterator[tuple[Table, int, int, str, str]]:
    """(table, row, its network, column, what is stored)."""
    found = inspect(connection)
    for table, columns in SECRETS.items():
        if not found.has_table(table.name):
            continue
        network = table.c.id if table is schema.networks else table.c.network_id
        there = {column["name"] for column in found.get_columns(table.name)}
        for name in sorted(columns & there):
            query = select(table.c.id, network, table.c[name]).order_by(table.c.id)
            for row_id, network_id, stored in connection.execute(query).all():
                if is_sealed(stored):
                    yield table, row_id, network_id, name, stored


def _owners(connection: Connection) -> dict[int, tuple[str, str]]:
    """User and network by the network's number."""
    users, networks = schema.users.c, schema.networks.c
    query = select(networks.id, users.name, networks.name).where(users.id == networks.user_id)
    return {number: (user, network) for number, user, network in connection.execute(query)}
