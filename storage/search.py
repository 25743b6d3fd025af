"""Search by words, sender, target and time: the index's part and the tail it does not cover yet.

So a search is complete at once, however far the index trails. Exact: every candidate is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

from sqlalchemy import Connection, bindparam

from storage import coverage, index, schema
from storage.coverage import Covered
from storage.message import Row
from storage.messages import buffer_number
from storage.pages import LISTED, SELECT_ROWS, Rows
from storage.tokens import buffer_token, network_token, sender_token
from storage.words import SEARCHABLE, Wanted, fold_nick

FIRST_CHUNK = 200  # candidates looked at first; doubled until the answer is complete
MAX_CHUNK = 8_000
RARE = 100  # messages with the words: fewer are looked at without asking whose they are

_m = schema.messages.c
_by_place = itemgetter(4, 0)  # (time_ms, id) of a Row
_BY_IDS = Rows(
    SELECT_ROWS.where(_m.id.in_(bindparam("ids", expanding=True))),
    SELECT_ROWS.where(_m.id.in_(LISTED)),
)
_TAIL = Rows(
    SELECT_ROWS.where(
        _m.network_id == bindparam("network_id"),
        _m.id.between(bindparam("low"), bindparam("high")),
    )
    .order_by(_m.id)
    .limit(bindparam("limit"))
)


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
    if target:
        buffer_id = buffer_number(connection, network_id, target)
        if buffer_id is None:
            return []
        tokens.append(buffer_token(buffer_id))
    if sender:
        tokens.append(sender_token(sender))
    # The index is read first: what it does not cover then, the later look at the messages shows.
    covered = index.of(connection).covered(connection)
    best = _indexed(connection, asked, tokens, covered, limit)
    best = _newest([*best, *_tail(connection, asked, network_id, covered)], limit)
    best.reverse()
    return best


def _newest(rows: Iterable[Row], limit: int) -> list[Row]:
    return nlargest(limit, rows, key=_by_place)


def _indexed(
    connection: Connection, asked: _Asked, tokens: list[str], covered: Covered, limit: int
) -> list[Row]:
    limits = coverage.zone_limits(connection, asked.from_ms, asked.to_ms)
    low, high = max(limits.low, covered.low), min(limits.high, covered.high)
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
        high = ids[-1] - 1
        if len(best) == limit and best[-1].time_ms > coverage.latest_below(connection, high):
            break
        chunk = min(chunk * 2, MAX_CHUNK)
    return best


def _those(connection: Connection, asked: _Asked, ids: list[int]) -> Iterator[Row]:
    """Of these messages the ones that are meant."""
    if ids:
        listed = json.dumps(ids) if connection.dialect.name == "sqlite" else ids
        yield from filter(asked.takes, _BY_IDS(connection, ids=listed))


def _tail(
    connection: Connection, asked: _Asked, network_id: int, covered: Covered
) -> Iterator[Row]:
    for low, high in coverage.uncovered(connection, covered):
        values = {"network_id": network_id, "high": high, "limit": MAX_CHUNK}
        while rows := _TAIL(connection, low=low, **values):
            yield from filter(asked.takes, rows)
            low = rows[-1].id + 1
