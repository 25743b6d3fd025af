"""SQLite's WAL is copied back beside the writer, whose commits it would hold up."""

from __future__ import annotations

from pathlib import Path

from storage.engine import CHECKPOINT_PAGES
from storage.indexer import CHECKPOINT_BYTES
from storage.store import open_store
from tests.complaints.venue import until
from tests.storage.test_messages import a_network, said

PAGE = 4096


async def test_the_wal_is_copied_back_before_the_writer_must(tmp_path: Path) -> None:
    database, wal = tmp_path / "muster.db", tmp_path / "muster.db-wal"
    async with open_store(f"sqlite:///{database}") as store:
        network = await a_network(store)
        while wal.stat().st_size <= CHECKPOINT_BYTES:
            await store.append([said(store, network, "x" * 4_000, 1) for _ in range(200)])
        await until(lambda: database.stat().st_size > CHECKPOINT_BYTES / 2)
        assert wal.stat().st_size < CHECKPOINT_PAGES * PAGE  # so it was not the writer
