"""The database cannot be written: people are told, lines go on, and nothing that fitted is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trio

from storage import accounts, messages
from storage.errors import NotWritten, Unusable
from storage.messages import Row
from storage.records import User
from storage.retention import Keep
from storage.store import Store, open_store
from storage.trouble import Cause, Trouble
from tests.storage.model import add_network, said


async def until_well(store: Store) -> None:
    with trio.fail_after(15):
        while store.trouble is not None:  # noqa: ASYNC110 as a person would look
            await trio.sleep(0.05)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


async def kept(store: Store, network: int) -> list[Row]:
    return await store.read(messages.since, network, 0, 1_000_000)


async def test_a_locked_database_delays_nothing_and_loses_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_store(sqlite_url) as store:
        heard: list[Trouble | None] = []
        store.on_trouble(heard.append)
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(30)]
        assert await store.append(rows[:10])
        other = sqlite3.connect(tmp_path / "muster.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not await store.append(rows[10:15])
        with trio.fail_after(1):
            assert not await store.append(rows[15:20]), "at once, once the trouble is known"
        assert store.trouble is not None
        assert store.trouble.cause is Cause.LOCKED
        assert store.trouble.waiting == 10
        assert "locked by another process" in str(store.trouble)
        with pytest.raises(NotWritten, match="locked by another process"):
            await store.run(accounts.add_user, User(name="carol"))
        assert await kept(store, network) == rows[:10], "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        await until_well(store)
        assert await store.append(rows[20:])
        assert await kept(store, network) == rows
        assert heard[0] is not None
        assert heard[-1] is None


async def test_a_lock_that_lasts_refuses_jobs_and_ends_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Over several attempts to open the database anew."""
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        other = sqlite3.connect(tmp_path / "muster.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        rows = [said(store, network, "line", 0)]
        assert not await store.append(rows)
        refused = 0
        until_s = time.monotonic() + 3.5
        while time.monotonic() < until_s:
            rows.append(said(store, network, "line", len(rows)))
            assert not await store.append(rows[-1:])
            with pytest.raises(NotWritten, match="locked by another process"):
                await store.run(accounts.add_user, User(name="carol"))
            refused += 1
            await trio.sleep(0.1)
        assert refused
        other.execute("ROLLBACK")
        other.close()
        await until_well(store)
        assert await kept(store, network) == rows


async def test_an_index_that_cannot_be_written_refuses_to_delete(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        row = said(store, network, "a slip", 1, msgid="slip")
        assert await store.append([row])
        await store.catch_up()
        other = sqlite3.connect(tmp_path / "muster.db-search", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for attempt in (
            lambda: store.redact(network, row.target, "slip"),
            lambda: store.prune(Keep(age_s=1)),
        ):
            with pytest.raises(NotWritten, match="the search index is locked"):
                await attempt()
        assert await kept(store, network) == [row], "all of it or nothing"
        other.execute("ROLLBACK")
        other.close()
        assert await store.redact(network, row.target, "slip") == row
        assert await kept(store, network) == []


async def test_a_file_that_was_taken_away_is_missed(sqlite_url: str, tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "muster.db", tmp_path / "elsewhere"
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(3)]
        assert await store.append(rows[:1])
        path.rename(elsewhere)
        await trio.sleep(1.1)
        assert not await store.append(rows[1:2])
        assert store.trouble is not None
        assert store.trouble.cause is Cause.GONE
        await trio.sleep(1.1)
        assert not await store.append(rows[2:])
        assert not path.exists(), "no empty one is made in its place"
        elsewhere.rename(path)
        await until_well(store)
    async with open_store(sqlite_url) as store:
        assert await kept(store, network) == rows


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MiB."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_is_told_and_what_waits_is_written_later(small_disk: Path) -> None:
    async with open_store(f"sqlite:///{small_disk}/muster.db") as store:
        network = await add_network(store)
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"\0" * (2 << 20))
        rows: list[Row] = []
        committed = True
        while committed:
            assert len(rows) < 50_000
            chunk = [said(store, network, "x" * 200, len(rows) + n) for n in range(100)]
            committed = await store.append(chunk)
            rows += chunk
        assert store.trouble is not None
        assert store.trouble.cause is Cause.FULL
        more = [said(store, network, "y" * 200, len(rows) + n) for n in range(1000)]
        assert not await store.append(more)
        assert await kept(store, network) == rows[:-100], "what was promised is there"
        ballast.unlink()
        await until_well(store)
        assert await kept(store, network) == rows + more
    async with open_store(f"sqlite:///{small_disk}/muster.db") as store:
        assert await kept(store, network) == rows + more


async def test_a_database_that_cannot_be_opened_is_explained(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/muster.db"
    async with open_store(url) as store:
        network = await add_network(store)
        await store.append([said(store, network, "x" * 400, n) for n in range(2000)])

    remount(small_disk, "ro")
    with pytest.raises(Unusable, match=r"is read-only|cannot be reached"):
        async with open_store(url):
            pass
    remount(small_disk, "rw")

    path = small_disk / "muster.db"
    data = bytearray(path.read_bytes())
    data[20 * 4096 :] = b"\xff" * (len(data) - 20 * 4096)
    path.write_bytes(data)
    with pytest.raises(Unusable, match="is damaged"):
        async with open_store(url):
            pass
    path.write_text("these are my notes" * 1000)
    with pytest.raises(Unusable, match="is damaged"):
        async with open_store(url):
            pass
    with pytest.raises(Unusable, match="cannot be reached"):
        async with open_store("sqlite:////proc/muster/muster.db"):
            pass


async def test_a_lost_connection_comes_back(postgresql_url: str) -> None:
    async with open_store(postgresql_url) as store:
        network = await add_network(store)
        first = said(store, network, "a", 1)
        await store.append([first])
        plain = postgresql_url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        second = said(store, network, "b", 2)
        assert not await store.append([second])
        assert store.trouble is not None
        assert store.trouble.cause is Cause.GONE
        await until_well(store)
        assert await kept(store, network) == [first, second]


async def test_a_row_that_cannot_be_kept_takes_no_other_with_it(store: Store) -> None:
    network = await add_network(store)
    good = [said(store, network, "a", 1), said(store, network, "b", 2)]
    half = said(store, network, "half \ud800 a pair", 3)
    nul = said(store, network, "nul \0 inside", 4)
    huge = said(store, network, "c", 1 << 70)
    await store.append([good[0], half, huge, nul, good[1]])
    texts = {row.text for row in await kept(store, network)}
    assert {"a", "b", "half ? a pair"} <= texts
    assert "c" not in texts
    assert store.trouble is None
