"""The search index on PostgreSQL: a table of tsvectors under a GIN index, with Python's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from storage.coverage import FIRST_ID, Covered, next_stretch, note
from storage.tokens import VERSION, buffer_token, msgid_token, network_token, sender_token
from storage.words import SEARCHABLE, Wanted, words

LONGEST_WORD = 500  # characters; PostgreSQL refuses lexemes of 2 KiB
# So many of the newest messages are walked for words that may be frequent, before GIN is asked for
# all that have them; and so many where the first held OFTEN of them.
GLANCE, WALK = 2_048, 65_536
OFTEN = 4

# PostgreSQL takes a token that it has no figures of for one of 0.5 % of all messages: it would walk
# all of them, the newest first, until it has found enough. OFFSET leaves it the named way alone.
_WALK = (
    "SELECT id FROM (SELECT id, words FROM search_words WHERE id BETWEEN %(low)s AND %(high)s "
    "ORDER BY id DESC OFFSET 0) AS walked WHERE words @@ %(terms)s::tsquery "
    "ORDER BY id DESC LIMIT %(rows)s"
)
_GIN = (
    "SELECT id FROM (SELECT id FROM search_words WHERE words @@ %(terms)s::tsquery "
    "AND id BETWEEN %(low)s AND %(high)s OFFSET 0) AS found ORDER BY id DESC LIMIT %(rows)s"
)
_PLACE = (
    "SELECT time_ms, id FROM messages WHERE id = ANY(ARRAY(SELECT id FROM ("
    "SELECT id FROM search_words WHERE words @@ %(terms)s::tsquery OFFSET 0) AS found "
    "ORDER BY id DESC LIMIT %(candidates)s)) AND buffer_id = %(buffer_id)s AND msgid = %(msgid)s"
)


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
                f"INSERT INTO search_state SELECT {VERSION}, %s, {FIRST_ID}, {FIRST_ID} - 1 "
                "FROM messages",
                (identity,),
            )

    def covered(self, connection: Connection) -> Covered:
        return Covered(*connection.exec_driver_sql("SELECT low, high FROM search_state").one())

    def extend(self, connection: Connection, rows: int) -> int:
        connection.exec_driver_sql("UPDATE search_state SET high = high")  # locks the row
        covered = self.covered(connection)
        new = next_stretch(connection, covered, rows)
        if new is None:
            return 0
        self._take_in(connection, "m.id BETWEEN %s AND %s", (new.first, new.last))
        note(connection, "search_state", covered, new)
        return new.rows

    def _take_in(self, connection: Connection, condition: str, values: tuple[Any, ...]) -> None:
        found = connection.exec_driver_sql(
            "SELECT m.id, m.network_id, m.buffer_id, m.command, s.source, m.msgid, m.text "
            f"FROM messages AS m JOIN sources AS s ON s.id = m.source_id WHERE {condition} "
            "ORDER BY m.id",
            values,
        )
        if new := [(row[0], self._tokens(row)) for row in found]:
            connection.exec_driver_sql(
                "INSERT INTO search_words (id, words) VALUES (%s, array_to_tsvector(%s::text[])) "
                "ON CONFLICT (id) DO UPDATE SET words = excluded.words",
                new,
            )

    def _tokens(self, row: Any) -> list[str]:
        _, network_id, buffer_id, command, source, msgid, said = row
        tokens = [network_token(network_id), buffer_token(buffer_id)]
        if command in SEARCHABLE:
            # The beginning of a longer one is found by its beginnings.
            tokens += (word[:LONGEST_WORD] for word in words(said))
            tokens.append(sender_token(source.partition("!")[0]))
        if msgid:
            tokens.append(msgid_token(msgid))
        return tokens

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        connection.exec_driver_sql("DELETE FROM search_words WHERE id = ANY(%s)", (list(ids),))

    def put_back(self, connection: Connection, ids: Sequence[int]) -> None:
        connection.exec_driver_sql("UPDATE search_state SET high = high")  # locks the row
        self._take_in(connection, "m.id = ANY(%s)", (list(ids),))

    def knows(self, wanted: Wanted) -> bool:
        return any(map(_fits, (*wanted.whole, *wanted.beginnings)))

    def find(
        self,
        connection: Connection,
        tokens: Sequence[str],
        wanted: Wanted,
        between: Covered,
        rows: int,
    ) -> list[int]:
        terms = [f"'{token}'" for token in (*tokens, *filter(_fits, wanted.whole))]
        terms += [f"'{word}':*" for word in filter(_fits, wanted.beginnings)]
        query = " & ".join(terms)

        def ask(statement: str, low: int) -> list[int]:
            values = {"terms": query, "low": max(low, between.low), "high": between.high}
            found = connection.exec_driver_sql(statement, {**values, "rows": rows})
            return list(found.scalars())

        ids = ask(_WALK, between.high - GLANCE)
        if OFTEN <= len(ids) < rows:
            ids = ask(_WALK, between.high - WALK)
        return ids if len(ids) == rows else ask(_GIN, between.low)

    def place(
        self,
        connection: Connection,
        tokens: Sequence[str],
        buffer_id: int,
        msgid: str,
        candidates: int,
    ) -> tuple[int, int] | None:
        values = {
            "terms": " & ".join(f"'{token}'" for token in tokens),
            "candidates": candidates,
            "buffer_id": buffer_id,
            "msgid": msgid,
        }
        found = connection.exec_driver_sql(_PLACE, values).first()
        return None if found is None else (found.time_ms, found.id)


def _fits(word: str) -> bool:
    return len(word) <= LONGEST_WORD
