"""What users have noted of a network, read by queries of the tests' own."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage import rows, schema
from storage.records import Subscription


def markers(connection: Connection, network_id: int) -> dict[str, int]:
    """All read markers of a network: target -> milliseconds."""
    columns = schema.markers.c
    query = select(columns.target, columns.time_ms).filter_by(network_id=network_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def subscriptions(connection: Connection, network_id: int) -> list[Subscription]:
    return rows.find(connection, schema.subscriptions, Subscription, network_id=network_id)
