"""History: what was said, read back exactly. Every query walks an index and stops at its limit.

A position in a buffer is (time, id): messages of one millisecond are told apart by their ids, so
that a page ends between two of them and the next one begins there. Results ascend by (time, id).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select, tuple_

from storage import index, schema
from storage.words import Wanted

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LAST = 1 << 62  # above every id, below the largest integer of both databases


class Row(NamedTuple):
    """One message as it is kept.

    `target` is the casefolded channel, or the folded nick of the other person; `name` as shown.
    `msgid` is '' where the network gave none (see `msgid_of`); `tags` are the raw tags to give
    back (no time, msgid, batch, label); `addressee` is the first parameter as sent, '' for `name`;
    `text` is the last parameter of PRIVMSG, NOTICE and TAGMSG. For other commands it is what
    stands on the line after the channel, colon included (`:reason` of PART, `bob :out` of KICK), or
    after the command where no channel is named (QUIT, NICK).
    """

    id: int
    network_id: int
    target: str
    name: str
    time_ms: int
    msgid: str
    command: str
    source: str
    tags: str
    addressee: str
    text: str


class Position(NamedTuple):
    """A place between messages of a buffer, or at one of them."""

    time_ms: int
    id: int

    @classmethod
    def before_ms(cls, time_ms: int) -> Position:
        """Just before everything of that millisecond."""
        return cls(time_ms, -LAST)

    @classmethod
    def after_ms(cls, time_ms: int) -> Position:
        """Just after everything of that millisecond."""
        return cls(time_ms, LAST)


FIRST_POSITION = Position(-LAST, -LAST)
LAST_POSITION = Position(LAST, LAST)


def msgid_of(row: Row) -> str:
    """The network's msgid, or ours: `m` and the id in base 36. IRCv3 message-ids."""
    return row.msgid or own_msgid(row.id)


def own_msgid(message_id: int) -> str:
    digits = ""
    while True:
        message_id, digit = divmod(message_id, 36)
        digits = _DIGITS[digit] + digits
        if not message_id:
            return "m" + digits


def id_of(msgid: str) -> int | None:
    """The id in one of our own msgids; None where it can't be one."""
    digits = msgid[1:]
    if msgid[:1] != "m" or not 0 < len(digits) <= 12 or not digits.isascii():
        return None
    if not digits.isalnum() or digits != digits.lower():
        return None
    return int(digits, 36)


_m = schema.messages.c
_b = schema.buffers.c
COLUMNS = (
    _m.id,
    _b.network_id,
    _b.target,
    _b.name,
    _m.time_ms,
    _m.msgid,
    _m.command,
    func.coalesce(schema.sources.c.source, ""),
    _m.tags,
    _m.addressee,
    _m.text,
)
JOINED = schema.messages.join(schema.buffers, _b.id == _m.buffer_id).join(
    schema.sources, schema.sources.c.id == _m.source_id, isouter=True
)
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
        select(*COLUMNS)
        .select_from(JOINED)
        .where(_m.buffer_id == _buffer_id(), _bound("after") < _PLACE, _bound("before") > _PLACE)
        .order_by(*order)
        .limit(bindparam("limit"))
    )


_NEWEST_FIRST = _page(descending=True)
_OLDEST_FIRST = _page(descending=False)
_SINCE = (
    select(*COLUMNS)
    .select_from(JOINED)
    .where(_m.network_id == bindparam("network_id"), _m.id > bindparam("after_id"))
    .order_by(_m.id)
    .limit(bindparam("limit"))
)
_NEWEST = (
    select(*COLUMNS)
    .select_from(JOINED)
    .where(_m.network_id == bindparam("network_id"))
    .order_by(_m.id.desc())
    .limit(bindparam("limit"))
)


_BY_ID = select(*COLUMNS).select_from(JOINED).where(_m.id == bindparam("message_id"))
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


def _rows(connection: Connection, query: Select[Any], **values: Any) -> list[Row]:
    return [Row._make(row) for row in connection.execute(query, values)]


def _between(
    connection: Connection,
    query: Select[Any],
    network_id: int,
    target: str,
    after: Position,
    before: Position,
    limit: int,
) -> list[Row]:
    return _rows(
        connection,
        query,
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
    return _rows(connection, _SINCE, network_id=network_id, after_id=after_id, limit=limit)


def newest(connection: Connection, network_id: int, limit: int) -> list[Row]:
    """The newest `limit` messages of a network in all buffers, by id: for a new client."""
    rows = _rows(connection, _NEWEST, network_id=network_id, limit=limit)
    rows.reverse()
    return rows


def by_id(connection: Connection, message_id: int) -> Row | None:
    """One message by its number."""
    found = _rows(connection, _BY_ID, message_id=message_id)
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
