"""All that is kept for networks: of one user, or of everybody.

Read in as many statements for a thousand users as for one, for that many are started at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, select

from storage import rows, schema
from storage.ignored import KEY
from storage.records import Channel, Network, Subscription, User

R = TypeVar("R", Channel, Network, Subscription)


@dataclass(frozen=True, slots=True)
class Belongings:
    """A network, and what is its: `markers` in milliseconds by folded target, `marks` by (folded
    target, key), `ignored` masks in the order of the alphabet."""

    network: Network
    channels: tuple[Channel, ...]
    markers: dict[str, int]
    marks: dict[tuple[str, str], str]
    ignored: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]


def of_user(connection: Connection, user_id: int) -> list[Belongings]:
    """Of each of the user's networks, in the order in which these were added."""
    return list(_read(connection, user_id))


def of_everybody(connection: Connection) -> list[tuple[User, list[Belongings]]]:
    """All users by name, each with what `of_user` gives."""
    theirs = defaultdict(list)
    for each in _read(connection):
        theirs[each.network.user_id].append(each)
    users = rows.find(connection, schema.users, User, schema.users.c.folded_name)
    return [(user, theirs[user.id]) for user in users]


def _read(connection: Connection, user_id: int | None = None) -> Iterable[Belongings]:
    """Of one user's networks, or of all."""
    markers: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for network_id, target, time_ms in _rows(connection, schema.markers, user_id):
        markers[network_id][target] = time_ms
    marks: defaultdict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    ignored = defaultdict(list)
    for network_id, target, key, value in _rows(connection, schema.marks, user_id):
        if key == KEY:
            ignored[network_id].append(target)
        else:
            marks[network_id][target, key] = value
    channels = _records(connection, schema.channels, Channel, user_id)
    subscriptions = _records(connection, schema.subscriptions, Subscription, user_id)
    where = {} if user_id is None else {"user_id": user_id}
    for network in rows.find(connection, schema.networks, Network, **where):
        yield Belongings(
            network,
            tuple(channels[network.id]),
            markers[network.id],
            marks[network.id],
            tuple(sorted(ignored[network.id])),
            tuple(subscriptions[network.id]),
        )


def _records(
    connection: Connection, table: Table, record: type[R], user_id: int | None
) -> defaultdict[int, list[R]]:
    """By the id of their network."""
    found = defaultdict(list)
    for row in connection.execute(_query(table, user_id)).mappings():
        found[row["network_id"]].append(rows.to_record(connection, table, record, row))
    return found


def _rows(connection: Connection, table: Table, user_id: int | None) -> Iterable[Any]:
    """All columns but the rows' own numbers."""
    columns = [column for column in table.c if column.name != "id"]
    return connection.execute(_query(table, user_id).with_only_columns(*columns))


def _query(table: Table, user_id: int | None) -> Select[Any]:
    query = select(table).order_by(table.c.id)
    if user_id is None:
        return query
    networks = schema.networks.c
    return query.where(
        table.c.network_id.in_(select(networks.id).where(networks.user_id == user_id))
    )
