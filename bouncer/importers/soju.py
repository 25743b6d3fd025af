"""From soju's SQLite database: users, networks, channels, read markers, clients, and messages of
either store: those in the database, or the log files of its fs store.

Sources: soju, database/sqlite_schema.sql (also earlier versions: a column that is not there has its
default), msgstore/fs.go. Repeating it brings what is new and changes nothing that is here.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

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
from bouncer.importers.loglines import fold_of
from bouncer.importers.people import fitting, keep_network, keep_user
from bouncer.importers.sojuclients import keep_cursors
from bouncer.importers.sojumessages import (
    Columns,
    file_name,
    has_table,
    import_messages,
    open_source,
    rows_in,
    time_ms_of,
)
from bouncer.importers.sojureceipts import Receipt, parse_sent
from storage import accounts
from storage.errors import StorageError
from storage.records import Channel, Network, User
from storage.store import Store

_FILTERS = {1: "none", 2: "highlight", 3: "message"}  # soju: database.MessageFilter


@dataclass(frozen=True, slots=True)
class _Found:
    """A network and what belongs to it; `name` and `number` are soju's own for it."""

    network: Network
    channels: list[Channel]
    markers: dict[str, int]
    receipts: list[Receipt]
    name: str
    number: int


async def import_soju(
    store: Store, path: Path, progress: Progress, logs: Path | None = None
) -> Report:
    """Import a soju database; `logs` is the folder of its fs message store, where it has one.

    Raises StorageError when the file is no such database. Stop soju first, or copy the file.
    """
    report = Report()
    if not path.is_file():
        raise StorageError(f"{path}: no such file; name soju's database, as /var/lib/soju/main.db")
    with path.open("rb"):
        pass  # where it may not be read, this says so
    try:
        found = await trio.to_thread.run_sync(_read_people, path)
    except sqlite3.Error as error:
        raise StorageError(f"{path} is not a soju database: {error}") from None
    names: set[str] = set()
    for user, networks in found:
        called = replace(user, name=_called(user.name, names, report))
        for each in await store.run(_keep, called, networks, report):
            network = each.network
            await import_messages(store, path, each.number, network, report, progress)
            await store.run(_keep_markers, network, each.markers)
            folder = None
            if logs is not None:
                folder = logs / file_name(user.name) / file_name(each.name)
                own_nick = network.nick or user.nick or user.name
                fold = fold_of(network.casemapping)
                files = list(find_logs(folder, network.id, own_nick, fold))
                await import_logs(store, files, None, report, progress)
            await keep_cursors(store, path, each.number, network, each.receipts, folder, report)
    return report


# People


def _read_people(path: Path) -> list[tuple[User, list[_Found]]]:
    with closing(open_source(path)) as source:
        return [
            (
                _user(columns),
                [
                    _network(source, network)
                    for network in rows_in(
                        source, "SELECT * FROM Network WHERE user = ? ORDER BY id", columns["id"]
                    )
                ],
            )
            for columns in rows_in(source, "SELECT * FROM User ORDER BY id")
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
        for channel in rows_in(source, "SELECT * FROM Channel WHERE network = ?", number)
    ]
    markers, receipts = {}, []
    if has_table(source, "ReadReceipt"):
        query = "SELECT target, timestamp FROM ReadReceipt WHERE network = ?"
        markers = {
            row["target"]: time_ms
            for row in rows_in(source, query, number)
            if (time_ms := time_ms_of(row["timestamp"])) is not None
        }
    if has_table(source, "DeliveryReceipt"):
        query = "SELECT target, client, internal_msgid FROM DeliveryReceipt WHERE network = ?"
        receipts = [
            Receipt(row["target"], row["client"] or "", sent)
            for row in rows_in(source, query, number)
            if (sent := parse_sent(row["internal_msgid"])) is not None
        ]
    return _Found(network, channels, markers, receipts, network.name, number)


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
    names: set[str] = set()
    return [
        replace(
            each,
            network=keep_network(
                connection,
                replace(each.network, user_id=kept.id, name=_called(each.name, names, report)),
                each.channels,
                report,
            ),
        )
        for each in networks
    ]


def _called(name: str, taken: set[str], report: Report) -> str:
    """soju takes any name, and as a network's own its address."""
    fit = fitting(name, taken)
    if fit != name:
        report.notes.append(f"{name}: is called {fit} here, as logins and commands take it")
    return fit


def _keep_markers(connection: Connection, network: Network, markers: dict[str, int]) -> None:
    fold = fold_of(network.casemapping)
    for target, time_ms in markers.items():
        accounts.put_marker(connection, network.id, fold(target), time_ms)
