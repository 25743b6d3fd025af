"""History: what was said, read back exactly. Every query walks an index and stops at its limit.

A position in a buffer is (time, id): messages of one millisecond are told apart by their ids, so
that a page ends between two of them and the next one begins there. Results ascend by (time, id).
`events=False` gives what was said alone: PRIVMSG and NOTICE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, literal_column, or_, select, tuple_

from storage import coverage, index, schema
from storage.driver import Query
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
from storage.tokens import buffer_token, msgid_token
from storage.words import SEARCHABLE

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


# What is said, in contrast to events: who came, went, changed a nick, a mode or a topic.
_IS_CHAT = or_(*(_m.command == literal_column(f"'{command}'") for command in SEARCHABLE))


def _page(*, descending: bool, events: bool) -> Select[Any]:
    order = (_m.time_ms.desc(), _m.id.desc()) if descending else (_m.time_ms, _m.id)
    wanted = SELECT_ROWS if events else SELECT_ROWS.where(_IS_CHAT)
    return (
        wanted.where(_m.buffer_id == _buffer_id())
        .where(_bound("after") < _PLACE, _bound("before") > _PLACE)
        .order_by(*order)
        .limit(bindparam("limit"))
    )


_NEWEST_FIRST = {events: Rows(_page(descending=True, events=events)) for events in (True, False)}
_OLDEST_FIRST = {events: Rows(_page(descending=False, events=events)) for events in (True, False)}
_AFTER_ID = (
    SELECT_ROWS.where(_m.network_id == bindparam("network_id"), _m.id > bindparam("after_id"))
    .order_by(_m.id)
    .limit(bindparam("limit"))
)
_SINCE = {True: Rows(_AFTER_ID), False: Rows(_AFTER_ID.where(_IS_CHAT))}
_NEWEST = Rows(
    SELECT_ROWS.where(_m.network_id == bindparam("network_id"), _IS_CHAT)
    .order_by(_m.id.desc())
    .limit(bindparam("limit"))
)
_BY_ID = Rows(SELECT_ROWS.where(_m.id == bindparam("message_id")))
_BUFFER = Query(
    select(_b.id).where(_b.network_id == bindparam("network_id"), _b.target == bindparam("target"))
)
# Messages that share the end of a msgid: more than a few are no accident, then those of the same
# buffer alone are looked at, and of them no more than so many.
MSGID_ALIKE = 32
MSGID_CANDIDATES = 1000
_OF_MSGID = select(_m.time_ms, _m.id).where(
    _m.buffer_id == bindparam("buffer_id"), _m.msgid == bindparam("msgid")
)
_NUMBERED = Query(_OF_MSGID.where(_m.id == bindparam("message_id")))
_MSGID_TAIL = Query(  # from the newest: there a client begins to page
    _OF_MSGID.where(
        _m.network_id == bindparam("network_id"),
        _m.id.between(bindparam("low"), bindparam("high")),
    )
    .order_by(_m.id.desc())
    .limit(1)
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


def since(
    connection: Connection, network_id: int, after_id: int, limit: int, *, events: bool = True
) -> list[Row]:
    """What the network brought after message `after_id`, in all buffers, by id: for playback."""
    return _SINCE[events](connection, network_id=network_id, after_id=after_id, limit=limit)


def newest(connection: Connection, network_id: int, limit: int) -> list[Row]:
    """The last `limit` things said on a network in all buffers, by id: for a new client."""
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
    *,
    events: bool = True,
) -> list[Row]:
    """The newest `limit` messages after `after`."""
    return before(connection, network_id, target, LAST_POSITION, limit, after, events=events)


def before(
    connection: Connection,
    network_id: int,
    target: str,
    position: Position,
    limit: int,
    after: Position = FIRST_POSITION,
    *,
    events: bool = True,
) -> list[Row]:
    """The newest `limit` messages below `position` (exclusive) and above `after`."""
    query = _NEWEST_FIRST[events]
    found = _between(connection, query, network_id, target, after, position, limit)
    found.reverse()
    return found


def after(
    connection: Connection,
    network_id: int,
    target: str,
    position: Position,
    limit: int,
    before: Position = LAST_POSITION,
    *,
    events: bool = True,
) -> list[Row]:
    """The oldest `limit` messages above `position` (exclusive) and below `before`."""
    query = _OLDEST_FIRST[events]
    return _between(connection, query, network_id, target, position, before, limit)


def around(
    connection: Connection,
    network_id: int,
    target: str,
    position: Position,
    limit: int,
    *,
    events: bool = True,
) -> list[Row]:
    """`limit` messages about `position`, the one that stands there included.

    A side that has fewer leaves its room to the other.
    """
    middle = Position(position.time_ms, position.id - 1)
    later = after(connection, network_id, target, middle, limit, events=events)
    earlier = before(connection, network_id, target, Position(*position), limit, events=events)
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
    *,
    events: bool = True,
) -> list[Row]:
    """At most `limit` messages between two positions (both exclusive), counted from `first`.

    With `first` later than `second` the newest are taken. IRCv3 chathistory, BETWEEN.
    """
    if first <= second:
        return after(connection, network_id, target, first, limit, second, events=events)
    return before(connection, network_id, target, first, limit, second, events=events)


def buffer_number(connection: Connection, network_id: int, target: str) -> int | None:
    """The buffer's own number; None where nothing was ever said there."""
    found = _BUFFER(connection, network_id=network_id, target=target)
    return int(found[0][0]) if found else None


def buffer_targets(connection: Connection, network_id: int) -> list[str]:
    """The folded targets of all conversations of a network."""
    query = select(_b.target).where(_b.network_id == network_id).order_by(_b.target)
    return list(connection.execute(query).scalars())


def find_msgid(
    connection: Connection,
    network_id: int,
    target: str,
    msgid: str,
    numbers: Sequence[int] = (),
) -> Position | None:
    """Where the message with this msgid stands in the buffer; None where it is not (any more).

    `numbers` are ids that it may well have: one of these is found without a search.
    """
    buffer_id = buffer_number(connection, network_id, target)
    if not msgid or buffer_id is None:
        return None
    own = id_of(msgid)
    guesses = [(msgid, number) for number in numbers]
    if own is not None:
        guesses.append(("", own))
    for kept, number in guesses:
        found = _NUMBERED(connection, buffer_id=buffer_id, msgid=kept, message_id=number)
        if found:
            return Position(*found[0])
    return _find_network_msgid(connection, network_id, buffer_id, msgid)


def _find_network_msgid(
    connection: Connection, network_id: int, buffer_id: int, msgid: str
) -> Position | None:
    trailing = index.of(connection)
    covered = trailing.covered(connection)
    token = msgid_token(msgid)
    place = trailing.place(connection, (token,), buffer_id, msgid, MSGID_ALIKE)
    if place is None:
        tokens = (token, buffer_token(buffer_id))
        place = trailing.place(connection, tokens, buffer_id, msgid, MSGID_CANDIDATES)
    if place is not None:
        return Position(*place)
    for low, high in coverage.uncovered(connection, covered):
        values = {"buffer_id": buffer_id, "msgid": msgid, "network_id": network_id}
        rows = _MSGID_TAIL(connection, **values, low=low, high=high)
        if rows:
            return Position(*rows[0])
    return None


def targets(
    connection: Connection, network_id: int, from_ms: int, to_ms: int, limit: int
) -> list[tuple[str, int]]:
    """Buffers whose newest message lies strictly between two times: (name, its time), ascending.

    IRCv3 chathistory, TARGETS. One look at the end of each buffer's index.
    """
    newest = (
        select(_m.time_ms)
        .where(_m.buffer_id == _b.id, _IS_CHAT)
        .order_by(_m.time_ms.desc())
        .limit(1)
        .correlate(schema.buffers)
    ).scalar_subquery()
    inner = select(_b.name, newest.label("newest")).where(_b.network_id == network_id).subquery()
    low, high = min(from_ms, to_ms), max(from_ms, to_ms)
    query = select(inner.c.name, inner.c.newest).where(inner.c.newest > low, inner.c.newest < high)
    found = sorted(((name, at) for name, at in connection.execute(query)), key=lambda x: x[1])
    return found[:limit] if from_ms <= to_ms else found[::-1][:limit][::-1]
