"""Which messages are in the search index, and between which times they lie.

The index covers the ids from `low` to `high`; whoever asks scans the rest himself. Zones are the
earliest and latest time of each block of ids: ids follow the order of arrival, times mostly do too,
and zones tell how far a search by time has to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, text

from storage import schema
from storage.driver import Query

_m = schema.messages.c
ZONE = 4096  # ids per zone
# Two selects: SQLite goes straight to one end of an index only for a single min or max.
_EXTENT = Query(
    select(select(func.min(_m.id)).scalar_subquery(), select(func.max(_m.id)).scalar_subquery())
)
_TIMES = Query(
    select(func.min(_m.time_ms), func.max(_m.time_ms)).where(
        _m.id.between(bindparam("first"), bindparam("last"))
    )
)
FIRST_ID = f"coalesce(min(id), {1 << 32})"  # where a new index begins


class Covered(NamedTuple):
    """The ids that are in the index, both ends included. Empty when high < low."""

    low: int
    high: int


def uncovered(connection: Connection, covered: Covered) -> Iterator[Covered]:
    """The stretches of ids in use that are not in the index: above it, and below it."""
    ((low, high),) = _EXTENT(connection)
    if high is not None and high > covered.high:
        yield Covered(covered.high + 1, high)
    if low is not None and low < covered.low:
        yield Covered(low, covered.low - 1)


def last_between(
    connection: Connection, message_id: int, after_ms: int | None, before_ms: int | None
) -> int | None:
    """The highest id, this one or lower, above which nothing in the index lies between two times
    (exclusive); None where nothing does at all."""
    after = -(1 << 62) if after_ms is None else after_ms
    before = 1 << 62 if before_ms is None else before_ms
    zone = message_id // ZONE
    # Of its own zone exactly: what is above the id would hide that the search is at its end.
    ((least, greatest),) = _TIMES(connection, first=zone * ZONE, last=message_id)
    if least is not None and greatest > after and least < before:
        return message_id
    query = (
        f"SELECT max(zone) FROM {_zones(connection)} "
        "WHERE zone < :zone AND max_ms > :after AND min_ms < :before"
    )
    values = {"zone": zone, "after": after, "before": before}
    earlier = connection.execute(text(query), values).scalar()
    return None if earlier is None else int(earlier) * ZONE + ZONE - 1


class Stretch(NamedTuple):
    """Ids to take in next, and how many messages they are."""

    first: int
    last: int
    rows: int


def next_stretch(connection: Connection, covered: Covered, rows: int) -> Stretch | None:
    """What lies next above what is covered, else next below it: imports are numbered downward."""
    for condition, edge in (
        ("id > :edge ORDER BY id", covered.high),
        ("id < :edge ORDER BY id DESC", covered.low),
    ):
        query = (
            "SELECT min(id), max(id), count(*) FROM "
            f"(SELECT id FROM messages WHERE {condition} LIMIT :rows) AS part"
        )
        found = connection.execute(text(query), {"edge": edge, "rows": rows}).one()
        if found[2]:
            return Stretch(*found)
    return None


def note(connection: Connection, state: str, covered: Covered, new: Stretch) -> None:
    """Record that these ids are in the index now."""
    values = {"low": min(covered.low, new.first), "high": max(covered.high, new.last)}
    connection.execute(text(f"UPDATE {state} SET low = :low, high = :high"), values)
    query = (
        f"SELECT id / {ZONE} AS part, min(time_ms), max(time_ms) FROM messages "
        "WHERE id BETWEEN :first AND :last GROUP BY part"
    )
    _widen(connection, query, {"first": new.first, "last": new.last})


def widen(connection: Connection, times: Iterable[tuple[int, int]]) -> None:
    """Have the zones hold these times too: (id, milliseconds). What is not in the index yet is, by
    its old time, whenever it is noted."""
    values = [{"zone": message_id // ZONE, "at": time_ms} for message_id, time_ms in times]
    _widen(connection, "VALUES (:zone, :at, :at)", values)


def _widen(
    connection: Connection, given: str, values: dict[str, int] | list[dict[str, int]]
) -> None:
    least, greatest = ("least", "greatest")
    if connection.dialect.name == "sqlite":
        least, greatest = "min", "max"
    query = (
        f"INSERT INTO {_zones(connection)} AS z (zone, min_ms, max_ms) {given} "
        "ON CONFLICT (zone) DO UPDATE SET "
        f"min_ms = {least}(z.min_ms, excluded.min_ms), "
        f"max_ms = {greatest}(z.max_ms, excluded.max_ms)"
    )
    connection.execute(text(query), values)


def _zones(connection: Connection) -> str:
    return "search.zones" if connection.dialect.name == "sqlite" else "search_zones"
