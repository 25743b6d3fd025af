"""`bouncer check`: everything that would keep the bouncer from serving, one line per fault.

It changes nothing: no file is made, no database brought up to date. What the configuration itself
gets wrong was said by config.py before.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import trio
from sqlalchemy.exc import SQLAlchemyError

from bouncer import database, place
from bouncer.address import Address, refused
from bouncer.admin import answers
from bouncer.alone import can_be_made, in_the_way, is_read_only, not_ours
from bouncer.cli import Exit, remote, told
from bouncer.config import Config, Listen
from bouncer.mesh.keys import KeyFault, MeshKey
from bouncer.push.webpush import KEY_FILE as VAPID_KEY
from bouncer.tls import certificates
from bouncer.tls import contexts as tls
from bouncer.tls.certificates import CertificateFault, Urgency
from storage import accounts, sealed
from storage.engine import BUSY_TIMEOUT_S, Engines, make_engines
from storage.errors import NotFound, StorageError
from storage.migrations import REVISIONS, revision_of
from storage.trouble import Cause, cause_of, in_a_line
from storage.vault import Vault, read_key

NO_ROOM_BYTES = 256 << 10
LOOK_S = 5.0  # for damages: ten million messages take a minute


async def faults(config: Config, descend: Callable[[], None] = lambda: None) -> list[str]:
    """Every fault, in the order of the file; empty when the bouncer could serve.

    `descend` gives up the rights that the bouncer has not. Addresses are tried before: a unit may
    let it have ports that its user alone may not take.
    """

    def look() -> list[str]:
        addresses = list(_addresses(config))
        descend()
        return [*_faults(config), *addresses]

    found = await trio.to_thread.run_sync(look)
    where = str(config.source) if config.source else "no configuration"
    return [f"{where}: {fault}" for fault in found]


def _faults(config: Config) -> Iterator[str]:
    is_closed = bool(not_ours(config.data_dir))  # nothing in it can be looked at
    for look in (own_file, data_dir, *(() if is_closed else (keys, certificate, stored))):
        try:
            yield from look(config)
        except OSError as error:
            yield told(error)
    if not is_closed and answers(config.admin_socket):
        yield from told_by(config.admin_socket)


def _addresses(config: Config) -> Iterator[str]:
    running = answers(config.admin_socket)
    for number, listen in enumerate(config.listen, 1):
        for fault in listening(listen, ours=running):
            yield f"listen[{number}].address: {fault}"
    for name, address in (("ident.listen", config.ident.listen), ("metrics", config.metrics)):
        if address is not None:
            for fault in listening(Listen(address=address, tls=False), ours=running):
                yield f"{name}: {fault}"
    if config.mesh.address is not None:
        for fault in bound(config.mesh.address, socket.SOCK_DGRAM, ours=running):
            yield f"mesh.address: {fault}"


def own_file(config: Config) -> Iterator[str]:
    """The configuration itself, which root has read."""
    try:
        if config.source is not None:
            config.source.open().close()
    except PermissionError:
        yield "the bouncer's user cannot read it; chgrp it, and chmod 640"
    except OSError:
        return  # gone since it was read


def data_dir(config: Config) -> Iterator[str]:
    """The data directory: ours to write, and nobody else's to read."""
    path = config.data_dir
    if fault := not_ours(path) or in_the_way(path):
        yield f"data_dir: {fault}"
        return
    if not path.exists():
        if not can_be_made(path):
            yield f"data_dir: {path} is missing and cannot be made; make it for the bouncer's user"
        return
    if is_read_only(path):
        yield f"data_dir: {path} is not ours to write; {_advice(path)}"
    elif stat.S_IMODE(path.stat().st_mode) & 0o007:
        yield f"data_dir: {path} is open to everybody; chmod 700 {path}"


def _advice(path: Path) -> str:
    if is_read_only(path):
        return "its file system is mounted read-only; see why, and remount it"
    return "chown it to the bouncer's user"


def keys(config: Config) -> Iterator[str]:
    """The key files, as far as they are there: the first start makes them."""
    mesh_key = config.mesh.key
    if mesh_key is not None and mesh_key.exists():
        try:
            MeshKey.load(mesh_key)
        except KeyFault as error:
            yield f"mesh.key: {error}"
    for name in (database.KEY_FILE, VAPID_KEY):
        secrets = config.data_dir / name
        if not secrets.exists():
            continue
        if not os.access(secrets, os.R_OK):
            yield f"data_dir: {secrets} cannot be read; chown it to the bouncer's user"
        elif stat.S_IMODE(secrets.stat().st_mode) & 0o077:
            yield f"data_dir: others may read {secrets}; chmod 600 {secrets}"


def certificate(config: Config) -> Iterator[str]:
    """The certificate and key: readable, a pair, and valid today."""
    if not any(listen.tls for listen in config.listen):
        return
    chain, key = tls.paths(config)
    if config.tls.certificate is None and not chain.exists():
        return  # the first start makes a self-signed one
    try:
        certificates.check_pair(chain, key)
        found = certificates.read(chain)
    except CertificateFault as error:
        yield f"tls: {error}"
        return
    if stat.S_IMODE(key.stat().st_mode) & 0o007:
        yield f"tls.key: everybody may read {key}; chmod 640 {key}"
    level = certificates.urgency(found, time.time())
    if level is Urgency.EXPIRED:
        yield f"tls.certificate: {chain} expired {certificates.day(found.not_after)}; renew it"
    elif level is Urgency.NOT_YET:
        yield (
            f"tls.certificate: {chain} is valid only from {certificates.day(found.not_before)}; "
            "check the clock"
        )


def stored(config: Config) -> Iterator[str]:
    """The database: reachable, opened by its key file, and holding the user of [ops]."""
    try:
        opened_by = vault(config)
    except StorageError as error:
        yield f"data_dir: {error}"
        return
    try:
        path = config.database.url.removeprefix("sqlite:///")
        if path != config.database.url:
            if not Path(path).exists():
                folder = Path(path).parent
                if not (folder.exists() or folder == config.data_dir or can_be_made(folder)):
                    yield (
                        f"database.url: {folder} is missing and cannot be made; make it for the "
                        "bouncer's user"
                    )
                return
            if not os.access(path, os.R_OK | os.W_OK):
                yield f"database.url: {path} is not ours to write; {_advice(Path(path))}"
                return
        engines = make_engines(config.database.url, opened_by, config.database.synchronous)
    except StorageError as error:
        yield f"database.url: {error}"
        return
    try:
        yield from _content(config, engines)
        if engines.is_sqlite:
            yield from _writable(Path(str(engines.url.database)))
    except StorageError as error:
        yield f"database.url: {error}"
    except SQLAlchemyError as error:
        said, cause = in_a_line(error), cause_of(error)
        why = f"the database {cause.value} ({said})" if cause else f"cannot be used: {said}"
        yield f"database.url: {why}"
    finally:
        engines.dispose()


def vault(config: Config) -> Vault:
    """What opens the secrets in the database, where we may read its key. Raises StorageError."""
    key_file = config.data_dir / database.KEY_FILE
    return Vault(read_key(key_file) if os.access(key_file, os.R_OK) else None)


def _content(config: Config, engines: Engines) -> Iterator[str]:
    with engines.reading.connect() as connection:
        revision = revision_of(connection)
        if revision is not None and revision not in REVISIONS:
            yield (
                f"database.url: made by a newer release (schema {revision}, this one knows up to "
                f"{REVISIONS[-1]}); upgrade Muster, or restore a backup"
            )
        if revision != REVISIONS[-1]:
            return  # the next start makes the tables, or brings them up to date
        key_file = config.data_dir / database.KEY_FILE
        if os.access(key_file, os.R_OK):
            sealed.check(connection)
        elif not key_file.exists() and (count := sealed.count(connection)):
            yield f"data_dir: {database.lost_key(config, count)}"
        if lost := database.lost_mesh_key(connection, config):
            yield f"mesh.key: {lost}"
        if config.ops is None:
            return
        try:
            user = accounts.get_user(connection, config.ops.user)
        except NotFound:
            yield f"ops.user: there is no user {config.ops.user}; `bouncer user add` makes one"
            return
        try:
            accounts.get_network(connection, user.id, config.ops.network)
        except NotFound:
            yield (
                f"ops.network: {user.name} has no network {config.ops.network}; "
                f"`bouncer network add {user.name} {config.ops.network} URI` adds it"
            )


def _writable(path: Path) -> Iterator[str]:
    """Whether messages can be kept now: there is room, nobody sits on the write lock, and the
    file is whole, as far as LOOK_S allow to look."""
    free = shutil.disk_usage(path.parent).free
    try:
        was = path.stat()
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))  # only what can be written takes it
    except OSError as error:
        if error.errno == errno.EROFS:
            yield f"database.url: the database {Cause.READ_ONLY.value}"
    if free < NO_ROOM_BYTES:
        yield f"database.url: {path.parent} has no room ({free >> 10} KiB are free); make some"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as probe:
            probe.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
            if not _is_whole(probe):
                yield f"database.url: the database {Cause.CORRUPT.value}"
    except sqlite3.Error as error:
        cause = cause_of(error)
        if cause in (Cause.LOCKED, Cause.READ_ONLY, Cause.CORRUPT):
            yield f"database.url: the database {cause.value}"


def _is_whole(probe: sqlite3.Connection) -> bool:
    """False where a damage was found; a large file is not read to its end."""
    until_s = time.monotonic() + LOOK_S
    probe.set_progress_handler(lambda: time.monotonic() > until_s, 10_000)
    try:
        return bool(probe.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return True
        raise


def told_by(admin_socket: Path) -> Iterator[str]:
    """What keeps the bouncer that runs from keeping messages, in its own words."""
    try:
        said = remote.over_socket(admin_socket, ["server", "status"]) or []
    except Exit as end:
        yield f"data_dir: {end}"
        return
    for line in said:
        if line.startswith("HISTORY: "):
            yield f"database.url: {line.removeprefix('HISTORY: ')}"


def listening(listen: Listen, *, ours: bool) -> Iterator[str]:
    """Whether the address can be listened on. `ours`: a bouncer with this data directory runs,
    so that an address in use is taken for its."""
    address = listen.address
    if address.path:
        folder = Path(address.path).parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            yield f"{address} cannot be made: {folder} is missing or not ours to write"
        if len(os.fsencode(address.path)) > place.MAX_SOCKET_PATH:
            yield f"{address} is longer than a socket's path may be; take a shorter one"
        return
    yield from bound(address, socket.SOCK_STREAM, ours=ours)


def bound(address: Address, kind: socket.SocketKind, *, ours: bool) -> Iterator[str]:
    """Whether a port can be had, as in `listening`."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        yield refused(address, error)
        return
    for family, _, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(where)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and ours:
                continue
            yield refused(address, error)
