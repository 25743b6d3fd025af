"""History: what was said, read back exactly. Every query walks an index and stops at its limit.

A position in a buffer is (time, id): messages of one millisecond are told apart by their ids, so
that a page ends between two of them and the next one begins there. Results ascend by (time, id).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, tuple_

from storage import index, schema
from storage.message import (
    FIRST_POSITION,
    LAST,
    LAST_POSITION,
    Position,
    Row,
    id_of,
    msgid_of,
    own_msgid,
)
from storage.pages import SELECT_ROWS, Rows
from storage.words import Wanted

__all__ = [
    "FIRST_POSITION",
    "LAST",
    "LAST_POSITION",
    "Position",
    "Row",
    "after",
    "around",
    "before",
    "between",
    "buffer_number",
    "buffer_targets",
    "by_id",
    "find_msgid",
    "id_of",
    "latest",
    "msgid_of",
    "newest",
    "own_msgid",
    "since",
    "targets",
]

_m = schema.messages.c
_b = schema.buffers.c
_PLACE = tuple_(_m.time_ms, _m.id)


def _buffer_id() -> Any:
    return (
        select(_b.id)
        .where(_b.network_id == bindparam("network_id"), _b.target == bindparam("target"))
        .scalar_subquery()
    )


def _bound(name: str) -> Any:
    return tuple_(bindparam(f"{name}_ms"), bindparam(f"{name}_id"))


def _page(*, descending: bool) -> Select[Any]:
    order = (_m.time_ms.desc(), _m.id.desc()) if descending else (_m.time_ms, _m.id)
    return (
        SELECT_ROWS.where(_m.buffer_id == _buffer_id())
        .where(_bound("after") < _PLACE, _bound("before") > _PLACE)
        .order_by(*order)
        .limit(bindparam("limit"))
    )


_NEWEST_FIRST = Rows(_page(descending=True))
_OLDEST_FIRST = Rows(_page(descending=False))
_SINCE = Rows(
    SELECT_ROWS.where(_m.network_id == bindparam("network_id"), _m.id > bindparam("after_id"))
    .order_by(_m.id)
    .limit(bindparam("limit"))
)
_NEWEST = Rows(
    SELECT_ROWS.where(_m.network_id == bindparam("network_id"))
    .order_by(_m.id.desc())
    .limit(bindparam("limit"))
)
_BY_ID = Rows(SELECT_ROWS.where(_m.id == bindparam("message_id")))
_BUFFER = select(_b.id).where(
    _b.network_id == bindparam("network_id"), _b.target == bindparam("target")
)
# Messages that share the end of a msgid and the buffer: more than a handful are no accident.
MSGID_CANDIDATES = 1000
_MSGID = select(_m.time_ms, _m.id).where(
    _m.buffer_id == bindparam("buffer_id"),
    _m.msgid == bindparam("msgid"),
    _m.id.in_(bindparam("ids", expanding=True)),
)
_MSGID_TAIL = select(_m.time_ms, _m.id).where(
    _m.network_id == bindparam("network_id"),
    _m.id.between(bindparam("low"), bindparam("high")),
    _m.buffer_id == bindparam("buffer_id"),
    _m.msgid == bindparam("msgid"),
)


def _between(
    connection: Connection,
    query: Rows,
    network_id: int,
    target: str,
    after: Position,
    before: Position,
    limit: int,
) -> list[Row]:
    return query(
        connection,
        network_id=network_id,
        target=target,
        after_ms=after.time_ms,
        after_id=after.id,
        before_ms=before.time_ms,
        before_id=before.id,
        limit=limit,
    )


def since(connection: Connection, network_id: int, after_id: int, limit: int) -> list[Row]:
    """What the network brought after message `after_id`, in all buffers, by id: for playback."""
    return _SINCE(connection, network_id=network_id, after_id=after_id, limit=limit)


def newest(connection: Connection, network_id: int, limit: int) -> list[Row]:
    """The newest `limit` messages of a network in all buffers, by id: for a new client."""
    rows = _NEWEST(connection, network_id=network_id, limit=limit)
    rows.reverse()
    return rows


def by_id(connection: Connection, message_id: int) -> Row | None:
    """One message by its number."""
    found = _BY_ID(connection, message_id=message_id)
    return found[0] if found else None


def latest(
    connection: Connection,
    network_id: int,
    target: str,
    limit: int,
    after: Position = FIRST_POSITION,
) -> list[Row]:
    """The newest `limit` messages after `after`."""
    return before(connection, network_id, target, LAST_POSITION, limit, after)


def before(
    connection: Connection,
    network_id: int,
    target: str,
    position: Position,
    limit: int,
    after: Position = FIRST_POSITION,
) -> list[Row]:
    """The newest `limit` messages below `position` (exclusive) and above `after`."""
    found = _between(connection, _NEWEST_FIRST, network_id, target, after, position, limit)
    found.reverse()
    return found


def after(
    connection: Connection,
    network_id: int,
    target: str,
    position: Position,
    limit: int,
    before: Position = LAST_POSITION,
) -> list[Row]:
    """The oldest `limit` messages above `position` (exclusive) and below `before`."""
    return _between(connection, _OLDEST_FIRST, network_id, target, position, before, limit)


def around(
    connection: Connection, network_id: int, target: str, position: Position, limit: int
) -> list[Row]:
    """`limit` messages about `position`, the one that stands there included.

    A side that has fewer leaves its room to the other.
    """
    middle = Position(position.time_ms, position.id - 1)
    later = after(connection, network_id, target, middle, limit)
    earlier = before(connection, network_id, target, Position(*position), limit)
    want_earlier = max(limit // 2, limit - len(later))
    earlier = earlier[max(0, len(earlier) - want_earlier) :]
    return earlier + later[: limit - len(earlier)]


def between(
    connection: Connection,
    network_id: int,
    target: str,
    first: Position,
    second: Position,
    limit: int,
) -> list[Row]:
    """At most `limit` messages between two positions (both exclusive), counted from `first`.

    With `first` later than `second` the newest are taken. IRCv3 chathistory, BETWEEN.
    """
    if first <= second:
        return after(connection, network_id, target, first, limit, second)
    return before(connection, network_id, target, first, limit, second)


def buffer_number(connection: Connection, network_id: int, target: str) -> int | None:
    """The buffer's own number; None where nothing was ever said there."""
    values = {"network_id": network_id, "target": target}
    found = connection.execute(_BUFFER, values).scalar()
    return None if found is None else int(found)


def buffer_targets(connection: Connection, network_id: int) -> list[str]:
    """The folded targets of all conversations of a network."""
    query = select(_b.target).where(_b.network_id == network_id).order_by(_b.target)
    return list(connection.execute(query).scalars())


def find_msgid(connection: Connection, network_id: int, target: str, msgid: str) -> Position | None:
    """Where the message with this msgid stands in the buffer; None where it is not (any more)."""
    buffer_id = buffer_number(connection, network_id, target)
    if not msgid or buffer_id is None:
        return None
    values = {"buffer_id": buffer_id, "msgid": msgid}
    tokens = [index.msgid_token(msgid), index.buffer_token(buffer_id)]
    covered = index.of(connection).covered(connection)
    ids = index.of(connection).find(connection, tokens, Wanted(), covered, MSGID_CANDIDATES)
    found = connection.execute(_MSGID, {**values, "ids": ids}).first() if ids else None
    if found is None:  # it may be too new, or freshly imported
        tail = {**values, "network_id": network_id}
        above = {**tail, "low": covered.high + 1, "high": LAST}
        below = {**tail, "low": -LAST, "high": covered.low - 1}
        found = (
            connection.execute(_MSGID_TAIL, above).first()
            or connection.execute(_MSGID_TAIL, below).first()
        )
    own = id_of(msgid)
    if found is None and own is not None:
        found = connection.execute(_MSGID, {**values, "msgid": "", "ids": [own]}).first()
    return None if found is None else Position(*found)


def targets(
    connection: Connection, network_id: int, from_ms: int, to_ms: int, limit: int
) -> list[tuple[str, int]]:
    """Buffers whose newest message lies strictly between two times: (name, its time), ascending.

    IRCv3 chathistory, TARGETS. One look at the end of each buffer's index.
    """
    newest = (
        select(func.max(_m.time_ms)).where(_m.buffer_id == _b.id).correlate(schema.buffers)
    ).scalar_subquery()
    inner = select(_b.name, newest.label("newest")).where(_b.network_id == network_id).subquery()
    low, high = min(from_ms, to_ms), max(from_ms, to_ms)
    query = select(inner.c.name, inner.c.newest).where(inner.c.newest > low, inner.c.newest < high)
    found = sorted(((name, at) for name, at in connection.execute(query)), key=lambda x: x[1])
    return found[:limit] if from_ms <= to_ms else found[::-1][:limit][::-1]
