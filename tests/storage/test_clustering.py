"""What an older release has kept by number comes into the order of pages while everybody serves,
and nothing is lost, doubled or changed by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from bouncer import chores
from storage import clustering, messages, retention
from storage.engine import Engines, make_engines
from storage.message import Row
from storage.search import search
from storage.store import Store, open_store
from storage.vault import Vault
from tests.real.process import until
from tests.storage.model import add_network, said
from tests.storage.test_migrations import FROZEN, Earlier, differences, layout, load_frozen

OLD = next(path for path in FROZEN if path.stem == "0.1-sqlite")
COLUMNS = "id, network_id, buffer_id, source_id, time_ms, msgid, command, tags, addressee, text"
FREE = 1 << 40


class Kept(NamedTuple):
    """A row of the table of messages, but for what is the same in all."""

    buffer_id: int
    time_ms: int
    text: str


def put(connection: sqlite3.Connection, rows: dict[int, Kept]) -> None:
    connection.executemany(
        f"INSERT INTO messages ({COLUMNS}) VALUES (?, 1, ?, 1, ?, 'i', 'PRIVMSG', '', '', ?)",
        [(number, *row) for number, row in rows.items()],
    )


def old_table(rows: dict[int, Kept]) -> sqlite3.Connection:
    """The messages of a database of release 0.1."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(OLD.read_text())
    connection.execute("DELETE FROM messages")
    put(connection, rows)
    return connection


def held(connection: sqlite3.Connection) -> dict[int, Kept]:
    query = "SELECT id, buffer_id, time_ms, text FROM messages"
    found = {row[0]: Kept(*row[1:]) for row in connection.execute(query)}
    (count,) = connection.execute("SELECT count(*) FROM messages NOT INDEXED").fetchone()
    assert count == len(found)
    return found


def step_of(connection: sqlite3.Connection) -> Callable[[], bool]:
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def step() -> bool:
        with engine.begin() as told:
            return clustering.step(told)

    return step


ids = st.integers(1, 60)
row = st.builds(Kept, st.integers(1, 3), st.integers(0, 9), st.sampled_from("abc"))
deeds = st.lists(
    st.one_of(
        st.just(("step",)),
        st.tuples(st.just("add"), ids, row),
        st.tuples(st.just("delete"), ids),
        st.tuples(st.just("move"), ids, st.integers(1, 3)),
        st.tuples(st.just("redate"), ids, st.integers(0, 9)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(st.dictionaries(ids, row, max_size=30), deeds)
def test_it_holds_what_was_put_and_changed_meanwhile(
    rows: dict[int, Kept], done: list[tuple[object, ...]]
) -> None:
    with pytest.MonkeyPatch.context() as patch, closing(old_table(rows)) as connection:
        patch.setattr(clustering, "STEP_ROWS", 3)
        step, model = step_of(connection), dict(rows)
        run = connection.execute
        for deed, *words in done:
            match deed, words:
                case "step", []:
                    step()
                case "add", [int(number), Kept() as given] if number not in model:
                    put(connection, {number: given})
                    model[number] = given
                case "delete", [int(number)]:
                    run("DELETE FROM messages WHERE id = ?", (number,))
                    model.pop(number, None)
                case "move", [int(number), int(buffer_id)] if number in model:
                    run("UPDATE messages SET buffer_id = ? WHERE id = ?", (buffer_id, number))
                    model[number] = model[number]._replace(buffer_id=buffer_id)
                case "redate", [int(number), int(at_ms)] if number in model:
                    run("UPDATE messages SET time_ms = ? WHERE id = ?", (at_ms, number))
                    model[number] = model[number]._replace(time_ms=at_ms)
            assert held(connection) == model
        while step():
            assert held(connection) == model
        assert held(connection) == model
        tables = run("SELECT name FROM sqlite_master WHERE name LIKE '%cluster%'").fetchall()
        tables += run("SELECT name FROM sqlite_master WHERE name LIKE '%rowid%'").fetchall()
        assert tables == [] == run("SELECT * FROM meta WHERE key LIKE '%cluster%'").fetchall()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> str:
    """An old database, too large for the migration itself to bring its messages over."""
    monkeypatch.setattr(clustering, "AT_ONCE", 1)
    monkeypatch.setattr(clustering, "STEP_ROWS", 1)
    load_frozen(sqlite_url, OLD.read_text())
    return sqlite_url


async def what_is_kept(store: Store) -> list[Row]:
    return await store.read(messages.since, 1, 0, 99)


async def test_the_store_goes_on_serving_and_ends_as_a_new_one(large: str, tmp_path: Path) -> None:
    async with open_store(large) as store:
        assert await store.read(clustering.is_to_do)
        rows = await what_is_kept(store)
        assert len(rows) > 2
        for n in range(3):
            assert await store.run(clustering.step)
            new = said(store, 1, f"said meanwhile {n}", rows[0].time_ms + n, rows[0].target)
            rows.append(new._replace(name=rows[0].name))
            assert await store.append(rows[-1:])
            assert await what_is_kept(store) == rows
        await store.run(retention.drop, [rows.pop(1).id])
    async with open_store(large) as store:  # interrupted
        assert await store.cluster()
        assert not await store.cluster()
        assert await what_is_kept(store) == rows
        page = sorted(rows, key=lambda row: (row.time_ms, row.id))
        assert await store.read(messages.latest, 1, rows[0].target, 99) == page
        assert await store.read(search, 1, "meanwhile") == rows[-3:]
        brought = await store.read(layout)
        assert await store.read(differences) == []
    async with open_store(f"sqlite:///{tmp_path}/new.db") as store:
        assert (await store.read(layout))["messages"] == brought["messages"]


@pytest.mark.parametrize("steps", [0, 1, 3, 99])
async def test_the_release_before_goes_on_serving_too(large: str, steps: int) -> None:
    earlier = Earlier(large, OLD.with_suffix(".jsonl"))
    try:
        earlier.go_on(0.5)
        async with open_store(large) as store:
            for _ in range(steps):
                await store.run(clustering.step)
            await trio.to_thread.run_sync(earlier.go_on, 1.0)
            rows = await store.read(messages.latest, 2, "#dev", 10)
            assert [row.text for row in rows] == ["first words", "second words"]
            await store.cluster()
            assert await store.read(messages.latest, 2, "#dev", 10) == rows
            assert await store.read(search, 2, "second") == rows[1:]
    finally:
        earlier.end()


async def test_without_room_nothing_begins(large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(large) as store:
        rows = await what_is_kept(store)
        with monkeypatch.context() as patch:
            patch.setattr(clustering, "SPARE_BYTES", FREE)
            with pytest.raises(
                clustering.NoRoom, match=r"MiB free, and to bring .* takes 1048576 "
            ):
                await store.cluster()
            assert store.trouble is None
            assert await store.run(tables) == ["messages"]
        assert await store.run(clustering.step)  # begun, and then others fill the disk
        with monkeypatch.context() as patch:
            patch.setattr(clustering, "SPARE_BYTES", FREE)
            with pytest.raises(clustering.NoRoom):
                await store.cluster()
        assert await what_is_kept(store) == rows
        assert await store.cluster()
        assert await what_is_kept(store) == rows


def tables(connection: Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'messages%'"
    return list(connection.exec_driver_sql(query).scalars())


async def test_it_is_one_of_the_chores(large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again for as long as there is no room, and said once."""
    monkeypatch.setattr(chores, "CLUSTER_S", 0.01)
    free, asked = 0, 0

    def free_bytes(_engines: Engines) -> int:
        nonlocal asked
        asked += 1
        return free

    monkeypatch.setattr(Engines, "free_bytes", free_bytes)
    async with open_store(large) as store, trio.open_nursery() as nursery:
        with structlog.testing.capture_logs() as logs:
            nursery.start_soon(chores.cluster, store)
            await until(lambda: asked > 3, 20, "it has been tried again")
        assert [each["event"] for each in logs] == ["messages stay in the order of arrival"]
        free = FREE

        with trio.fail_after(20):
            while await store.read(clustering.is_to_do):  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


def octets_read() -> int:
    """By this thread, from files."""
    io = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(io["rchar"])


async def test_a_page_of_history_lies_in_a_few_pages_of_the_file(sqlite_url: str) -> None:
    """Though a hundred conversations were held at once."""
    names = [f"#c{n}" for n in range(100)]
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        for n in range(150):
            rows = [said(store, network, "a line of some length " * 5, n, name) for name in names]
            await store.append(rows)
    engines = make_engines(sqlite_url, Vault(None))
    with engines.reading.connect() as connection:
        page = messages.latest(connection, network, "#c9", 100)  # it reads the schema too
        before = octets_read()
        page = messages.latest(connection, network, "#c55", 100)
        took = octets_read() - before
    engines.dispose()
    assert len(page) == 100
    assert 4 * 4096 <= took <= 16 * 4096


async def test_a_small_one_is_done_by_the_migration(sqlite_url: str) -> None:
    load_frozen(sqlite_url, OLD.read_text())
    async with open_store(sqlite_url) as store:
        assert not await store.read(clustering.is_to_do)
        assert len(await what_is_kept(store)) > 2


async def test_postgresql_keeps_its_own_order(postgresql_url: str) -> None:
    async with open_store(postgresql_url) as store:
        assert not await store.cluster()
