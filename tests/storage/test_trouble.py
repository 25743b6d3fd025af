"""The database cannot be written: people are told, lines go on, and nothing that fitted is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import trio
from sqlalchemy.exc import OperationalError

from storage import accounts, messages
from storage.errors import NotWritten, OutOfReach, Unusable
from storage.indexer import PERIOD_S
from storage.messages import Row
from storage.records import User
from storage.retention import Keep
from storage.spill import SPILL_ROWS
from storage.store import Store, open_store
from storage.trouble import Cause, Trouble, in_a_line
from tests.real.disk import locked, small_disk
from tests.real.process import until
from tests.storage.busy import busy
from tests.storage.model import add_network, kept, said, until_well


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _is_read_only(store: Store) -> bool:
    return store.trouble is not None and store.trouble.cause is Cause.READ_ONLY


async def test_a_locked_database_delays_nothing_and_loses_nothing(url: str) -> None:
    async with open_store(url) as store:
        heard: list[Trouble | None] = []
        store.on_trouble(heard.append)
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(30)]
        assert await store.append(rows[:10])
        with busy(url):
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
        await until_well(store)
        assert await store.append(rows[20:])
        assert await kept(store, network) == rows
        assert heard[0] is not None
        assert heard[-1] is None


async def test_a_lock_that_lasts_refuses_jobs_and_ends_nothing(url: str) -> None:
    """Over several attempts to open the database anew."""
    async with open_store(url) as store:
        network = await add_network(store)
        with busy(url):
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
        with locked(tmp_path / "muster.db-search"):
            for attempt in (
                lambda: store.redact(network, row.target, "slip"),
                lambda: store.prune(Keep(age_s=1)),
            ):
                with pytest.raises(NotWritten, match="the search index is locked"):
                    await attempt()
            assert await kept(store, network) == [row], "all of it or nothing"
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
def small(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place, "4m"):
        yield place


async def test_a_full_disk_is_told_and_what_waits_is_written_later(small: Path) -> None:
    async with open_store(f"sqlite:///{small}/muster.db") as store:
        network = await add_network(store)
        ballast = small / "ballast"
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
    async with open_store(f"sqlite:///{small}/muster.db") as store:
        assert await kept(store, network) == rows + more


async def test_a_full_disk_is_named_where_the_database_cannot_even_be_opened(small: Path) -> None:
    url = f"sqlite:///{small}/muster.db"
    async with open_store(url):
        pass
    with suppress(OSError), (small / "ballast").open("wb", buffering=0) as filling:
        while filling.write(b"\0" * 4096):
            pass
    with pytest.raises(OutOfReach, match="has no room: the disk is full"):
        async with open_store(url):
            pass


async def test_a_database_that_cannot_be_opened_is_explained(small: Path) -> None:
    url = f"sqlite:///{small}/muster.db"
    async with open_store(url) as store:
        network = await add_network(store)
        await store.append([said(store, network, "x" * 400, n) for n in range(2000)])

    remount(small, "ro")
    with pytest.raises(Unusable, match=r"is read-only|cannot be reached"):
        async with open_store(url):
            pass
    remount(small, "rw")

    path = small / "muster.db"
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


async def test_a_server_that_only_reads_is_told(postgresql_url: str) -> None:
    """As a standby does after a failover."""
    async with open_store(postgresql_url) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(3)]
        assert await store.append(rows[:1])
        plain = postgresql_url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            name = connection.info.dbname
            for only in ("on", "off"):
                connection.execute(
                    f'ALTER DATABASE "{name}" SET default_transaction_read_only={only}'
                )
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
                if only == "on":
                    assert not await store.append(rows[1:])
                    await until(lambda: _is_read_only(store), 15, "the cause is known")
                    assert await kept(store, network) == rows[:1], "reading goes on"
        await until_well(store)
        assert await kept(store, network) == rows


async def test_a_table_that_is_locked_delays_nothing_and_loses_nothing(postgresql_url: str) -> None:
    async with open_store(postgresql_url) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(20)]
        assert await store.append(rows[:5])
        with psycopg.connect(postgresql_url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE messages IN SHARE MODE")
            assert not await store.append(rows[5:10])
            assert store.trouble is not None
            assert store.trouble.cause is Cause.LOCKED
            assert not await store.append(rows[10:])
            assert await kept(store, network) == rows[:5], "reading goes on"
            other.rollback()
        await until_well(store)
        assert await kept(store, network) == rows


async def test_what_finds_no_room_in_memory_is_counted_and_told(url: str) -> None:
    async with open_store(url) as store:
        heard: list[Trouble | None] = []
        store.on_trouble(heard.append)
        network = await add_network(store)
        with busy(url):
            rows = [said(store, network, "", n) for n in range(SPILL_ROWS + 5)]
            assert not await store.append(rows[:SPILL_ROWS])
            assert not await store.append(rows[SPILL_ROWS:])
            assert store.trouble is not None
            assert (store.trouble.waiting, store.trouble.lost) == (SPILL_ROWS, 5)
            last = heard[-1]
            assert str(last).endswith("5 have been lost."), "said at once, not at the end"
        await until_well(store)
        got = await store.read(messages.since, network, 0, SPILL_ROWS + 5)
        assert [row.id for row in got] == [row.id for row in rows[:SPILL_ROWS]]


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


async def test_what_could_not_be_written_is_not_in_the_log(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        with closing(sqlite3.connect(tmp_path / "muster.db", isolation_level=None)) as other:
            other.execute("CREATE TRIGGER t BEFORE INSERT ON users BEGIN SELECT unknown(); END")
        with pytest.raises(OperationalError) as failed:
            await store.run(accounts.add_user, User(name="carol", password_hash="$argon2id$x"))
        assert "INSERT INTO users" in str(failed.value), "its text holds the statement"
        assert "$argon2id$x" not in str(failed.value)
        assert in_a_line(failed.value) == "no such function: unknown"


async def test_an_index_that_cannot_be_written_is_told_of_once(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        with closing(sqlite3.connect(tmp_path / "muster.db-search", isolation_level=None)) as other:
            refusal = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            other.execute(f"CREATE TRIGGER t BEFORE INSERT ON zones {refusal}")
            await store.append([said(store, network, "a line", 1)])
            await until(lambda: bool(caplog.messages), 30, "the index does not get on")
            await trio.sleep(2 * PERIOD_S)  # it tries again, and again in vain
            other.execute("DROP TRIGGER t")
        await until(lambda: "gets on again" in caplog.messages[-1], 30, "it gets on")
    assert caplog.messages == [
        "the search index does not get on: refused",
        "the search index gets on again",
    ]
