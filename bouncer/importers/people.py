"""Users, networks and channels of another bouncer into ours; what is already here is left alone."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from bouncer.importers.logfiles import Report
from storage import accounts
from storage.errors import NotFound
from storage.records import Channel, Network, User


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
        kept = accounts.add_network(connection, network)
    for channel in channels:
        try:
            accounts.get_channel(connection, kept.id, channel.name)
        except NotFound:
            report.channels += 1
            accounts.put_channel(connection, replace(channel, network_id=kept.id))
    return kept
