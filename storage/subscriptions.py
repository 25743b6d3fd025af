"""Where the clients of a network want to be called by Web Push. The connection comes first."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, delete, func, select

from storage import rows, schema
from storage.errors import AlreadyThere
from storage.records import Subscription

MOST = 20  # of one user, over all networks; full: a new one is refused


def put(connection: Connection, subscription: Subscription) -> Subscription:
    """Add it in the place of one with the same endpoint. Raises AlreadyThere when the user has
    MOST others."""
    remove(connection, subscription.network_id, subscription.endpoint)
    networks = schema.networks.c
    user = select(networks.user_id).where(networks.id == subscription.network_id)
    theirs = select(networks.id).where(networks.user_id.in_(user))
    mine = schema.subscriptions.c.network_id.in_(theirs)
    known = connection.execute(
        select(func.count()).select_from(schema.subscriptions).where(mine)
    ).scalar_one()
    if known >= MOST:
        raise AlreadyThere(f"there are {MOST} subscriptions already")
    return replace(subscription, id=rows.add(connection, schema.subscriptions, subscription, ""))


def remove(connection: Connection, network_id: int, endpoint: str) -> None:
    """Remove the one with this endpoint, if it is there."""
    where = {"network_id": network_id, "endpoint": endpoint}
    connection.execute(delete(schema.subscriptions).filter_by(**where))


def expire(connection: Connection, subscription: Subscription) -> None:
    """Remove this very one: its endpoint may have been registered anew."""
    connection.execute(delete(schema.subscriptions).filter_by(id=subscription.id))
