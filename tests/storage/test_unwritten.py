"""What waits for the database at the end of Muster is in it after the next start, once."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.search import search
from storage.store import open_store
from tests.storage.busy import busy
from tests.storage.model import add_network, kept, said


async def test_what_a_lock_held_up_to_the_end_is_there_after_it(url: str, tmp_path: Path) -> None:
    """Who is told that the database is locked may well restart Muster first."""
    file = tmp_path / "unwritten"
    with ExitStack() as held:
        async with open_store(url, unwritten=file) as store:
            network = await add_network(store)
            rows = [said(store, network, f"line {n} \u00e9", n) for n in range(2_500)]
            assert await store.append(rows[:10])
            await store.catch_up()
            held.enter_context(busy(url))
            assert not await store.append(rows[10:])
        assert file.stat().st_mode & 0o777 == 0o600
    left = file.read_bytes()
    async with open_store(url, unwritten=file) as store:
        assert not file.exists()
        assert await kept(store, network) == rows
        assert await store.read(search, network, "2499") == rows[-1:]
        assert store.next_id() > rows[-1].id
    file.write_bytes(left + json.dumps(rows[0]).encode()[:20])  # killed before it was removed
    async with open_store(url, unwritten=file) as store:
        assert await kept(store, network) == rows


async def test_where_no_file_can_be_made_the_loss_is_told(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(url, unwritten=tmp_path / "missing" / "unwritten") as store:
        network = await add_network(store)
        with busy(url):
            assert not await store.append([said(store, network, "x", 1)])
            await store._close()
    assert "1 messages could not be written before the end" in caplog.text
