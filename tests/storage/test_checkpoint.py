"""SQLite's WAL is copied back beside the writer, whose commits it would hold up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from storage import wal
from storage.engine import CHECKPOINT_PAGES, WAL_OCTETS
from storage.store import open_store
from tests.complaints.venue import until
from tests.storage.test_messages import a_network, said

PAGE = 4096
FRAME = PAGE + 24


async def test_the_wal_is_copied_back_before_the_writer_must(tmp_path: Path) -> None:
    database, log = tmp_path / "muster.db", tmp_path / "muster.db-wal"
    async with open_store(f"sqlite:///{database}") as store:
        network = await a_network(store)
        while log.stat().st_size <= WAL_OCTETS:
            await store.append([said(store, network, "x" * 4_000, 1) for _ in range(200)])
        await until(lambda: database.stat().st_size > WAL_OCTETS / 2)
        assert log.stat().st_size < CHECKPOINT_PAGES * PAGE  # so it was not the writer
        salts = wal.read(log).salts
        with trio.fail_after(30):
            while wal.read(log).salts == salts:  # the writer begins anew when all was copied
                await store.append([said(store, network, "x", 1)])
        assert wal.read(log).octets < log.stat().st_size / 10


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE lines (text)")
        yield connection


def write(database: sqlite3.Connection, lines: int) -> None:
    database.execute("BEGIN")
    database.executemany("INSERT INTO lines VALUES (?)", [("x" * 4_000,)] * lines)
    database.execute("COMMIT")


def test_what_is_in_the_wal_is_what_sqlite_would_copy_back(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    log = tmp_path / "a.db-wal"
    for lines in (100, 1, 0, 37, 250, 2):
        write(database, lines)
        before = wal.read(log)
        _, frames, copied = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert before.octets == frames * FRAME
        assert copied == frames
        if lines:
            assert lines <= frames < 2 * lines + 10, "it began anew each time"
    assert log.stat().st_size > 250 * FRAME, "what was written before is left behind"


def test_the_salts_tell_whether_the_writer_began_anew(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    log = tmp_path / "a.db-wal"
    write(database, 10)
    first = wal.read(log)
    write(database, 10)
    second = wal.read(log)
    assert second.salts == first.salts
    assert second.octets > first.octets
    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    assert wal.read(log) == second, "it begins anew with what is written next"
    write(database, 10)
    assert wal.read(log).salts != first.salts


def test_an_empty_wal_or_none_holds_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a.db-wal"
    assert wal.read(log) == wal.EMPTY
    log.write_bytes(b"")
    assert wal.read(log) == wal.EMPTY
    log.write_bytes(bytes(31))
    assert wal.read(log) == wal.EMPTY
