"""From soju's SQLite database: users, networks, channels, read markers, and messages of either
store: those in the database, or the log files of its fs store.

Sources: soju, database/sqlite_schema.sql (also earlier versions: a column that is not there has its
default), msgstore/fs.go. Repeating it brings what is new and changes nothing that is here.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Connection

from bouncer.importers.logfiles import Progress, Report, find_logs, import_logs
from bouncer.importers.loglines import CHANNEL_SIGNS, FOLD
from bouncer.importers.people import keep_network, keep_user
from bouncer.irc.wire import Message, ProtocolError, format_tags
from bouncer.session.secrets import is_secret
from storage import accounts
from storage.errors import StorageError
from storage.imports import add_older, progress_of
from storage.messages import Row
from storage.records import Channel, Network, User
from storage.store import Store

CHUNK_ROWS = 5_000
_FILTERS = {1: "none", 2: "highlight", 3: "message"}  # soju: database.MessageFilter
_NOT_KEPT = {"time", "msgid", "batch", "label"}

Columns = dict[str, Any]


async def import_soju(
    store: Store, path: Path, progress: Progress, logs: Path | None = None
) -> Report:
    """Import a soju database; `logs` is the folder of its fs message store, where it has one.

    Raises StorageError when the file is no such database. Stop soju first, or copy the file.
    """
    report = Report()
    try:
        found = await trio.to_thread.run_sync(_read_people, path)
    except sqlite3.Error as error:
        raise StorageError(f"{path} is not a soju database: {error}") from None
    for user, networks in found:
        for network, _, markers, source_id in await store.run(_keep, user, networks, report):
            await _import_messages(store, path, source_id, network, report, progress)
            await store.run(_keep_markers, network.id, markers)
            if logs is not None:
                folder = logs / _file_name(user.name) / _file_name(network.name)
                files = list(find_logs(folder, network.id, network.nick or user.nick or user.name))
                await import_logs(store, files, None, report, progress)
    return report


# People


_Found = tuple[Network, list[Channel], dict[str, int], int]


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _rows(connection: sqlite3.Connection, query: str, *values: Any) -> list[Columns]:
    return [dict(row) for row in connection.execute(query, values)]


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def _read_people(path: Path) -> list[tuple[User, list[_Found]]]:
    with closing(_open(path)) as source:
        return [
            (
                _user(columns),
                [
                    _network(source, network)
                    for network in _rows(
                        source, "SELECT * FROM Network WHERE user = ? ORDER BY id", columns["id"]
                    )
                ],
            )
            for columns in _rows(source, "SELECT * FROM User ORDER BY id")
        ]


def _user(columns: Columns) -> User:
    return User(
        columns["username"],
        admin=bool(columns.get("admin")),
        enabled=bool(columns.get("enabled", 1)),
        password_hash=columns.get("password") or "",
        nick=columns.get("nick") or "",
        realname=columns.get("realname") or "",
    )


def _network(source: sqlite3.Connection, columns: Columns) -> _Found:
    number = columns["id"]
    commands = (columns.get("connect_commands") or "").splitlines()
    network = Network(
        0,
        columns.get("name") or columns["addr"].rpartition("/")[2],
        _uri(columns["addr"]),
        nick=columns.get("nick") or "",
        ident=columns.get("username") or "",
        realname=columns.get("realname") or "",
        password=columns.get("pass") or "",
        sasl_mechanism=columns.get("sasl_mechanism") or "",
        sasl_login=columns.get("sasl_plain_username") or "",
        sasl_password=columns.get("sasl_plain_password") or "",
        certificate=_pem(columns.get("sasl_external_cert"), columns.get("sasl_external_key")),
        fingerprint=(columns.get("certfp") or "").replace("sha-", "sha"),
        connect_commands=tuple(line for line in commands if line.strip()),
        enabled=bool(columns.get("enabled", 1)),
        auto_away=bool(columns["auto_away"]) if "auto_away" in columns else None,
    )
    channels = [
        Channel(
            0,
            channel["name"],
            key=channel.get("key") or "",
            detached=bool(channel.get("detached")),
            relay_detached=_FILTERS.get(channel.get("relay_detached") or 0, ""),
            reattach_on=_FILTERS.get(channel.get("reattach_on") or 0, ""),
            detach_on=_FILTERS.get(channel.get("detach_on") or 0, ""),
            detach_after_s=int(channel.get("detach_after") or 0),
        )
        for channel in _rows(source, "SELECT * FROM Channel WHERE network = ?", number)
    ]
    markers = {}
    if _has_table(source, "ReadReceipt"):
        query = "SELECT target, timestamp FROM ReadReceipt WHERE network = ?"
        markers = {
            FOLD(row["target"]): time_ms
            for row in _rows(source, query, number)
            if (time_ms := _time_ms(row["timestamp"])) is not None
        }
    return network, channels, markers, number


def _uri(address: str) -> str:
    """soju: a bare `host[:port]` means TLS."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"ircs://{address}"
    if scheme in ("irc+unix", "unix"):
        return f"unix:{rest}"
    return f"{'ircs' if scheme == 'irc' else scheme}://{rest}"


def _pem(certificate: bytes | None, key: bytes | None) -> str:
    if not certificate or not key:
        return ""
    try:
        public = load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
        private = load_der_private_key(key, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    except ValueError:
        return ""
    return (public + private).decode()


def _keep(
    connection: Connection, user: User, networks: list[_Found], report: Report
) -> list[_Found]:
    if not user.password_hash:
        report.notes.append(
            f"{user.name}: has no password; set one with: bouncer user passwd {user.name}"
        )
    kept = keep_user(connection, user, report)
    return [
        (
            keep_network(connection, replace(network, user_id=kept.id), channels, report),
            channels,
            markers,
            source_id,
        )
        for network, channels, markers, source_id in networks
    ]


def _keep_markers(connection: Connection, network_id: int, markers: dict[str, int]) -> None:
    for target, time_ms in markers.items():
        accounts.put_marker(connection, network_id, target, time_ms)


# Messages


async def _import_messages(
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
            rows = [row for item in ordered if (row := _row(network, *item)) is not None]
            report.messages += await store.run(add_older, rows, note, f"{low} {high}")
            done += len(chunk)
            progress(network.name, min(done, total), total)
    progress(network.name, total, total)


_Item = tuple[int, str, str, str]  # id, target, raw, time
_OF_NETWORK = "FROM Message AS m JOIN MessageTarget AS t ON t.id = m.target WHERE t.network = ?"


def _extent(path: Path, source_id: int) -> tuple[int, int]:
    """The highest id of a network's messages, and how many they are."""
    with closing(_open(path)) as source:
        if not _has_table(source, "Message"):
            return 0, 0  # before soju kept messages in its database
        query = f"SELECT coalesce(max(m.id), 0), count(*) {_OF_NETWORK}"
        newest, total = source.execute(query, (source_id,)).fetchone()
        return int(newest), int(total)


def _chunk(path: Path, source_id: int, edge: int, going_down: bool) -> list[_Item]:
    condition = "m.id < ? ORDER BY m.id DESC" if going_down else "m.id > ? ORDER BY m.id"
    query = f"SELECT m.id, t.target, m.raw, m.time {_OF_NETWORK} AND {condition} LIMIT ?"
    with closing(_open(path)) as source:
        if not _has_table(source, "Message"):
            return []
        return [tuple(row) for row in source.execute(query, (source_id, edge, CHUNK_ROWS))]


def _row(network: Network, _number: int, name: str, raw: str, time: str) -> Row | None:
    try:
        message = Message.parse(raw.rstrip("\r\n"))
    except ProtocolError:
        return None
    tags = message.tags
    time_ms = _time_ms(tags.get("time", "") or time)
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
        FOLD(name),
        name,
        time_ms,
        tags.get("msgid", ""),
        message.command,
        message.source,
        format_tags({key: value for key, value in tags.items() if key not in _NOT_KEPT}),
        "" if first == name else first,
        text,
    )


def _time_ms(text: str) -> int | None:
    """`2024-05-01T12:00:00.000Z` and its kin -> Unix milliseconds."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def _file_name(name: str) -> str:
    """How soju's fs store names folders."""
    dots = {".": "-", "..": "--"}
    return dots.get(name) or name.replace("/", "-").replace("\\", "-")
