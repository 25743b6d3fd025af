"""The inverted index behind search and msgids: tokens -> message ids, trailing the messages.

It is derived from the messages and can be thrown away. It covers the ids from `low` to `high`;
what lies outside is not in it yet, and whoever asks scans that part himself. Tokens are the words
of a message and, marked by a private-use character, its network, buffer, sender and msgid.

Beside it stand zones: the earliest and latest time of each block of ids. Ids follow the order of
arrival, times mostly do too; zones tell how far a search by time has to look.

On SQLite it is a file of its own: indexing takes ten times as long as storing and would hold the
write lock. FTS5 keeps no text, no positions and no sizes. On PostgreSQL it is a table of tsvectors.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, text

from storage.words import SEARCHABLE, Wanted, fold_nick, words

ZONE = 4096  # ids per zone
VERSION = 1  # of tokens and tables: another one found is thrown away and built anew
_MARK = "\ue000"
# Two selects: SQLite goes straight to one end of an index only for a single min or max.
_EXTENT = text("SELECT (SELECT min(id) FROM messages), (SELECT max(id) FROM messages)")
_FIRST = f"coalesce(min(id), {1 << 32})"  # where an index begins
_UNICODE_3_2 = unicodedata.ucd_3_2_0
_MSGID_TAIL = 6  # characters of a msgid in the index; whoever looks one up compares the rest


def network_token(network_id: int) -> str:
    return f"{_MARK}n{network_id}"


def buffer_token(buffer_id: int) -> str:
    return f"{_MARK}b{buffer_id}"


def sender_token(nick: str) -> str:
    return f"{_MARK}s{fold_nick(nick).encode().hex()}"


def msgid_token(msgid: str) -> str:
    return f"{_MARK}m{msgid[-_MSGID_TAIL:].encode().hex()}"


class Covered(NamedTuple):
    """The ids that are in the index, both ends included. Empty when high < low."""

    low: int
    high: int


class Index(Protocol):
    """What both databases offer. `connection` sees messages and index."""

    def prepare(self, connection: Connection, identity: str) -> None:
        """Make the tables; drop those of another version or another database."""

    def covered(self, connection: Connection) -> Covered: ...

    def extend(self, connection: Connection, rows: int) -> int:
        """Take up to `rows` messages in, newest end first; how many it were."""

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        """Take messages out that are about to be deleted."""

    def find(
        self,
        connection: Connection,
        tokens: Sequence[str],
        wanted: Wanted,
        between: Covered,
        rows: int,
    ) -> list[int]:
        """Ids of messages that have all the tokens and words, the highest first.

        May give ids of messages that are gone, or that a closer look refuses.
        """


def of(connection: Connection) -> Index:
    """The index of the database at hand."""
    return _INDEXES[connection.dialect.name]


def is_behind(connection: Connection) -> bool:
    """Whether there is anything to take in."""
    return any(uncovered(connection, of(connection).covered(connection)))


def uncovered(connection: Connection, covered: Covered) -> Iterator[Covered]:
    """The stretches of ids in use that are not in the index: above it, and below it."""
    low, high = connection.execute(_EXTENT).one()
    if high is not None and high > covered.high:
        yield Covered(covered.high + 1, high)
    if low is not None and low < covered.low:
        yield Covered(low, covered.low - 1)


def zone_limits(connection: Connection, from_ms: int | None, to_ms: int | None) -> Covered:
    """The ids among which everything between two times (exclusive) must lie."""
    low, high = -(1 << 62), 1 << 62
    if from_ms is not None:
        query = f"SELECT min(zone) FROM {_zones(connection)} WHERE max_ms > :at"
        zone = connection.execute(text(query), {"at": from_ms}).scalar()
        low = high + 1 if zone is None else zone * ZONE
    if to_ms is not None:
        query = f"SELECT max(zone) FROM {_zones(connection)} WHERE min_ms < :at"
        zone = connection.execute(text(query), {"at": to_ms}).scalar()
        high = low - 1 if zone is None else (zone + 1) * ZONE - 1
    return Covered(low, high)


def latest_below(connection: Connection, message_id: int) -> int:
    """A time that no message in the index with a lower id exceeds."""
    query = f"SELECT max(max_ms) FROM {_zones(connection)} WHERE zone <= :zone"
    found = connection.execute(text(query), {"zone": message_id // ZONE}).scalar()
    return -(1 << 62) if found is None else int(found)


def _zones(connection: Connection) -> str:
    return "search.zones" if connection.dialect.name == "sqlite" else "search_zones"


class _Stretch(NamedTuple):
    """Ids to take in next, and how many messages they are."""

    first: int
    last: int
    rows: int


def _next_stretch(connection: Connection, covered: Covered, rows: int) -> _Stretch | None:
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
            return _Stretch(*found)
    return None


def _note(connection: Connection, state: str, covered: Covered, new: _Stretch) -> None:
    """Record that these ids are in the index now."""
    values = {"low": min(covered.low, new.first), "high": max(covered.high, new.last)}
    connection.execute(text(f"UPDATE {state} SET low = :low, high = :high"), values)
    least, greatest = ("min", "max") if "." in state else ("least", "greatest")
    query = (
        f"INSERT INTO {_zones(connection)} AS z (zone, min_ms, max_ms) "
        f"SELECT id / {ZONE} AS part, min(time_ms), max(time_ms) FROM messages "
        "WHERE id BETWEEN :first AND :last GROUP BY part ON CONFLICT (zone) DO UPDATE SET "
        f"min_ms = {least}(z.min_ms, excluded.min_ms), "
        f"max_ms = {greatest}(z.max_ms, excluded.max_ms)"
    )
    connection.execute(text(query), {"first": new.first, "last": new.last})


def _surely_alike(word: str) -> bool:
    """Whether SQLite sees the same word: it knows Unicode 6.1, Python a later one. What already
    was a letter or digit in 3.2 is one in both."""
    return all(_UNICODE_3_2.category(char)[0] in "LN" for char in word)


class SqliteIndex:
    """FTS5 in the attached database `search`. All work is done inside SQLite, without Python."""

    _TEXT = (
        "CASE WHEN m.command IN ('PRIVMSG', 'NOTICE') THEN "
        "replace(CASE WHEN instr(m.text, char(3)) OR instr(m.text, char(4)) "
        "THEN without_colours(m.text) ELSE m.text END, char(1) || 'ACTION ', '') "
        "|| ' M' || 's' || hex(replace(replace(replace(replace(lower("
        "substr(s.source, 1, instr(s.source || '!', '!') - 1)), "
        "'[', '{'), ']', '}'), '\\', '|'), '^', '~')) ELSE '' END "
        "|| ' M' || 'n' || m.network_id || ' M' || 'b' || m.buffer_id "
        "|| CASE m.msgid WHEN '' THEN '' ELSE ' M' || 'm' || hex(substr(m.msgid, -6)) END"
    ).replace("' M'", f"' {_MARK}'")
    _FROM = "FROM messages AS m JOIN sources AS s ON s.id = m.source_id"
    _WORTH = "(m.command IN ('PRIVMSG', 'NOTICE') OR m.msgid <> '')"

    def prepare(self, connection: Connection, identity: str) -> None:
        run = connection.exec_driver_sql
        if run("PRAGMA search.user_version").scalar() != VERSION or (
            run("SELECT identity FROM search.state").scalar() != identity
        ):
            for table in ("fts", "zones", "state"):
                run(f"DROP TABLE IF EXISTS search.{table}")
            run(
                "CREATE VIRTUAL TABLE search.fts USING fts5(words, content='', detail=none, "
                "columnsize=0, tokenize='unicode61 remove_diacritics 0')"
            )
            run(
                "CREATE TABLE search.zones "
                "(zone INTEGER PRIMARY KEY, min_ms INTEGER, max_ms INTEGER)"
            )
            run("CREATE TABLE search.state (identity TEXT, low INTEGER, high INTEGER)")
            run(
                f"INSERT INTO search.state SELECT ?, {_FIRST}, {_FIRST} - 1 FROM messages",
                (identity,),
            )
            run(f"PRAGMA search.user_version = {VERSION}")

    def covered(self, connection: Connection) -> Covered:
        return Covered(*connection.exec_driver_sql("SELECT low, high FROM search.state").one())

    def extend(self, connection: Connection, rows: int) -> int:
        # Another process may index too: take the lock first, then look.
        connection.exec_driver_sql("UPDATE search.state SET high = high")
        covered = self.covered(connection)
        new = _next_stretch(connection, covered, rows)
        if new is None:
            return 0
        connection.exec_driver_sql(
            f"INSERT INTO search.fts (rowid, words) SELECT m.id, {self._TEXT} {self._FROM} "
            f"WHERE m.id BETWEEN ? AND ? AND {self._WORTH} ORDER BY m.id",
            (new.first, new.last),
        )
        _note(connection, "search.state", covered, new)
        return new.rows

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        connection.exec_driver_sql(
            f"INSERT INTO search.fts (fts, rowid, words) SELECT 'delete', m.id, {self._TEXT} "
            f"{self._FROM} WHERE m.id IN (SELECT value FROM json_each(?)) AND {self._WORTH} "
            "AND m.id BETWEEN (SELECT low FROM search.state) AND (SELECT high FROM search.state)",
            (json.dumps(list(ids)),),
        )

    def find(
        self,
        connection: Connection,
        tokens: Sequence[str],
        wanted: Wanted,
        between: Covered,
        rows: int,
    ) -> list[int]:
        terms = [f'"{token}"' for token in (*tokens, *filter(_surely_alike, wanted.whole))]
        terms += [f'"{word}"*' for word in filter(_surely_alike, wanted.beginnings)]
        # All ids in one row: see storage.pages.
        found = connection.exec_driver_sql(
            "SELECT json_group_array(rowid) FROM (SELECT rowid FROM search.fts WHERE fts MATCH ? "
            "AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?)",
            (" AND ".join(terms), between.low, between.high, rows),
        )
        ids: list[int] = json.loads(found.scalar_one())
        return ids


class PostgresqlIndex:
    """A table of tsvectors under a GIN index, filled with the words that Python finds."""

    def prepare(self, connection: Connection, identity: str) -> None:
        run = connection.exec_driver_sql
        run(
            "CREATE TABLE IF NOT EXISTS search_state "
            "(version int, identity text, low bigint, high bigint)"
        )
        found = run("SELECT version, identity FROM search_state").first()
        if found is None or tuple(found) != (VERSION, identity):
            run("DROP TABLE IF EXISTS search_words, search_zones")
            run("DELETE FROM search_state")
            run("CREATE TABLE search_words (id bigint PRIMARY KEY, words tsvector NOT NULL)")
            run("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")
            run(
                "CREATE TABLE search_zones "
                "(zone bigint PRIMARY KEY, min_ms bigint NOT NULL, max_ms bigint NOT NULL)"
            )
            run(
                f"INSERT INTO search_state SELECT {VERSION}, %s, {_FIRST}, {_FIRST} - 1 "
                "FROM messages",
                (identity,),
            )

    def covered(self, connection: Connection) -> Covered:
        return Covered(*connection.exec_driver_sql("SELECT low, high FROM search_state").one())

    def extend(self, connection: Connection, rows: int) -> int:
        connection.exec_driver_sql("UPDATE search_state SET high = high")  # locks the row
        covered = self.covered(connection)
        new = _next_stretch(connection, covered, rows)
        if new is None:
            return 0
        found = connection.exec_driver_sql(
            "SELECT m.id, m.network_id, m.buffer_id, m.command, s.source, m.msgid, m.text "
            "FROM messages AS m JOIN sources AS s ON s.id = m.source_id "
            "WHERE m.id BETWEEN %s AND %s ORDER BY m.id",
            (new.first, new.last),
        )
        values = [(row[0], self._tokens(row)) for row in found]
        if values:
            connection.exec_driver_sql(
                "INSERT INTO search_words (id, words) VALUES (%s, array_to_tsvector(%s::text[])) "
                "ON CONFLICT DO NOTHING",
                values,
            )
        _note(connection, "search_state", covered, new)
        return new.rows

    def _tokens(self, row: Any) -> list[str]:
        _, network_id, buffer_id, command, source, msgid, said = row
        tokens = [network_token(network_id), buffer_token(buffer_id)]
        if command in SEARCHABLE:
            # PostgreSQL refuses a lexeme of 2 KiB; no line of IRC holds one in ASCII.
            tokens += [word for word in words(said) if len(word) < 500]
            tokens.append(sender_token(source.partition("!")[0]))
        if msgid:
            tokens.append(msgid_token(msgid))
        return tokens

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        connection.exec_driver_sql("DELETE FROM search_words WHERE id = ANY(%s)", (list(ids),))

    def find(
        self,
        connection: Connection,
        tokens: Sequence[str],
        wanted: Wanted,
        between: Covered,
        rows: int,
    ) -> list[int]:
        terms = [f"'{token}'" for token in (*tokens, *wanted.whole)]
        terms += [f"'{beginning}':*" for beginning in wanted.beginnings]
        found = connection.exec_driver_sql(
            "SELECT id FROM search_words WHERE words @@ %s::tsquery AND id BETWEEN %s AND %s "
            "ORDER BY id DESC LIMIT %s",
            (" & ".join(terms), between.low, between.high, rows),
        )
        return list(found.scalars())


_INDEXES: dict[str, Index] = {"sqlite": SqliteIndex(), "postgresql": PostgresqlIndex()}
