"""A question takes the same work however long the history is: counted in steps of SQLite's machine,
and in the pages and rows that PostgreSQL says it went through.

"flat from 10⁴ to 10⁷ messages"
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import trio
from sqlalchemy import Connection, Engine, create_engine, event

from storage import messages
from storage.message import LAST_POSITION, Position, Row, own_msgid
from storage.search import search
from storage.store import Store, open_store
from tests.storage.cluster import Cluster
from tests.storage.model import add_network, said

SHORT, LONG = 10_000, 50_000  # messages in the conversation; a zone of the index has 4,096
FEW, MANY = 40_000, 120_000  # for PostgreSQL, which reads a table from end to end while it is small
AT_MS = 1_000  # of a message that both have
Ask = tuple[Callable[..., Any], tuple[Any, ...]]


def questions(network: int = 1, number: int = 1, length: int = SHORT) -> dict[str, Ask]:
    place = Position(AT_MS, number)
    return {
        "latest": (messages.latest, (network, "#ops", 50)),
        "before": (messages.before, (network, "#ops", place, 50)),
        "after": (messages.after, (network, "#ops", place, 50)),
        "around": (messages.around, (network, "#ops", place, 50)),
        "between": (messages.between, (network, "#ops", place, LAST_POSITION, 50)),
        "since": (messages.since, (network, number, 50)),
        "newest": (messages.newest, (network, 50)),
        "targets": (messages.targets, (network, 0, 1 << 50, 50)),
        "by a msgid": (messages.find_msgid, (network, "#ops", f"id-{AT_MS}")),
        "by our own msgid": (messages.find_msgid, (network, "#ops", own_msgid(number))),
        "by no msgid": (messages.find_msgid, (network, "#ops", "id-none")),
        "a rare word": (search, (network, f"ticket{AT_MS}")),
        "words of today": (search, (network, f"ticket{length // 10 - 1}*")),
        "a common word": (search, (network, "disk", "", "", None, None, 50)),
        "a sender": (search, (network, "", "bob", "", None, None, 50)),
        "a sender's word": (search, (network, "disk", "bob", "#ops", None, None, 50)),
        "a stretch of time": (search, (network, "disk", "", "", AT_MS, AT_MS + 9)),
    }


async def steps(store: Store, ask: Ask, handlers: list[sqlite3.Connection]) -> int:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    for handler in handlers:
        handler.set_progress_handler(step, 1)
    fn, values = ask
    assert await store.read(fn, *values) != []
    for handler in handlers:
        handler.set_progress_handler(None, 0)
    return count


@asynccontextmanager
async def observed(url: str) -> AsyncIterator[tuple[Store, list[sqlite3.Connection]]]:
    """A store, and the connections that read from it, as they are made."""
    readers: list[sqlite3.Connection] = []

    def met(connection: sqlite3.Connection, _record: object) -> None:
        readers.append(connection)

    async with open_store(url) as store:
        event.listen(Engine, "connect", met)  # what else there is has connected
        try:
            yield store, readers
        finally:
            event.remove(Engine, "connect", met)


async def say(store: Store, length: int) -> list[Row]:
    network = await add_network(store)
    times = list(range(length))
    times[9], times[-9] = 1 << 41, 1  # the network's clock was wrong for a moment, twice
    rows = [
        said(store, network, f"the disk ticket{n}", time_ms, msgid=f"id-{n}")
        for n, time_ms in enumerate(times)
    ]
    await store.append(rows)
    return rows


async def worked(url: str, length: int) -> dict[str, int]:
    async with observed(url) as (store, readers):
        rows = await say(store, length)
        await store.catch_up()
        asked = questions(rows[0].network_id, rows[AT_MS].id, length)
        for fn, values in asked.values():
            await store.read(fn, *values)  # each connection reads the schema once
        return {name: await steps(store, ask, readers) for name, ask in asked.items()}


async def worked_behind(url: str, length: int) -> int:
    async with observed(url) as (store, readers):
        with store._indexer._lock:  # it does not get on
            rows = await say(store, length)
            newest = (messages.find_msgid, (rows[0].network_id, "#ops", rows[-9].msgid))
            await store.read(newest[0], *newest[1])
            return await steps(store, newest, readers)


def test_a_newest_msgid_takes_the_same_work_however_far_the_index_is_behind(tmp_path: Any) -> None:
    async def main() -> tuple[int, int]:
        few = await worked_behind(f"sqlite:///{tmp_path}/few.db", 1_000)
        return few, await worked_behind(f"sqlite:///{tmp_path}/many.db", SHORT)

    few, many = trio.run(main)
    assert 0 < many <= few * 2


async def test_msgids_that_count_alike_take_no_more_work(sqlite_url: str) -> None:
    """In a long history the last six digits of a network's numbers come again and again."""
    async with observed(sqlite_url) as (store, readers):
        network = await add_network(store)
        numbers = [f"AAC{n:03d}000042" for n in range(90)] + [f"AAC000{n:06d}" for n in range(90)]
        rows = [said(store, network, "a line", n, msgid=id_) for n, id_ in enumerate(numbers)]
        await store.append(rows)
        await store.catch_up()
        among, alone = (
            (messages.find_msgid, (network, "#ops", numbers[place])) for place in (7, 107)
        )
        await store.read(alone[0], *alone[1])
        assert await steps(store, among, readers) <= await steps(store, alone, readers) * 1.5


def test_a_question_takes_the_same_work_however_long_the_history_is(tmp_path: Any) -> None:
    async def main() -> tuple[dict[str, int], dict[str, int]]:
        short = await worked(f"sqlite:///{tmp_path}/short.db", SHORT)
        return short, await worked(f"sqlite:///{tmp_path}/long.db", LONG)

    short, long = trio.run(main)
    grown = {name: (short[name], long[name]) for name in short if long[name] > short[name] * 2}
    assert not grown, f"steps of {SHORT:,} and of {LONG:,} messages"
    assert all(short.values())


class Effort(NamedTuple):
    """What the plans of a question's statements go through; `whole` are tables read to the end."""

    pages: int
    rows: int
    whole: frozenset[str]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def rows_of(node: dict[str, Any]) -> int:
    removed = (count for what, count in node.items() if what.startswith("Rows Removed"))
    return int((node["Actual Rows"] + sum(removed)) * node["Actual Loops"])


async def effort(store: Store, ask: Ask) -> Effort:
    """Ask, then have each statement of it explained: run again, and counted."""
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    engine, (fn, words) = store._engines.reading, ask
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert await store.read(fn, *words) != []
    finally:
        event.remove(engine, "before_cursor_execute", note)

    def explain(connection: Connection) -> Effort:
        pages, rows, whole = 0, 0, set()
        for statement, values in asked:
            words = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
            [explained] = connection.exec_driver_sql(words, values).scalar_one()
            plan = explained["Plan"]
            pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            for node in nodes(plan):
                rows += rows_of(node)
                if node["Node Type"] == "Seq Scan":
                    whole.add(node["Relation Name"])
        return Effort(pages, rows, frozenset(whole))

    return await store.read(explain)


async def efforts(url: str, length: int) -> dict[str, Effort]:
    async with open_store(url) as store:
        rows = await say(store, length)
        await store.catch_up()
        vacuumed = create_engine(url, isolation_level="AUTOCOMMIT")
        with vacuumed.connect() as connection:  # as the server does by itself, a minute later
            connection.exec_driver_sql("VACUUM ANALYZE")
        vacuumed.dispose()
        asked = questions(rows[0].network_id, rows[AT_MS].id, length)
        return {name: await effort(store, ask) for name, ask in asked.items()}


@pytest.fixture(scope="module")
def both(cluster: Cluster) -> tuple[dict[str, Effort], dict[str, Effort]]:
    async def main() -> tuple[dict[str, Effort], dict[str, Effort]]:
        few = await efforts(cluster.new_database(), FEW)
        return few, await efforts(cluster.new_database(), MANY)

    return trio.run(main)


@pytest.mark.parametrize("name", questions())
def test_postgresql_reads_as_much_however_long_the_history_is(
    name: str, both: tuple[dict[str, Effort], dict[str, Effort]]
) -> None:
    few, many = (efforts[name] for efforts in both)
    assert 0 < many.pages <= few.pages * 2
    assert 0 < many.rows <= few.rows * 2
    assert not many.whole & {"messages", "search_words"}
