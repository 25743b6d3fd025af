"""Search by words, sender, target and time: the index's part and the tail it does not cover yet.

So a search is complete at once, however far the index trails. Exact: every candidate is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, collate, func, or_

from storage import coverage, index, schema
from storage.coverage import Covered
from storage.message import LAST, Row
from storage.messages import buffer_number
from storage.pages import LISTED, SELECT_ROWS, Rows
from storage.tokens import buffer_token, network_token, sender_token
from storage.words import SEARCHABLE, Wanted, fold_nick

FIRST_CHUNK = 200  # candidates looked at first; doubled until the answer is complete
MAX_CHUNK = 8_000
ANY_BUFFER = 0  # in the place of a buffer's number
RARE = 100  # messages with the words: fewer are looked at without asking whose they are

_m = schema.messages.c
_by_place = itemgetter(4, 0)  # (time_ms, id) of a Row
_BY_IDS = Rows(
    SELECT_ROWS.where(_m.id.in_(bindparam("ids", expanding=True))),
    SELECT_ROWS.where(_m.id.in_(LISTED)),
)


def _candidates(lower: Callable[[Any], Any]) -> Select[Any]:
    """What of a stretch of ids may be meant, by patterns of one word and the sender: nothing is
    missing, but a closer look refuses some. `lower` makes ASCII letters small, for LIKE."""
    source = func.coalesce(schema.sources.c.source, "")
    # in whose place another text stands before words are compared: see storage.words
    joined = _m.text.like("_%\x01ACTION %")
    return (
        SELECT_ROWS.where(
            _m.network_id == bindparam("network_id"),
            _m.id.between(bindparam("low"), bindparam("high")),
            _m.time_ms.between(bindparam("from_ms"), bindparam("to_ms")),
            or_(bindparam("buffer_id") == ANY_BUFFER, _m.buffer_id == bindparam("buffer_id")),
            or_(lower(_m.text).like(bindparam("word")), joined),
            lower(source).like(bindparam("sender")),
        )
        .order_by(_m.id)
        .limit(bindparam("limit"))
    )


# In a long tail a look at each message in Python takes ten times as long, and the relay's lock.
_TAIL = Rows(
    _candidates(lambda column: func.lower(collate(column, "C"))),
    _candidates(lambda column: column),  # SQLite's LIKE knows no case of ASCII letters
)
_ALSO_OF_OTHERS = str.maketrans("k", "_")  # it is the small letter of the Kelvin sign too
_FOLDED_IN_NICKS = str.maketrans(dict.fromkeys("[]\\^{}|~%_", "_"))


@dataclass(frozen=True, slots=True)
class _Asked:
    network_id: int
    wanted: Wanted
    sender: str
    target: str
    from_ms: int | None
    to_ms: int | None

    def takes(self, row: Row) -> bool:
        if row.network_id != self.network_id:
            return False
        if self.target and row.target != self.target:
            return False
        if self.from_ms is not None and row.time_ms <= self.from_ms:
            return False
        if self.to_ms is not None and row.time_ms >= self.to_ms:
            return False
        if self.sender and fold_nick(row.source.partition("!")[0]) != self.sender:
            return False
        return row.command in SEARCHABLE and self.wanted.match(row.text)

    def patterns(self) -> dict[str, Any]:
        """For LIKE: the longest of the words that are ASCII, and the sender."""
        plain = filter(str.isascii, (*self.wanted.whole, *self.wanted.beginnings))
        word = max(plain, key=len, default="").translate(_ALSO_OF_OTHERS)
        return {
            "word": f"%{word}%",
            "sender": f"{self.sender.translate(_FOLDED_IN_NICKS)}%",
            "from_ms": -LAST if self.from_ms is None else self.from_ms,
            "to_ms": LAST if self.to_ms is None else self.to_ms,
        }


def search(
    connection: Connection,
    network_id: int,
    text: str = "",
    sender: str = "",
    target: str = "",
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int = 100,
) -> list[Row]:
    """The newest `limit` messages with all the words of `text`, ascending by (time, id).

    `word*` finds beginnings. `sender` is a nick in any case, `target` folded as in Row; times are
    milliseconds, exclusive. What is '' or None does not matter.
    """
    if limit <= 0:
        return []
    wanted = Wanted.parse(text)
    if text.strip() and not wanted:
        return []  # nothing but punctuation: no word can match
    asked = _Asked(network_id, wanted, fold_nick(sender), target, from_ms, to_ms)
    tokens = [network_token(network_id)]
    buffer_id = ANY_BUFFER
    if target:
        found = buffer_number(connection, network_id, target)
        if found is None:
            return []
        buffer_id = found
        tokens.append(buffer_token(buffer_id))
    if sender:
        tokens.append(sender_token(sender))
    # The index is read first: what it does not cover then, the later look at the messages shows.
    covered = index.of(connection).covered(connection)
    best = _indexed(connection, asked, tokens, covered, limit)
    best = _newest([*best, *_tail(connection, asked, buffer_id, covered)], limit)
    best.reverse()
    return best


def _newest(rows: Iterable[Row], limit: int) -> list[Row]:
    return nlargest(limit, rows, key=_by_place)


def _indexed(
    connection: Connection, asked: _Asked, tokens: list[str], covered: Covered, limit: int
) -> list[Row]:
    low, high = covered
    if asked.from_ms is not None or asked.to_ms is not None:
        high = coverage.last_between(connection, high, asked.from_ms, asked.to_ms) or low - 1
    best: list[Row] = []
    if low <= high and index.of(connection).knows(asked.wanted):
        # A rare word is answered by itself; with tokens that half of all messages have it takes
        # thirty times as long.
        ids = index.of(connection).find(connection, (), asked.wanted, Covered(low, high), RARE)
        if len(ids) < RARE:
            return _newest(_those(connection, asked, ids), limit)
    chunk = max(FIRST_CHUNK, limit)
    while low <= high:
        between = Covered(low, high)
        ids = index.of(connection).find(connection, tokens, asked.wanted, between, chunk)
        best = _newest([*best, *_those(connection, asked, ids)], limit)
        if len(ids) < chunk:
            break
        # Times mostly follow ids, but a clock that was wrong for a moment must not have all of the
        # history looked through.
        after_ms = best[-1].time_ms if len(best) == limit else asked.from_ms
        last = coverage.last_between(connection, ids[-1] - 1, after_ms, asked.to_ms)
        if last is None:
            break
        high = last
        chunk = min(chunk * 2, MAX_CHUNK)
    return best


def _those(connection: Connection, asked: _Asked, ids: list[int]) -> Iterator[Row]:
    """Of these messages the ones that are meant."""
    if ids:
        listed = json.dumps(ids) if connection.dialect.name == "sqlite" else ids
        yield from filter(asked.takes, _BY_IDS(connection, ids=listed))


def _tail(connection: Connection, asked: _Asked, buffer_id: int, covered: Covered) -> Iterator[Row]:
    values = {"network_id": asked.network_id, "buffer_id": buffer_id, **asked.patterns()}
    for low, high in coverage.uncovered(connection, covered):
        while rows := _TAIL(connection, low=low, high=high, limit=MAX_CHUNK, **values):
            yield from filter(asked.takes, rows)
            low = rows[-1].id + 1
