"""The search index on SQLite: FTS5 in a file of its own, attached as `search`.

Indexing takes ten times as long as storing and would hold the write lock of the messages. All is
done inside SQLite, without Python and its lock. FTS5 keeps no text, no positions and no sizes.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection

from storage.coverage import FIRST_ID, Covered, next_stretch, note
from storage.driver import run_sqlite
from storage.tokens import MARK, VERSION
from storage.words import MARKS, PRIVATE, Wanted

_UNICODE_3_2 = unicodedata.ucd_3_2_0
EMOJI = range(0x1F000, 0x1FB00)  # blocks that are not full yet


class SqliteIndex:
    """FTS5 in the attached database `search`. All work is done inside SQLite, without Python."""

    _TEXT = (
        "CASE WHEN m.command IN ('PRIVMSG', 'NOTICE') THEN "
        "replace(CASE WHEN instr(m.text, char(3)) OR instr(m.text, char(4)) "
        f"OR m.text GLOB '*[{PRIVATE}]*' "
        "THEN without_colours(m.text) ELSE m.text END, char(1) || 'ACTION ', '') "
        "|| ' M' || 's' || hex(replace(replace(replace(replace(lower("
        "substr(s.source, 1, instr(s.source || '!', '!') - 1)), "
        "'[', '{'), ']', '}'), '\\', '|'), '^', '~')) ELSE '' END "
        "|| ' M' || 'n' || m.network_id || ' M' || 'b' || m.buffer_id "
        "|| CASE m.msgid WHEN '' THEN '' ELSE ' M' || 'm' || hex(substr(m.msgid, -8)) END"
    ).replace("M'", f"{MARK}'")
    _FROM = "FROM messages AS m JOIN sources AS s ON s.id = m.source_id"
    _WORTH = "(m.command IN ('PRIVMSG', 'NOTICE') OR m.msgid <> '')"
    _GIVEN = (  # of them what the index covers
        f"m.id IN (SELECT value FROM json_each(?)) AND {_WORTH} "
        "AND m.id BETWEEN (SELECT low FROM search.state) AND (SELECT high FROM search.state)"
    )

    def prepare(self, connection: Connection, identity: str) -> None:
        run = connection.exec_driver_sql
        if run("PRAGMA search.user_version").scalar() != VERSION or (
            run("SELECT identity FROM search.state").scalar() != identity
        ):
            for table in ("fts", "zones", "state"):
                run(f"DROP TABLE IF EXISTS search.{table}")
            run(
                "CREATE VIRTUAL TABLE search.fts USING fts5(words, content='', detail=none, "
                'columnsize=0, tokenize="unicode61 remove_diacritics 0 '
                f"separators '{separators()}'\")"
            )
            run(
                "CREATE TABLE search.zones "
                "(zone INTEGER PRIMARY KEY, min_ms INTEGER, max_ms INTEGER)"
            )
            run("CREATE TABLE search.state (identity TEXT, low INTEGER, high INTEGER)")
            run(
                f"INSERT INTO search.state SELECT ?, {FIRST_ID}, {FIRST_ID} - 1 FROM messages",
                (identity,),
            )
            run(f"PRAGMA search.user_version = {VERSION}")

    def covered(self, connection: Connection) -> Covered:
        return Covered(*run_sqlite(connection, "SELECT low, high FROM search.state")[0])

    def extend(self, connection: Connection, rows: int) -> int:
        # Another process may index too: take the lock first, then look.
        connection.exec_driver_sql("UPDATE search.state SET high = high")
        covered = self.covered(connection)
        new = next_stretch(connection, covered, rows)
        if new is None:
            return 0
        connection.exec_driver_sql(
            f"INSERT INTO search.fts (rowid, words) SELECT m.id, {self._TEXT} {self._FROM} "
            f"WHERE m.id BETWEEN ? AND ? AND {self._WORTH} ORDER BY m.id",
            (new.first, new.last),
        )
        note(connection, "search.state", covered, new)
        return new.rows

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        given = (json.dumps(list(ids)),)
        connection.exec_driver_sql(
            f"INSERT INTO search.fts (fts, rowid, words) SELECT 'delete', m.id, {self._TEXT} "
            f"{self._FROM} WHERE {self._GIVEN}",
            given,
        )

    def put_back(self, connection: Connection, ids: Sequence[int]) -> None:
        given = (json.dumps(list(ids)),)
        connection.exec_driver_sql(
            f"INSERT INTO search.fts (rowid, words) SELECT m.id, {self._TEXT} "
            f"{self._FROM} WHERE {self._GIVEN} ORDER BY m.id",
            given,
        )

    def knows(self, wanted: Wanted) -> bool:
        return any(map(surely_alike, (*wanted.whole, *wanted.beginnings)))

    def find(
        self,
        connection: Connection,
        tokens: Sequence[str],
        wanted: Wanted,
        between: Covered,
        rows: int,
    ) -> list[int]:
        terms = [f'"{token}"' for token in (*tokens, *filter(surely_alike, wanted.whole))]
        terms += [f'"{word}"*' for word in filter(surely_alike, wanted.beginnings)]
        # All ids in one row: see storage.pages.
        found = run_sqlite(
            connection,
            "SELECT json_group_array(rowid) FROM (SELECT rowid FROM search.fts WHERE fts MATCH ? "
            "AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?)",
            (" AND ".join(terms), between.low, between.high, rows),
        )
        ids: list[int] = json.loads(found[0][0])
        return ids

    def place(
        self,
        connection: Connection,
        tokens: Sequence[str],
        buffer_id: int,
        msgid: str,
        candidates: int,
    ) -> tuple[int, int] | None:
        # The plus keeps SQLite from reading the whole conversation, by the index of its times: how
        # many ids a list has it does not know, and guesses more.
        terms = " AND ".join(f'"{token}"' for token in tokens)
        found = run_sqlite(
            connection,
            "SELECT m.time_ms, m.id FROM messages AS m WHERE m.id IN (SELECT rowid FROM search.fts "
            "WHERE fts MATCH ? ORDER BY rowid DESC LIMIT ?) AND +m.buffer_id = ? AND m.msgid = ?",
            (terms, candidates, buffer_id, msgid),
        )
        return found[0] if found else None


def surely_alike(word: str) -> bool:
    """Whether SQLite sees the same word: it knows Unicode 6.1, Python a later one. What already
    was a letter or digit in 3.2 is one in both, and the same letter if its capital is as old."""
    return word.isascii() or all(
        (_UNICODE_3_2.category(char)[0] in "LN" and char not in _of_young_capitals())
        or char in MARKS
        for char in word
    )


@cache
def _of_young_capitals() -> frozenset[str]:
    """Small letters whose capitals came after 3.2, as all of Georgian; SQLite does know that of
    \xdf."""
    young = (char for char in map(chr, range(0x80, 0x20000)) if char.lower() != char)
    return frozenset(char.lower() for char in young if _UNICODE_3_2.category(char) == "Cn") - {
        "\xdf"
    }


@cache
def separators() -> str:
    """What is no part of a word, and was no sign in Unicode 3.2 yet: FTS5 takes what it does not
    know for letters, so that a word before an emoji would not be found."""
    return "".join(
        char
        for char in map(chr, (*range(0x80, 0xD800), *range(0xF900, 0x20000)))
        if (_UNICODE_3_2.category(char) == "Cn" or _UNICODE_3_2.category(char)[0] in "LN")
        and (unicodedata.category(char) != "Cn" or ord(char) in EMOJI)
        and not char.isalnum()
    )
