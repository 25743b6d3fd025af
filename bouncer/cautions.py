"""`bouncer check`: what works and had better be otherwise, one line each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import trio
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bouncer.alone import lockless
from bouncer.check import NO_ROOM_BYTES, vault
from bouncer.config import Config
from bouncer.session.stamps import AHEAD_MS
from bouncer.tls import certificates
from bouncer.tls import contexts as tls
from bouncer.tls.certificates import CertificateFault, Standing
from storage import accounts, future
from storage.engine import make_engines, parse_url
from storage.errors import NotFound, StorageError
from storage.migrations import REVISIONS, revision_of
from storage.rows import folded

LITTLE_ROOM_BYTES = 256 << 20


async def warnings(config: Config) -> list[str]:
    return await trio.to_thread.run_sync(lambda: list(_warnings(config)))


def _warnings(config: Config) -> Iterator[str]:
    for look in (_in_the_clear, _little_room, _noticed, _unlocked, _certificate):
        with suppress(OSError):  # a file that is closed to us is a fault, and said as one
            yield from look(config)


def _in_the_clear(config: Config) -> Iterator[str]:
    for number, listen in enumerate(config.listen, 1):
        if not listen.tls and not listen.address.loopback:
            yield (
                f"listen[{number}]: {listen.address} is open to others without TLS: passwords can "
                "be read on the way"
            )


def _unlocked(config: Config) -> Iterator[str]:
    if said := lockless(config.data_dir):
        yield f"data_dir: {said}"


def _certificate(config: Config) -> Iterator[str]:
    chain, _ = tls.paths(config)
    try:
        found = certificates.read(chain) if chain.exists() else None
    except CertificateFault:
        return  # a fault, and said as one
    if found is not None and (said := certificates.sentence(Standing(found, found), time.time())):
        yield f"tls.certificate: {said}"


def _little_room(config: Config) -> Iterator[str]:
    """Said before the disk is full; full, it is a fault."""
    try:
        url = parse_url(config.database.url)
    except StorageError:
        return  # a fault, and said as one
    if url.get_backend_name() != "sqlite" or not Path(str(url.database)).exists():
        return
    folder = Path(str(url.database)).parent
    free = shutil.disk_usage(folder).free
    if NO_ROOM_BYTES <= free < LITTLE_ROOM_BYTES:
        yield (
            f"database.url: only {free >> 20} MiB are free in {folder}; make room, or let go of "
            "old history (`bouncer history prune --older-than AGE`)"
        )


def _noticed(config: Config) -> Iterator[str]:
    """Lines that stand last in their conversations until their time has come, and a bot that is
    nowhere to be asked."""
    try:
        url = parse_url(config.database.url)
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            return
        engines = make_engines(config.database.url, vault(config))
        try:
            with engines.reading.connect() as connection:
                if revision_of(connection) != REVISIONS[-1]:
                    return
                latest_ms = int(time.time() * 1000) + AHEAD_MS
                found = future.conversations(connection, latest_ms)
                yield from _absent_bot(connection, config)
        finally:
            engines.dispose()
    except (StorageError, SQLAlchemyError):
        return  # a fault, and said as one
    if found:
        yield (
            f"database.url: {len(found):,} conversations hold lines that are dated in the future, "
            "and show them last; if this machine's clock is right, `bouncer history redate` puts "
            "them where they came"
        )


def _absent_bot(connection: Connection, config: Config) -> Iterator[str]:
    if (ops := config.ops) is None:
        return
    try:
        user = accounts.get_user(connection, ops.user)
        network = accounts.get_network(connection, user.id, ops.network)
    except NotFound:
        return  # a fault, and said as one
    channels = accounts.list_channels(connection, network.id)
    if folded(ops.channel) not in {folded(each.name) for each in channels if each.enabled}:
        yield (
            f"ops.channel: {user.name} is not in {ops.channel}: nobody is heard or told there; "
            f"`bouncer channel add {user.name} {network.name} '{ops.channel}'` has it go there"
        )
