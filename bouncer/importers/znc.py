"""From a ZNC data directory: users, networks, channels, credentials of its modules, logs, buffers.

Repeating it brings what is new and changes nothing that is here: settings made since stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import trio
from sqlalchemy import Connection

from bouncer.importers import savebuff
from bouncer.importers.logfiles import LogFile, Progress, Report, find_logs, import_logs
from bouncer.importers.loglines import fold_of
from bouncer.importers.people import fitting, keep_network, keep_user
from bouncer.importers.texts import text_of
from bouncer.importers.zncconf import (
    BadConfig,
    Section,
    parse_config,
    parse_password,
    parse_registry,
    parse_server,
)
from bouncer.login.passwords import znc_hash
from storage import messages
from storage.errors import StorageError
from storage.imports import add_older, progress_of
from storage.messages import Position, Row
from storage.records import Channel, Network, User
from storage.rows import folded
from storage.store import Store

_SHA256 = re.compile("[0-9a-f]{64}")
MOST_LINES = 100_000  # of a log that are held against a buffer, which has some hundreds


@dataclass(frozen=True, slots=True)
class _Logs:
    """Where the modules of one network may have written what was said: log, in which zone; and
    savebuff, with which arguments."""

    network: Network
    own_nick: str
    folders: tuple[Path, ...]
    zone: tzinfo | None
    buffers: Path
    arguments: str


async def import_znc(
    store: Store, folder: Path, progress: Progress, savebuff_password: str = ""
) -> Report:
    """Import the ZNC directory (`~/.znc`). Raises StorageError when it is none.

    `progress(what, done, total)` counts octets of log files. `savebuff_password` opens buffers
    whose password was typed into ZNC.
    """
    path = folder / "configs" / "znc.conf"
    try:
        root = parse_config(text_of(await trio.to_thread.run_sync(path.read_bytes)))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None
    except BadConfig as error:
        raise StorageError(f"{path}: {error}") from None
    report = Report()
    _note_log_path(root, "", report)
    found: list[_Logs] = []
    names: dict[str, str] = {}
    for section in root.inner("User"):
        name = _name(section, names, report)
        if name:
            found += await store.run(_import_user, folder, name, section, report)
    for logs in found:
        files = await trio.to_thread.run_sync(_files, logs)
        await import_logs(store, files, logs.zone, report, progress)
        await _import_buffers(store, logs, savebuff_password, report)
    return report


def _name(section: Section, names: dict[str, str], report: Report) -> str:
    """What the user is called here, as far as anybody else has not come under that name."""
    name = fitting(section.name, set())
    if name != section.name:
        report.notes.append(
            f"{section.name}: is called {name} here, for in a login @ is followed by the client"
        )
    other = names.setdefault(folded(name), section.name)
    if other != section.name:
        report.notes.append(
            f"{section.name}: left out, for upper and lower case are one here, and {other} is "
            "another user; give it another name in ZNC"
        )
        return ""
    return name


async def _import_buffers(store: Store, logs: _Logs, typed: str, report: Report) -> None:
    """What savebuff kept, as far as the logs do not have it."""
    sealed = 0
    paths = sorted(logs.buffers.iterdir()) if logs.buffers.is_dir() else []
    for path in filter(Path.is_file, paths):
        data = await trio.to_thread.run_sync(path.read_bytes)
        tried = savebuff.passwords(logs.arguments, typed)
        buffer = savebuff.open_buffer(data, tried, logs.own_nick)
        if buffer is None:
            sealed += 1
        elif buffer.kept:
            note = f"import/{logs.network.id}/savebuff/{path.name}"
            report.messages += await store.run(_keep_buffer, logs.network, buffer, note)
    if sealed:
        report.notes.append(
            f"{logs.network.name}: {sealed} buffers of savebuff are sealed with another password; "
            "give it with --savebuff-password-stdin"
        )


def _keep_buffer(
    connection: Connection, network: Network, buffer: savebuff.Buffer, note: str
) -> int:
    """Add what came since an earlier import and is not there by the log, whose seconds may be
    another's."""
    known_us = int(progress_of(connection, note) or -1)
    kept = [each for each in buffer.kept if each.time_us > known_us]
    rows = [row for each in kept if (row := savebuff.row_of(network, buffer.name, each))]
    if not rows:
        return 0
    first, last = (Position(at, 0) for at in (rows[0].time_ms - 2000, rows[-1].time_ms + 2000))
    there = Counter(
        (row.time_ms // 1000, *_said(row))
        for row in messages.between(connection, network.id, rows[0].target, first, last, MOST_LINES)
    )
    new = []
    for row in rows:
        second = row.time_ms // 1000
        same = [key for s in (second, second - 1, second + 1) if there[key := (s, *_said(row))]]
        if same:
            there[same[0]] -= 1
        else:
            new.append(row)
    return add_older(connection, new, note, str(kept[-1].time_us))


def _said(row: Row) -> tuple[str, str, str]:
    """What the log tells of a message: who, how and what."""
    return row.source.partition("!")[0], row.command, row.text


def _files(logs: _Logs) -> list[LogFile]:
    """Where a day was logged in two places, for the module was moved, the second adds what the
    first has not."""
    files: list[LogFile] = []
    first: dict[str, LogFile] = {}
    fold = fold_of(logs.network.casemapping)
    for number, folder in enumerate(logs.folders):
        for file in find_logs(folder, logs.network.id, logs.own_nick, fold):
            known = first.setdefault(file.note, file)
            if known is not file:
                file = replace(file, note=f"{file.note}/{number}", beside=known.path)
            files.append(file)
    return files


def _import_user(
    connection: Connection, folder: Path, name: str, section: Section, report: Report
) -> list[_Logs]:
    user = keep_user(
        connection,
        User(
            name,
            admin=section.is_true("Admin"),
            password_hash=_password(section, report),
            nick=section.get("Nick"),
            realname=section.get("RealName"),
        ),
        report,
    )
    zone = _zone(section, report)
    _note_log_path(section, name, report)
    home = folder / "users" / section.name
    logs = []
    for inner in section.inner("Network"):
        place = home / "networks" / inner.name
        servers = list(filter(None, inner.all("Server")))
        if not servers:
            report.notes.append(f"{name}/{inner.name}: left out, it has no server")
            continue
        if len(servers) > 1:
            report.notes.append(
                f"{name}/{inner.name}: of {len(servers)} servers the first is taken, "
                f"{servers[0].split()[0]}"
            )
        _note_log_path(inner, f"{name}/{inner.name}", report)
        own_nick = inner.get("Nick") or section.get("Nick") or name
        network = _with_modules(_network(user, section, inner, report), inner, place, report)
        channels = [_channel(chan) for chan in inner.inner("Chan")]
        network = keep_network(connection, network, channels, report)
        logs.append(
            _Logs(
                network,
                own_nick,
                (
                    place / "moddata" / "log",
                    home / "moddata" / "log" / inner.name,
                    folder / "moddata" / "log" / section.name / inner.name,
                ),
                zone,
                place / "moddata" / "savebuff",
                inner.arguments("savebuff"),
            )
        )
    return logs


def _note_log_path(section: Section, whose: str, report: Report) -> None:
    """The module log may be told where to write, and how to write times. ZNC: modules/log.cpp."""
    words = [word for word in section.arguments("log").split() if word != "-sanitize"]
    if words:
        report.notes.append(
            f"{whose or 'all users'}: the module log is told to write otherwise "
            f"({' '.join(words)}); to bring that, lay it as NETWORK/WINDOW/YYYY-MM-DD.log, with "
            "times as [12:34:56], into moddata/log of the user, and import again"
        )


def _password(section: Section, report: Report) -> str:
    method, digest, salt = parse_password(section)
    if method == "sha256":
        return znc_hash(salt, digest)
    report.notes.append(
        f"{section.name}: the password is kept as {method or 'nothing readable'}, which is not "
        f"taken over; set one with: bouncer user passwd {section.name}"
    )
    return ""


def _zone(section: Section, report: Report) -> tzinfo | None:
    name = section.get("TimeZone") or section.get("Timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        report.notes.append(f"{section.name}: unknown time zone {name}; logs are read in the local")
        return None


def _network(user: User, section: Section, inner: Section, report: Report) -> Network:
    uri, password = parse_server(next(filter(None, inner.all("Server"))))
    pins = [pin.replace(":", "").lower() for pin in inner.all("TrustedServerFingerprint")]
    fit = [pin for pin in pins if _SHA256.fullmatch(pin)]
    if len(fit) != len(pins) or len(fit) > 1:
        report.notes.append(
            f"{user.name}/{inner.name}: of {len(pins)} trusted fingerprints "
            + ("the last is taken" if fit else "none is taken, for none is of SHA-256")
            + f"; change it with: bouncer network set {user.name} {inner.name} --pin sha256:HEX"
        )
    return Network(
        user.id,
        inner.name,
        uri,
        nick=inner.get("Nick") or section.get("Nick"),
        ident=inner.get("Ident") or section.get("Ident"),
        realname=inner.get("RealName") or section.get("RealName"),
        password=password,
        fingerprint=f"sha256:{fit[-1]}" if fit else "",
        source_address=inner.get("BindHost") or section.get("BindHost"),
        enabled=inner.is_true("IRCConnectEnabled", default=True),
    )


def _channel(section: Section) -> Channel:
    return Channel(
        0,
        section.name,
        key=section.get("Key"),
        detached=section.is_true("Detached"),
        enabled=not section.is_true("Disabled"),
    )


def _with_modules(network: Network, inner: Section, place: Path, report: Report) -> Network:
    """The network with what the modules sasl, cert, nickserv and perform know."""
    changes: dict[str, Any] = {}
    modules = inner.modules()
    if "sasl" in modules:
        stored = _registry(place, "sasl")
        mechanisms = stored.get("mechanisms", "EXTERNAL PLAIN").split()
        changes["sasl_login"] = stored.get("username", "")
        changes["sasl_password"] = stored.get("password", "")
        changes["sasl_required"] = stored.get("require_auth", "") in ("1", "true", "yes")
        if stored.get("password") and "PLAIN" in mechanisms:
            changes["sasl_mechanism"] = "PLAIN"
        elif "EXTERNAL" in mechanisms and "cert" in modules:
            changes["sasl_mechanism"] = "EXTERNAL"
    if "cert" in modules:
        changes["certificate"] = _read(place / "moddata" / "cert" / "user.pem")
    commands = list(_commands(modules, place, report))
    if commands:
        changes["connect_commands"] = tuple(commands)
    for name in sorted(modules - {"sasl", "cert", "nickserv", "perform", "log", "savebuff"}):
        report.notes.append(f"{network.name}: the module {name} does not come over")
    return replace(network, **changes)


def _commands(modules: set[str], place: Path, report: Report) -> Iterator[str]:
    if "nickserv" in modules:
        password = _registry(place, "nickserv").get("Password")
        if password:
            yield f"PRIVMSG NickServ :IDENTIFY {password}"
    if "perform" in modules:
        for line in _registry(place, "perform").get("Perform", "").split("\n"):
            if "%" in line:
                report.notes.append(f"connect command left out, it has a placeholder: {line}")
            elif line.strip():
                yield line.strip().removeprefix("/")


def _registry(place: Path, module: str) -> dict[str, str]:
    return parse_registry(_read(place / "moddata" / module / ".registry"))


def _read(path: Path) -> str:
    """What a module keeps, '' where it keeps nothing. That it may not be read is raised."""
    try:
        return text_of(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ""
