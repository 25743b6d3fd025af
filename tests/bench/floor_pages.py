"""Pages of the floor's history: one question to SQLite in a thread, and its rows joined.

Enough of CHATHISTORY for a benchmark: LATEST of a channel, and BEFORE a msgid of the corpus.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import trio

from tests.bench.corpus import MSGID_OCTETS

CAPS = b"batch draft/chathistory"
_MSGID = f"substr(tags, instr(tags, 'msgid=') + 6, {MSGID_OCTETS})"
# Made at the first question: the flood of the other benchmarks is stored without.
_INDEXES = (
    "create index if not exists line_place on line (user, target, id)",
    f"create index if not exists line_msgid on line ({_MSGID})",
)
_PAGE = (
    "select tags, source, text from line where user = ? and target = ? and id < ?"
    " order by id desc limit ?"
)
_NEWEST = 1 << 62


class Pages:
    """Used by one client at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._ready = False

    async def answer(self, user: bytes, line: bytes) -> bytes:
        """The batch that answers `CHATHISTORY LATEST|BEFORE <channel> *|msgid=<msgid> <limit>`."""
        rows = await trio.to_thread.run_sync(self._read, user, *line.split()[1:])
        target = line.split()[2]
        said = [
            b"@batch=1;%b %b PRIVMSG %b :%b\r\n" % (tags, source, target, text)
            for tags, source, text in reversed(rows)
        ]
        return b":floor BATCH +1 chathistory %b\r\n%b:floor BATCH -1\r\n" % (target, b"".join(said))

    def _read(
        self, user: bytes, _word: bytes, target: bytes, place: bytes, limit: bytes
    ) -> list[tuple[bytes, bytes, bytes]]:
        if not self._ready:
            for index in _INDEXES:
                self._db.execute(index)
            self._ready = True
        before = _NEWEST
        if place != b"*":
            sought = f"select id from line where {_MSGID} = ?"
            ((before,),) = self._db.execute(sought, (place.removeprefix(b"msgid="),)).fetchall()
        return self._db.execute(_PAGE, (user, target, before, int(limit))).fetchall()
