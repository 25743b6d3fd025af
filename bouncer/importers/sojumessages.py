"""soju's messages: those in its database, and what both stores have in common.

Sources: soju, database/sqlite_schema.sql, msgstore/fs.go (how it names folders).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trio

from bouncer.importers.logfiles import Progress, Report
from bouncer.importers.loglines import CHANNEL_SIGNS, fold_of
from bouncer.importers.texts import text_of
from bouncer.irc.wire import Message, ProtocolError, format_tags
from bouncer.session.secrets import is_secret
from storage.imports import add_older, progress_of
from storage.messages import Row
from storage.records import Network
from storage.store import Store

CHUNK_ROWS = 5_000
_EPOCH = datetime.fromtimestamp(0, UTC)
_NOT_KEPT = {"time", "msgid", "batch", "label"}

Columns = dict[str, Any]


def open_source(path: Path) -> sqlite3.Connection:
    """To read from. Texts in it are lines of IRC as they came."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.text_factory = text_of
    return connection


def rows_in(connection: sqlite3.Connection, query: str, *values: Any) -> list[Columns]:
    return [dict(row) for row in connection.execute(query, values)]


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


async def import_messages(
    store: Store,
    path: Path,
    source_id: int,
    network: Network,
    report: Report,
    progress: Progress,
) -> None:
    """Newest first, so that numbers follow times; the note tells the stretch of ids that is done.

    A later run goes on below it, then brings what soju has kept since above it.
    """
    note = f"import/{network.id}/soju/{source_id}"
    noted = await store.read(progress_of, note)
    newest, total = await trio.to_thread.run_sync(_extent, path, source_id)
    low, high = map(int, noted.split()) if noted else (newest + 1, newest)
    done = 0
    for going_down in (True, False):
        while True:
            edge = low if going_down else high
            chunk = await trio.to_thread.run_sync(_chunk, path, source_id, edge, going_down)
            if not chunk:
                break
            low, high = (chunk[-1][0], high) if going_down else (low, chunk[-1][0])
            ordered = reversed(chunk) if going_down else chunk
            rows = [row for item in ordered if (row := row_of(network, *item)) is not None]
            report.messages += await store.run(add_older, rows, note, f"{low} {high}")
            done += len(chunk)
            progress(network.name, min(done, total), total)
    progress(network.name, total, total)


Item = tuple[int, str, str, str]  # id, target, raw, time
_OF_NETWORK = "FROM Message AS m JOIN MessageTarget AS t ON t.id = m.target WHERE t.network = ?"


def _extent(path: Path, source_id: int) -> tuple[int, int]:
    """The highest id of a network's messages, and how many they are."""
    with closing(open_source(path)) as source:
        if not has_table(source, "Message"):
            return 0, 0  # before soju kept messages in its database
        query = f"SELECT coalesce(max(m.id), 0), count(*) {_OF_NETWORK}"
        newest, total = source.execute(query, (source_id,)).fetchone()
        return int(newest), int(total)


def _chunk(path: Path, source_id: int, edge: int, going_down: bool) -> list[Item]:
    condition = "m.id < ? ORDER BY m.id DESC" if going_down else "m.id > ? ORDER BY m.id"
    with closing(open_source(path)) as source:
        return _items(source, condition, source_id, edge)


def later_of(path: Path, source_id: int, target: str, number: int) -> list[Item]:
    """The next messages of one conversation above a number; empty at its end."""
    condition = "t.target = ? AND m.id > ? ORDER BY m.id"
    with closing(open_source(path)) as source:
        return _items(source, condition, source_id, target, number)


def _items(source: sqlite3.Connection, condition: str, *values: object) -> list[Item]:
    if not has_table(source, "Message"):
        return []
    query = f"SELECT m.id, t.target, m.raw, m.time {_OF_NETWORK} AND {condition} LIMIT ?"
    return [tuple(row) for row in source.execute(query, (*values, CHUNK_ROWS))]


def row_of(network: Network, _number: int, name: str, raw: str, time: str) -> Row | None:
    try:
        message = Message.parse(raw.rstrip("\r\n"))
    except ProtocolError:
        return None
    tags = message.tags
    time_ms = time_ms_of(tags.get("time", "") or time)
    if time_ms is None:
        return None
    first = message.params[0] if message.params else ""
    if message.command in ("PRIVMSG", "NOTICE", "TAGMSG"):
        text = message.params[-1] if len(message.params) > 1 else ""
        if name[:1] not in CHANNEL_SIGNS and is_secret(first, text):
            return None
    else:
        further = message.params if message.command in ("QUIT", "NICK") else message.params[1:]
        text = str(Message("X", further)).partition(" ")[2]
        first = ""
    return Row(
        0,
        network.id,
        fold_of(network.casemapping)(name),
        name,
        time_ms,
        tags.get("msgid", ""),
        message.command,
        message.source,
        format_tags({key: value for key, value in tags.items() if key not in _NOT_KEPT}),
        "" if first == name else first,
        text,
    )


def time_ms_of(text: str) -> int | None:
    """`2024-05-01T12:00:00.000Z` and its kin -> Unix milliseconds, which can be told again: None
    for what is no time in UTC of the years 1 to 9999."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "T", 1))
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1)


def file_name(name: str) -> str:
    """How soju's fs store names folders."""
    dots = {".": "-", "..": "--"}
    return dots.get(name) or name.replace("/", "-").replace("\\", "-")
