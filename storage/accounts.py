"""Users, their networks, channels, clients and certificates. One function, one statement or two.

The connection comes first: call them by `store.run(add_user, user)` and `store.read(list_users)`.
Texts of AlreadyThere and NotFound are what the user is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, select, update

from storage import rows, schema
from storage.directory import (
    add_agent,
    add_staff,
    change_agent,
    change_staff,
    drop_meta,
    get_agent,
    get_meta,
    get_staff,
    list_agents,
    list_staff,
    put_meta,
    remove_agent,
    remove_staff,
)
from storage.errors import AlreadyThere, NotFound, StorageError
from storage.records import Certificate, Channel, Client, Network, User

__all__ = [
    "AlreadyThere",
    "NotFound",
    "StorageError",
    "add_agent",
    "add_certificate",
    "add_network",
    "add_staff",
    "add_user",
    "change_agent",
    "change_channel",
    "change_client",
    "change_network",
    "change_staff",
    "change_user",
    "drop_meta",
    "get_agent",
    "get_channel",
    "get_client",
    "get_marker",
    "get_meta",
    "get_network",
    "get_staff",
    "get_user",
    "list_agents",
    "list_certificates",
    "list_channels",
    "list_clients",
    "list_marks",
    "list_networks",
    "list_staff",
    "list_users",
    "put_channel",
    "put_client",
    "put_delivered",
    "put_mark",
    "put_marker",
    "put_meta",
    "remove_agent",
    "remove_certificate",
    "remove_channel",
    "remove_client",
    "remove_network",
    "remove_staff",
    "remove_user",
    "user_by_certificate",
    "user_by_id",
]


# Users


def add_user(connection: Connection, user: User) -> User:
    taken = f"there is already a user {user.name}; `user set` changes it"
    return replace(user, id=rows.add(connection, schema.users, user, taken))


def list_users(connection: Connection) -> list[User]:
    return rows.find(connection, schema.users, User, schema.users.c.folded_name)


def get_user(connection: Connection, name: str) -> User:
    """By name, whatever its case. Raises NotFound."""
    for user in rows.find(connection, schema.users, User, folded_name=rows.folded(name)):
        return user
    raise NotFound(f"there is no user {name}; `user list` shows who there is")


def user_by_id(connection: Connection, user_id: int) -> User:
    for user in rows.find(connection, schema.users, User, id=user_id):
        return user
    raise NotFound("that user is no longer there")


def change_user(connection: Connection, user_id: int, **changes: Any) -> User:
    """Set fields of User by name, e.g. `admin=True`. Raises NotFound, AlreadyThere."""
    rows.change(connection, schema.users, User, user_id, changes)
    return user_by_id(connection, user_id)


def remove_user(connection: Connection, user_id: int) -> None:
    """Remove the user and all that is theirs; their messages go by the next `prune`."""
    rows.remove(connection, schema.users, "that user is no longer there", id=user_id)


# Client certificates


def add_certificate(connection: Connection, certificate: Certificate) -> Certificate:
    taken = "that certificate is known already; `certfp list` shows yours"
    return replace(certificate, id=rows.add(connection, schema.certificates, certificate, taken))


def list_certificates(connection: Connection, user_id: int) -> list[Certificate]:
    return rows.find(connection, schema.certificates, Certificate, user_id=user_id)


def user_by_certificate(connection: Connection, fingerprint: str) -> User | None:
    """Whose client certificate this is: SHA-256 of its DER form, lower case hex."""
    for found in rows.find(connection, schema.certificates, Certificate, fingerprint=fingerprint):
        return user_by_id(connection, found.user_id)
    return None


def remove_certificate(connection: Connection, user_id: int, fingerprint: str) -> None:
    missing = "no such certificate; `certfp list` shows those that are known"
    rows.remove(connection, schema.certificates, missing, user_id=user_id, fingerprint=fingerprint)


# Networks


def add_network(connection: Connection, network: Network) -> Network:
    taken = f"there is already a network {network.name}; `network set` changes it"
    return replace(network, id=rows.add(connection, schema.networks, network, taken))


def list_networks(connection: Connection, user_id: int | None = None) -> list[Network]:
    """Of one user, or all of them."""
    where = {} if user_id is None else {"user_id": user_id}
    return rows.find(connection, schema.networks, Network, **where)


def get_network(connection: Connection, user_id: int, name: str) -> Network:
    """By name, whatever its case. Raises NotFound."""
    where = {"user_id": user_id, "folded_name": rows.folded(name)}
    for network in rows.find(connection, schema.networks, Network, **where):
        return network
    raise NotFound(f"there is no network {name}; `network list` shows which there are")


def change_network(connection: Connection, network_id: int, **changes: Any) -> Network:
    """Set fields of Network by name. Raises NotFound, AlreadyThere."""
    rows.change(connection, schema.networks, Network, network_id, changes)
    return rows.find(connection, schema.networks, Network, id=network_id)[0]


def remove_network(connection: Connection, network_id: int) -> None:
    """Remove the network and all that is its; its messages go by the next `prune`."""
    rows.remove(connection, schema.networks, "that network is no longer there", id=network_id)


# Channels


def list_channels(connection: Connection, network_id: int) -> list[Channel]:
    return rows.find(connection, schema.channels, Channel, network_id=network_id)


def get_channel(connection: Connection, network_id: int, name: str) -> Channel:
    where = {"network_id": network_id, "folded_name": rows.folded(name)}
    for channel in rows.find(connection, schema.channels, Channel, **where):
        return channel
    raise NotFound(_no_channel(name))


def put_channel(connection: Connection, channel: Channel) -> Channel:
    """Add the channel, or replace the settings of the one with its name."""
    try:
        known = get_channel(connection, channel.network_id, channel.name)
    except NotFound:
        new = replace(channel, id=0)
        return replace(new, id=rows.add(connection, schema.channels, new, "taken"))
    table = schema.channels
    changes = {
        name: getattr(channel, name)
        for name in channel.__dataclass_fields__
        if name not in ("id", "network_id")
    }
    rows.change(connection, table, Channel, known.id, changes)
    return replace(channel, id=known.id)


def change_channel(connection: Connection, network_id: int, name: str, **changes: Any) -> Channel:
    """Set fields of Channel by name. Raises NotFound."""
    known = get_channel(connection, network_id, name)
    rows.change(connection, schema.channels, Channel, known.id, changes)
    return rows.find(connection, schema.channels, Channel, id=known.id)[0]


def remove_channel(connection: Connection, network_id: int, name: str) -> None:
    where = {"network_id": network_id, "folded_name": rows.folded(name)}
    rows.remove(connection, schema.channels, _no_channel(name), **where)


def _no_channel(name: str) -> str:
    return f"there is no channel {name}; `channel list` shows which there are"


# Clients and their cursors


def list_clients(connection: Connection, network_id: int) -> list[Client]:
    return rows.find(connection, schema.clients, Client, network_id=network_id)


def get_client(connection: Connection, network_id: int, name: str) -> Client | None:
    found = rows.find(connection, schema.clients, Client, network_id=network_id, name=name)
    return found[0] if found else None


# On each network; full: the one that lags behind most is forgotten.
MAX_CLIENT_NAMES = 200


def put_client(connection: Connection, network_id: int, name: str, delivered_id: int) -> Client:
    """The client of that name, made with this cursor where it is new (a known one keeps its)."""
    known = get_client(connection, network_id, name)
    if known is not None:
        return known
    new = Client(network_id, name, delivered_id=delivered_id)
    return replace(new, id=rows.add(connection, schema.clients, new, "taken"))


def change_client(connection: Connection, client_id: int, **changes: Any) -> Client:
    rows.change(connection, schema.clients, Client, client_id, changes)
    return rows.find(connection, schema.clients, Client, id=client_id)[0]


def put_delivered(connection: Connection, cursors: Iterable[tuple[int, int, int]]) -> None:
    """Move cursors forward: (client id, message id, when it was seen). None ever moves back."""
    furthest: dict[int, tuple[int, int]] = {}
    for client, *to in cursors:
        message, seen_ms = map(max, to, furthest.get(client, (0, 0)))
        furthest[client] = message, seen_ms
    # One statement, as in the appender: executemany takes the interpreter's lock for each row.
    values: tuple[object, ...]
    if connection.dialect.name == "sqlite":
        given = (
            "SELECT json_extract(value, '$[0]') AS client, json_extract(value, '$[1]') AS message, "
            "json_extract(value, '$[2]') AS seen FROM json_each(?)"
        )
        values = (json.dumps([(client, *to) for client, to in furthest.items()]),)
        later = "max"
    else:
        arrays = "unnest(%s::bigint[], %s::bigint[], %s::bigint[])"
        given = f"SELECT * FROM {arrays} AS given (client, message, seen)"
        values = (list(furthest), *map(list, zip(*furthest.values(), strict=True)))
        later = "greatest"
    connection.exec_driver_sql(
        f"UPDATE clients SET delivered_id = {later}(delivered_id, given.message), "
        f"seen_ms = {later}(seen_ms, given.seen) FROM ({given}) AS given "
        "WHERE clients.id = given.client "
        "AND (clients.delivered_id < given.message OR clients.seen_ms < given.seen)",
        values,
    )


def remove_client(connection: Connection, network_id: int, name: str) -> None:
    missing = f"there is no client {name}"
    rows.remove(connection, schema.clients, missing, network_id=network_id, name=name)


# Read markers, and what clients mark targets with (pinned, muted)


def put_marker(connection: Connection, network_id: int, target: str, time_ms: int) -> int:
    """Move the read marker forward; the marker after it, which never moves back.

    IRCv3 read-marker: "The last read timestamp of a target SHOULD only ever increase."
    """
    known = get_marker(connection, network_id, target)
    if known is None:
        values = {"network_id": network_id, "target": target, "time_ms": time_ms}
        rows.put(connection, schema.markers, values, "marked already")
        return time_ms
    if time_ms > known:
        connection.execute(
            update(schema.markers)
            .filter_by(network_id=network_id, target=target)
            .values(time_ms=time_ms)
        )
    return max(time_ms, known)


def get_marker(connection: Connection, network_id: int, target: str) -> int | None:
    query = select(schema.markers.c.time_ms).filter_by(network_id=network_id, target=target)
    return connection.execute(query).scalar_one_or_none()


def put_mark(connection: Connection, network_id: int, target: str, key: str, value: str) -> None:
    """Keep one piece of a user's own metadata about a target; '' removes it."""
    where = {"network_id": network_id, "target": target, "key": key}
    connection.execute(delete(schema.marks).filter_by(**where))
    if value:
        rows.put(connection, schema.marks, {**where, "value": value}, "marked already")


def list_marks(connection: Connection, network_id: int) -> dict[tuple[str, str], str]:
    """(target, key) -> value."""
    columns = schema.marks.c
    query = select(columns.target, columns.key, columns.value).filter_by(network_id=network_id)
    return {(target, key): value for target, key, value in connection.execute(query)}
