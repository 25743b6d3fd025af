"""Users, networks and channels of another bouncer into ours; what is already here is left alone."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import Connection

from bouncer.connections.dial import ServerAddress
from bouncer.control import readers
from bouncer.importers.logfiles import Report
from storage import accounts
from storage.errors import NotFound
from storage.records import Channel, Network, User
from storage.rows import folded

_NO_PART = re.compile(r"[^\w.-]")


def fitting(name: str, taken: set[str]) -> str:
    """The name as commands and logins take it, and as none that is `taken`: it is from now on."""
    try:
        fit = readers.name(name)
    except ValueError:
        fit = _NO_PART.sub("_", name)[: readers.MAX_NAME - 4] or "_"
    while folded(fit) in taken:
        fit += "_"
    taken.add(folded(fit))
    return fit


def keep_user(connection: Connection, user: User, report: Report) -> User:
    try:
        return accounts.get_user(connection, user.name)
    except NotFound:
        report.users += 1
        return accounts.add_user(connection, user)


def keep_network(
    connection: Connection, network: Network, channels: list[Channel], report: Report
) -> Network:
    """The network of that name; channels it does not have yet are added."""
    try:
        kept = accounts.get_network(connection, network.user_id, network.name)
    except NotFound:
        report.networks += 1
        try:
            ServerAddress.parse(network.uri)
        except ValueError as error:
            report.notes.append(
                f"{network.name}: its server cannot be reached, {error}; set it with: "
                f"bouncer network set USER {network.name} URI"
            )
        kept = accounts.add_network(connection, network)
    for channel in channels:
        try:
            accounts.get_channel(connection, kept.id, channel.name)
        except NotFound:
            report.channels += 1
            accounts.put_channel(connection, replace(channel, network_id=kept.id))
    return kept
