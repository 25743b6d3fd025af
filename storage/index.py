"""The inverted index behind search and msgids: tokens -> message ids, trailing the messages.

It is derived from the messages and can be thrown away. Tokens are the words of a message and its
network, buffer, sender and msgid. What it does not cover yet, whoever asks scans himself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from storage.coverage import Covered, uncovered
from storage.fts5 import SqliteIndex
from storage.tsvector import PostgresqlIndex
from storage.words import Wanted

IDENTITY = "identity"  # of a database, in `meta`: its index is nobody else's


class Index(Protocol):
    """What both databases offer. `connection` sees messages and index."""

    def prepare(self, connection: Connection, identity: str) -> None:
        """Make the tables; drop those of another version or another database."""

    def covered(self, connection: Connection) -> Covered: ...

    def extend(self, connection: Connection, rows: int) -> int:
        """Take up to `rows` messages in, newest end first; how many it were."""

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        """Take messages out that are about to be deleted."""

    def put_back(self, connection: Connection, ids: Sequence[int]) -> None:
        """Take in again, as they are now, messages that were taken out and are still there."""

    def knows(self, wanted: Wanted) -> bool:
        """Whether it can tell by any of the words; else it has to be given tokens."""

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

    def place(
        self,
        connection: Connection,
        tokens: Sequence[str],
        buffer_id: int,
        msgid: str,
        candidates: int,
    ) -> tuple[int, int] | None:
        """(time_ms, id) of the message of a buffer with this msgid, if it is among so many with
        all the tokens, the highest ids first."""


_INDEXES: dict[str, Index] = {"sqlite": SqliteIndex(), "postgresql": PostgresqlIndex()}


def of(connection: Connection) -> Index:
    """The index of the database at hand."""
    return _INDEXES[connection.dialect.name]


def is_behind(connection: Connection) -> bool:
    """Whether there is anything to take in."""
    return any(uncovered(connection, of(connection).covered(connection)))
