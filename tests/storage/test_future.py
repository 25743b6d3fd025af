"""Lines that a wrong clock has dated in the future stand where they came, once it is asked for."""

from __future__ import annotations

from storage import future, messages
from storage.messages import Row
from storage.search import search
from storage.store import Store
from tests.storage.model import add_network, said

NOW = 1_790_000_000_000
LATER = NOW + 5 * 365 * 86_400_000


async def shown(store: Store, network: int, target: str = "#ops") -> list[str]:
    rows = await store.read(messages.latest, network, target, 100)
    return [row.text for row in rows]


async def test_lines_from_the_future_stand_where_they_came(store: Store) -> None:
    one, two = await add_network(store), await add_network(store, "oftc")
    rows: list[Row] = [
        said(store, one, "a", NOW - 50),
        said(store, one, "b from the future", LATER + 2),
        said(store, two, "first of all", LATER),
        said(store, one, "c from the future", LATER + 1),
        said(store, one, "elsewhere", NOW - 30, "#dev"),
        said(store, one, "d from the future", LATER),
        said(store, one, "e", NOW - 20),
        said(store, two, "then", NOW - 10),
    ]
    await store.append(rows)
    await store.catch_up()
    assert (await shown(store, one))[-1] == "b from the future"
    assert await store.redate(NOW) == 4
    assert await shown(store, one) == [
        "a", "b from the future", "c from the future", "d from the future", "e",
    ]  # fmt: skip
    dated = {row.text: row.time_ms for row in await store.read(messages.since, one, 0, 100)}
    assert dated["c from the future"] == NOW - 50
    assert dated["d from the future"] == NOW - 30, "as the line before it, wherever that was"
    assert await shown(store, two) == ["first of all", "then"]
    assert await store.redate(NOW) == 0


async def test_what_alone_was_ever_said_is_said_by_now(store: Store) -> None:
    network = await add_network(store)
    await store.append([said(store, network, "a", LATER), said(store, network, "b", LATER - 1)])
    assert await store.redate(NOW) == 2
    rows = await store.read(messages.latest, network, "#ops", 100)
    assert [(row.text, row.time_ms) for row in rows] == [("a", NOW), ("b", NOW)]


async def test_a_search_by_time_finds_them_by_their_new_one(store: Store) -> None:
    """The index knows of each stretch of messages between which times they lie."""
    network = await add_network(store)
    await store.append([said(store, network, "old", NOW - 5_000)])
    for _ in range(2 * 4096):
        store.next_id()
    await store.append([said(store, network, "the future is here", LATER + n) for n in range(2)])
    await store.catch_up()
    assert await store.redate(NOW) == 2
    found = await store.read(search, network, "future", "", "", NOW - 6_000, NOW - 4_000)
    assert len(found) == 2


async def test_more_than_a_step_keep_their_order(store: Store) -> None:
    network = await add_network(store)
    count = 2 * future.STEP_ROWS + 7
    first = said(store, network, "first", NOW - 1)
    rows = [said(store, network, f"{n}", LATER - n) for n in range(count)]
    await store.append([first, *rows])
    assert await store.redate(NOW) == count
    got = await store.read(messages.latest, network, "#ops", count)
    assert [row.text for row in got] == [row.text for row in rows]
