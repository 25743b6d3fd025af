"""Lines that are dated in the future, for a clock was wrong when they came: a network's, in the
days when that was believed; our own; another bouncer's, whose log was imported. Until then they
stand last in their conversations. They get the time of what the network brought before them.

All by index: one look at the end of each conversation, one at each line's neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, update

from storage import schema

STEP_ROWS = 500  # per transaction: a few milliseconds

_m = schema.messages.c
_b = schema.buffers.c
_of_network = select(_m.id, _m.time_ms).where(
    _m.network_id == bindparam("network_id"), _m.time_ms <= bindparam("latest_ms")
)
_BEFORE = (
    _of_network.where(_m.id < bindparam("below"), _m.id > bindparam("above"))
    .order_by(_m.id.desc())
    .limit(1)
)
_AFTER = _of_network.where(_m.id > bindparam("above")).order_by(_m.id).limit(1)
_UPDATE = (
    update(schema.messages).where(_m.id == bindparam("number")).values(time_ms=bindparam("at_ms"))
)


class Dated(NamedTuple):
    """A message and the time it is to have."""

    id: int
    time_ms: int


def conversations(connection: Connection, latest_ms: int) -> list[tuple[int, int]]:
    """(network, buffer) of all that hold lines dated later."""
    later = exists().where(_m.buffer_id == _b.id, _m.time_ms > latest_ms)
    query = select(_b.network_id, _b.id).where(later).order_by(_b.network_id, _b.id)
    return [(row[0], row[1]) for row in connection.execute(query)]


def lines(connection: Connection, latest_ms: int) -> dict[int, list[int]]:
    """The ids of all such lines in the order of their arrival, by network."""
    found: dict[int, list[int]] = {}
    for network_id, buffer_id in conversations(connection, latest_ms):
        query = select(_m.id).where(_m.buffer_id == buffer_id, _m.time_ms > latest_ms)
        found.setdefault(network_id, []).extend(connection.execute(query).scalars())
    for ids in found.values():
        ids.sort()
    return found


def dated(
    connection: Connection, network_id: int, ids: Sequence[int], latest_ms: int
) -> list[Dated]:
    """When these lines, of one network and ascending, came: with what it brought before them, else
    after them, else no later than `latest_ms`."""
    found: list[Dated] = []
    for message_id in ids:
        above = found[-1].id if found else -1
        values = {"network_id": network_id, "latest_ms": latest_ms, "above": above}
        before = connection.execute(_BEFORE, {**values, "below": message_id}).first()
        if before is not None:
            time_ms = before.time_ms
        elif found:
            time_ms = found[-1].time_ms
        else:
            after = connection.execute(_AFTER, {**values, "above": message_id}).first()
            time_ms = latest_ms if after is None else after.time_ms
        found.append(Dated(message_id, time_ms))
    return found


def date(connection: Connection, found: Sequence[Dated]) -> None:
    """Give the messages these times. Before, widen the zones of the index (`storage.coverage`)."""
    connection.execute(_UPDATE, [{"number": each.id, "at_ms": each.time_ms} for each in found])
