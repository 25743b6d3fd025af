"""Engines for a database URL: SQLite in WAL mode, or PostgreSQL by psycopg.

One engine writes (a single connection, owned by the writer thread), one reads (a connection for
each reader), one keeps the search index, which on SQLite is a file of its own beside the database.
Transactions begin when SQLAlchemy says so: the driver's own implicit BEGIN is switched off.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from storage.errors import Unusable
from storage.ownership import keep_private
from storage.vault import Vault
from storage.words import without_signs

BUSY_TIMEOUT_S = 1.5  # how long another process may hold the write lock before it is trouble
# Pages in the WAL before the writer itself copies it back (32 MiB), which holds up a commit; the
# indexer's thread does so earlier and holds up nobody.
CHECKPOINT_PAGES = 8192
_INCREMENTAL = 2  # what SQLite calls it
INDEX_SUFFIX = "-search"
READ_CACHE_KIB = 16 * 1024
WRITE_CACHE_KIB = 64 * 1024
_OPENING = 0x4D75737465720001  # of advisory locks, which are numbers
# Errors are logged: without what was to be written.
_EVERY: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}

# A server whose machine has died says nothing: without these a commit would wait for a quarter of
# an hour, and everybody for what it was to keep. What the URL says counts more.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}


@dataclass(frozen=True, slots=True)
class Engines:
    """The writing and the reading side of one database."""

    url: URL
    writing: Engine
    reading: Engine
    indexing: Engine

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def index_path(self) -> Path | None:
        """The file of the search index, where it has one of its own."""
        return Path(f"{self.url.database}{INDEX_SUFFIX}") if self.is_sqlite else None

    def file(self) -> tuple[int, int] | None:
        """Which file (device, inode) the database is now; None for a server. Raises OSError.

        SQLite goes on writing into a file that was removed or replaced, and all of it is lost.
        """
        return _file(Path(str(self.url.database))) if self.is_sqlite else None

    def index_file(self) -> tuple[int, int] | None:
        """The same of the search index; None also where there is none (any more)."""
        try:
            return _file(self.index_path) if self.index_path is not None else None
        except FileNotFoundError:
            return None

    def wait_for_lock(self, connection: Connection, wait_s: float) -> None:
        """How long the connection waits for a lock before it fails."""
        wait_ms = int(wait_s * 1000)
        if self.is_sqlite:  # by the driver: a transaction of ours would wait for the lock itself
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA busy_timeout = {wait_ms}")
            return
        with connection.begin():
            connection.exec_driver_sql(f"SET lock_timeout = {wait_ms}")

    def flush(self) -> None:
        """Have what was committed outlive a power cut. Raises OSError. A server sees to that within
        a fraction of a second."""
        if self.is_sqlite:
            with suppress(FileNotFoundError):
                log = os.open(f"{self.url.database}-wal", os.O_RDONLY)
                try:
                    os.fsync(log)
                finally:
                    os.close(log)

    def dispose(self) -> None:
        self.reading.dispose()
        self.indexing.dispose()
        self.writing.dispose()


def _file(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def wait_for_others(connection: Connection) -> None:
    """Have who opens the database at the same moment wait until this transaction ends. SQLite has
    one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OPENING})")


def parse_url(text: str) -> URL:
    """Read a database URL. Raises Unusable with what is wrong."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise Unusable(
            f"{text!r} is not a database URL; try sqlite:///muster.db "
            "or postgresql+psycopg://user@host/database"
        ) from None
    except ValueError:  # its text may be a part of a password
        raise Unusable(
            "the port of the database's URL is no number; write postgresql+psycopg://user@host:5432"
            "/database, an IPv6 address in brackets, and %3A for a colon in a password"
        ) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise Unusable("an in-memory database loses its history; name a file: sqlite:///FILE")
    elif url.get_backend_name() != "postgresql":
        raise Unusable(f"{url.get_backend_name()} is not supported; use sqlite or postgresql")
    elif url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url


def make_engines(text: str, vault: Vault, synchronous: str = "normal") -> Engines:
    """Engines for the URL. Nothing is opened yet. Raises Unusable."""
    url = parse_url(text)
    if synchronous not in ("normal", "full"):
        raise Unusable(f"synchronous is {synchronous!r}; it can be normal or full")
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unusable(f"{url.database} cannot be reached: {error.strerror}") from None
        return _sqlite(url, vault, synchronous)
    return _postgresql(url, vault, synchronous)


def _sqlite(url: URL, vault: Vault, synchronous: str) -> Engines:
    arguments = {
        "isolation_level": None,
        "check_same_thread": False,
        "timeout": BUSY_TIMEOUT_S,
        "cached_statements": 256,
    }
    make = partial(create_engine, url, connect_args=arguments, **_EVERY)
    writing, reading, indexing = make(), make(), make()

    place = Path(str(url.database))

    def take_any_text(connection: sqlite3.Connection, record: Any) -> None:
        record.info["vault"] = vault
        connection.text_factory = _text

    for engine in (writing, reading, indexing):
        event.listen(engine, "connect", take_any_text)

    @event.listens_for(writing, "connect")
    @_telling
    def set_up_writer(connection: sqlite3.Connection, _record: Any) -> None:
        if not place.stat().st_size:
            keep_private(place, place.parent)
        # It acts on a new file only, and on any other it would wait for the write lock.
        if connection.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * 4096}")
        connection.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(reading, "connect")
    def set_up_reader(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")

    index_path = f"{url.database}{INDEX_SUFFIX}"
    for engine in (reading, indexing):
        event.listen(engine, "connect", partial(_attach_index, index_path))

    @event.listens_for(indexing, "connect")
    @_telling
    def set_up_indexer(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA search.auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA search.journal_mode = WAL")
        connection.execute("PRAGMA search.synchronous = NORMAL")
        connection.execute(f"PRAGMA search.cache_size = -{WRITE_CACHE_KIB}")
        # The name is older than what it leaves out.
        connection.create_function("without_colours", 1, without_signs, deterministic=True)

    @event.listens_for(writing, "begin")
    def begin_to_write(connection: Connection) -> None:
        # IMMEDIATE takes the write lock now: a lock asked for halfway fails without waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # Deferred: the indexer must not take the write lock of the messages, only its own.
    @event.listens_for(indexing, "begin")
    @event.listens_for(reading, "begin")
    def begin_to_read(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        if not driver.in_transaction:  # a reader may have begun by the driver
            driver.execute("BEGIN")

    return Engines(url, writing, reading, indexing)


def _text(octets: bytes) -> str:
    """What the disk has spoilt is shown as such: a flipped bit must not hide a page, or refuse what
    is said where a name has it."""
    return octets.decode(errors="replace")


def _telling(set_up: Callable[..., None]) -> Callable[..., None]:
    """A damaged schema is told in words that quote it, and that the driver cannot read."""

    def told(*args: Any) -> None:
        try:
            set_up(*args)
        except UnicodeDecodeError as unreadable:
            error = sqlite3.DatabaseError("malformed database schema")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error from unreadable

    return told


@_telling
def _attach_index(path: str, connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("ATTACH ? AS search", (path,))
    keep_private(path, path.removesuffix(INDEX_SUFFIX))  # SQLite itself sees to its other files


def _postgresql(url: URL, vault: Vault, synchronous: str) -> Engines:
    try:
        import psycopg
    except ImportError:
        raise Unusable(
            "PostgreSQL needs the psycopg package: pip install 'muster[postgres]'"
        ) from None
    del psycopg
    patience = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    make = partial(create_engine, url, connect_args=patience, **_EVERY)
    writing, indexing = make(), make()
    reading = make(execution_options={"postgresql_readonly": True})

    def keep_vault(_connection: Any, record: Any) -> None:
        record.info["vault"] = vault

    for engine in (writing, reading, indexing):
        event.listen(engine, "connect", keep_vault)

    # "normal" survives kill -9 of this process; the server flushes within a fraction of a second.
    commit = "on" if synchronous == "full" else "off"

    @event.listens_for(writing, "connect")
    def set_up_writer(connection: Any, _record: Any) -> None:
        connection.execute(f"SET synchronous_commit = {commit}")
        connection.execute(f"SET lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        connection.commit()

    return Engines(url, writing, reading, indexing)
