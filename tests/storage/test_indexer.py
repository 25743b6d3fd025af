"""The search index is made beside the relay, and leaves it the processor."""

from __future__ import annotations

import threading
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trio

from storage.indexer import GIVE_WAY_S, MAX_TAIL, STEP_ROWS
from storage.store import Store, open_store
from tests.storage.test_messages import a_network, said


class Waits(threading.Event):
    """Notes how long it is waited for, and is not waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.rests.append(timeout)
        return self.is_set()


@pytest.mark.parametrize("talk", [True, False])
async def test_it_rests_where_people_talk_meanwhile(tmp_path: Path, *, talk: bool) -> None:
    """After each step, longer than the step took; where nobody speaks it goes on at once."""
    async with open_store(f"sqlite:///{tmp_path / 'muster.db'}") as store:
        network = await a_network(store)
        indexer = store._indexer
        indexer._stop.set()
        await trio.to_thread.run_sync(indexer._thread.join)  # its work is done here
        indexer._stop = waits = Waits()
        await store.append([said(store, network, "hello", 1) for _ in range(3 * STEP_ROWS)])
        if talk:
            indexer._last_id = partial(next, count())
        await trio.to_thread.run_sync(indexer._follow, False)
        assert len(waits.rests) == (3 if talk else 0)
        assert all(rest and rest > 0 for rest in waits.rests)
        assert await covered(store) == store._last_id


async def test_it_steps_aside_when_people_talk_more_than_it_can_spare(tmp_path: Path) -> None:
    """Also where that begins while it catches up."""
    async with open_store(f"sqlite:///{tmp_path / 'muster.db'}") as store:
        network = await a_network(store)
        indexer = store._indexer
        indexer._stop.set()
        await trio.to_thread.run_sync(indexer._thread.join)
        indexer._stop = Waits()
        before = store._last_id
        await store.append([said(store, network, "hello", 1) for _ in range(3 * STEP_ROWS)])
        flood = count(store._last_id, MAX_TAIL // 20)
        indexer._last_id = partial(next, flood)
        await trio.to_thread.run_sync(indexer._follow, False)
        assert await covered(store) == before + STEP_ROWS
        await trio.to_thread.run_sync(indexer._follow, True)
        assert await covered(store) == before + STEP_ROWS, "it is busy from the beginning"
        indexer._last_id = partial(next, count(store._last_id + 2 * MAX_TAIL, MAX_TAIL))
        await trio.to_thread.run_sync(indexer._follow, True)
        assert await covered(store) == store._last_id, "too far behind, and so it works anyway"


@pytest.mark.parametrize("is_long", [True, False])
async def test_it_lets_a_long_wal_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_long: bool
) -> None:
    """In a flood, and too far behind to step aside: nobody must read from the WAL for a moment."""
    async with open_store(f"sqlite:///{tmp_path / 'muster.db'}") as store:
        network = await a_network(store)
        indexer = store._indexer
        indexer._stop.set()
        await trio.to_thread.run_sync(indexer._thread.join)
        indexer._stop = waits = Waits()
        await store.append([said(store, network, "hello", 1) for _ in range(2 * STEP_ROWS)])
        wal_octets = Path(f"{tmp_path / 'muster.db'}-wal").stat().st_size
        monkeypatch.setattr("storage.indexer.LONG_WAL_BYTES", wal_octets - is_long)
        indexer._last_id = partial(next, count(store._last_id + 2 * MAX_TAIL, MAX_TAIL))
        await trio.to_thread.run_sync(indexer._follow, True)
        assert await covered(store) == store._last_id
        assert waits.rests == [GIVE_WAY_S if is_long else 0] * 2


async def covered(store: Store) -> int:
    indexer = store._indexer
    return await trio.to_thread.run_sync(
        lambda: indexer.with_connection(indexer.index.covered).high
    )
