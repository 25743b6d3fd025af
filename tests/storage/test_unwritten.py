"""What waits for the database at the end of Muster is in it after the next start, once."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from storage.search import search
from storage.store import open_store
from tests.real.disk import locked
from tests.storage.model import add_network, kept, said


async def test_what_a_lock_held_up_to_the_end_is_there_after_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Who is told that the database is locked may well restart Muster first."""
    file = tmp_path / "unwritten"
    with ExitStack() as held:
        async with open_store(sqlite_url, unwritten=file) as store:
            network = await add_network(store)
            rows = [said(store, network, f"line {n} \u00e9", n) for n in range(2_500)]
            assert await store.append(rows[:10])
            await store.catch_up()
            held.enter_context(locked(tmp_path / "muster.db"))
            assert not await store.append(rows[10:])
        assert file.stat().st_mode & 0o777 == 0o600
    left = file.read_bytes()
    async with open_store(sqlite_url, unwritten=file) as store:
        assert not file.exists()
        assert await kept(store, network) == rows
        assert await store.read(search, network, "2499") == rows[-1:]
        assert store.next_id() > rows[-1].id
    file.write_bytes(left + json.dumps(rows[0]).encode()[:20])  # killed before it was removed
    async with open_store(sqlite_url, unwritten=file) as store:
        assert await kept(store, network) == rows


async def test_what_a_server_did_not_take_is_there_when_it_does(
    postgresql_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "unwritten"
    async with open_store(postgresql_url, unwritten=file) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(20)]
        assert await store.append(rows[:5])
        with psycopg.connect(postgresql_url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE messages IN SHARE MODE")
            assert not await store.append(rows[5:])
            await store._close()
    async with open_store(postgresql_url, unwritten=file) as store:
        assert await kept(store, network) == rows


async def test_where_no_file_can_be_made_the_loss_is_told(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(sqlite_url, unwritten=tmp_path / "missing" / "unwritten") as store:
        network = await add_network(store)
        with locked(tmp_path / "muster.db"):
            assert not await store.append([said(store, network, "x", 1)])
            await store._close()
    assert "1 messages could not be written before the end" in caplog.text
