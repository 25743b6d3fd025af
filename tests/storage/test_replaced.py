"""Files that are taken away, replaced or damaged under a store that serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from storage import accounts, messages, search
from storage.errors import NotWritten, StorageError, Unusable
from storage.message import Position, Row
from storage.records import User
from storage.retention import Keep
from storage.store import Store, open_store
from tests.real.process import until
from tests.storage.model import add_network, said

READERS = 4


async def some_rows(store: Store, network: int) -> list[Row]:
    rows = [said(store, network, f"line {n}", n, msgid=f"their-{n}") for n in range(20)]
    assert await store.append(rows)
    await store.catch_up()
    return rows


async def found(store: Store, network: int, row: Row) -> bool:
    """By its msgid and by its words, whichever reader is asked; it fails as a StorageError does."""
    places: list[Position | None] = []

    async def look() -> None:
        try:
            place = await store.read(messages.find_msgid, network, row.target, row.msgid)
            hits = await store.read(search.search, network, row.text)
        except StorageError:
            return
        places.append(place if hits == [row] else None)

    async with trio.open_nursery() as nursery:
        for _ in range(READERS):
            nursery.start_soon(look)
    return places == [Position(row.time_ms, row.id)] * READERS


async def until_found(store: Store, network: int, row: Row) -> None:
    for _ in range(600):
        if await found(store, network, row):
            return
        await trio.sleep(0.05)
    raise AssertionError(f"{row.text!r} is not found")


@asynccontextmanager
async def with_damaged_index(url: str, folder: Path) -> AsyncIterator[tuple[Store, list[Row]]]:
    """A store that serves some rows, and whose index was overwritten since it was opened."""
    async with open_store(url) as store:
        rows = await some_rows(store, await add_network(store))
    path = folder / "muster.db-search"
    data = path.read_bytes()
    async with open_store(url) as store:
        path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
        yield store, rows


async def test_an_index_that_was_taken_away_is_built_anew(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = await some_rows(store, network)
        for path in tmp_path.glob("muster.db-search*"):
            path.unlink()
        await until_found(store, network, rows[7])
        more = said(store, network, "another", 99, msgid="their-99")
        await store.append([more])
        await store.catch_up()
        await until_found(store, network, more)
        assert await store.prune(Keep(age_s=1)) == len(rows) + 1
    async with open_store(sqlite_url) as store:
        assert await store.read(search.search, network, "line") == []


async def test_an_index_that_is_damaged_under_it_is_built_anew(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with with_damaged_index(sqlite_url, tmp_path) as (store, rows):
        left, gone = len(rows), 0
        with trio.fail_after(30):
            while left:
                with suppress(StorageError):
                    gone += await store.prune(Keep(age_s=1))
                    left -= gone
                await trio.sleep(0.05)
        assert (left, gone) == (0, len(rows)), "retention goes on too"


async def test_a_reader_that_finds_damage_has_the_index_built_anew(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing is written meanwhile that would show it to the indexer."""
    async with with_damaged_index(sqlite_url, tmp_path) as (store, rows):
        await until_found(store, rows[7].network_id, rows[7])


def spoil(path: Path, text: str) -> None:
    """Flip a bit of each place of a file where a text stands: no UTF-8 any more."""
    data = path.read_bytes()
    assert text.encode() in data
    path.write_bytes(data.replace(text.encode(), b"\xff" + text.encode()[1:]))


async def test_a_flipped_bit_in_a_text_hides_nothing_else(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = await some_rows(store, network)
    spoil(tmp_path / "muster.db", "ine 7")
    spoil(tmp_path / "muster.db", "#ops")
    async with open_store(sqlite_url) as store:
        got = await store.read(messages.since, network, 0, 100)
        assert [row.text for row in got] == [
            "l\ufffdne 7" if row.text == "line 7" else row.text for row in rows
        ]
        more = said(store, network, "more", 100)
        assert await store.append([more])
        assert await store.read(messages.latest, network, "#ops", 1) == [more]


async def test_an_index_whose_schema_is_damaged_is_built_anew(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_store(sqlite_url) as store:
        rows = await some_rows(store, await add_network(store))
    spoil(tmp_path / "muster.db-search", "TABLE")
    async with open_store(sqlite_url) as store:
        await store.catch_up()
        await until_found(store, rows[7].network_id, rows[7])


async def test_an_index_that_understands_words_otherwise_is_built_anew(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Its table says what a word is, and is as easily damaged as the rest."""
    async with open_store(sqlite_url) as store:
        rows = await some_rows(store, await add_network(store))
    path = tmp_path / "muster.db-search"
    head, separators, rest = path.read_bytes().partition(b"separators '")
    path.write_bytes(head + separators + b"ii" + rest[2:])  # "line" is two words now
    async with open_store(sqlite_url) as store:
        await until_found(store, rows[7].network_id, rows[7])


async def test_a_database_whose_schema_is_damaged_is_told_so(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_store(sqlite_url):
        pass
    spoil(tmp_path / "muster.db", "TABLE")
    with pytest.raises(Unusable, match="is damaged"):
        async with open_store(sqlite_url):
            pass


async def test_a_copy_put_in_the_place_of_the_database_is_served(
    sqlite_url: str, tmp_path: Path
) -> None:
    """As by an administrator who restores a backup and does not stop the bouncer."""
    path, copy = tmp_path / "muster.db", tmp_path / "copy.db"
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = await some_rows(store, network)
        async with trio.open_nursery() as nursery:
            for _ in range(READERS):
                nursery.start_soon(store.read, messages.since, network, 0, 100)
        await store.backup(str(copy))
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink()
        copy.rename(path)
        with pytest.raises(NotWritten, match="cannot be reached"):
            await store.run(accounts.add_user, User(name="carol"))  # into the file that is gone
        later = said(store, network, "what came later", 100, msgid="their-100")
        await store.append([later])
        await until(lambda: store.trouble is None, 60, "the store is well again")
        await store.run(accounts.add_user, User(name="carol"))
        await until_found(store, network, later)
        for _ in range(READERS):
            assert await store.read(messages.since, network, 0, 100) == [*rows, later]
    async with open_store(sqlite_url) as store:
        assert await store.read(messages.since, network, 0, 100) == [*rows, later]
        assert [user.name for user in await store.read(accounts.list_users)] == ["alice", "carol"]
