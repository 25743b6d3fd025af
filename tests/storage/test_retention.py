"""What is kept too long or takes too much room goes, and the disk gets it back."""

from __future__ import annotations

from pathlib import Path

import trio
from sqlalchemy import Connection, NullPool, create_engine, event, func, insert, select, text

from storage import accounts, retention, schema
from storage.records import Channel
from storage.retention import OVERHEAD_BYTES, STEP_ROWS, Keep
from storage.search import search
from storage.store import Store, open_store
from tests.storage.model import add_network, kept, said

DAY_MS = 86_400_000


async def test_the_nearest_age_counts(store: Store) -> None:
    home, other = await add_network(store), await add_network(store, "oftc", "bob")
    rows = {
        (network, target, day): said(store, network, f"day {day}", day * DAY_MS, target)
        for network in (home, other)
        for target in ("#ops", "#noise", "bob")
        for day in range(10)
    }
    await store.append(list(rows.values()))
    day_s = DAY_MS // 1000
    await store.run(lambda c: accounts.change_network(c, home, keep_age_s=5 * day_s))
    await store.run(accounts.put_channel, Channel(home, "#NOISE", keep_age_s=2 * day_s))
    gone = await store.prune(Keep(age_s=8 * day_s), now_ms=10 * DAY_MS)

    limits = {(home, "#noise"): 2, (home, "#ops"): 5, (home, "bob"): 5}
    left = [
        row
        for (network, target, day), row in rows.items()
        if day >= 10 - limits.get((network, target), 8)
    ]
    assert sorted(await kept(store, home) + await kept(store, other)) == sorted(left)
    assert gone == len(rows) - len(left)


async def test_the_newest_that_fit_stay(store: Store) -> None:
    network, other = await add_network(store), await add_network(store, "oftc")
    rows = [said(store, network, "x" * 80, n, f"#c{n % 3}") for n in range(90)]
    theirs = [said(store, other, "x" * 80, n) for n in range(20)]
    await store.append(rows + theirs)
    size = OVERHEAD_BYTES + 80
    await store.run(lambda c: accounts.change_network(c, network, keep_bytes=60 * size))
    await store.run(accounts.put_channel, Channel(network, "#c0", keep_bytes=5 * size + 7))
    await store.prune()
    first = [row for row in rows if row.target == "#c0"][-5:]
    assert await kept(store, network) == sorted(
        {row for row in rows[30:] if row.target != "#c0"} | set(first)
    )
    assert await kept(store, other) == theirs
    user = (await store.read(accounts.get_user, "alice")).id
    await store.run(lambda c: accounts.change_user(c, user, keep_bytes=25 * size))
    await store.prune()
    assert len(await kept(store, network)) == 5
    assert await kept(store, other) == theirs


async def test_texts_count_as_the_disk_has_them(store: Store) -> None:
    """Of a script in which a letter is two octets or three a limit holds the less."""
    network = await add_network(store)
    rows = [said(store, network, "\u3042\u3044" * 20, n, msgid="\u0436") for n in range(10)]
    await store.append(rows)
    size = OVERHEAD_BYTES + 3 * 40 + 2
    assert [each.size_bytes for each in await store.read(retention.stats)] == [10 * size]
    await store.run(lambda c: accounts.change_network(c, network, keep_bytes=4 * size))
    await store.prune()
    assert await kept(store, network) == rows[6:]


async def test_what_belonged_to_a_removed_network_goes(store: Store) -> None:
    home, other = await add_network(store), await add_network(store, "oftc")
    mine = said(store, home, "a", 1)
    theirs = said(store, other, "secret", 1, source="carol!c@example.org")
    await store.append([mine, theirs])
    await store.catch_up()
    await store.run(accounts.remove_network, other)
    again = await add_network(store, "oftc")
    assert again != other, "numbers are not given twice"
    assert await kept(store, again) == []
    assert await store.prune() == 1
    assert await store.prune() == 0

    def sources(connection: Connection) -> list[str]:
        return list(connection.execute(text("SELECT source FROM sources")).scalars())

    assert await store.read(sources) == ["bob!b@example.net"], "nor are the people's names kept"
    last = said(store, home, "b", 2, source="carol!c@example.org")
    await store.append([last])
    assert await kept(store, home) == [mine, last]


async def test_a_redacted_message_is_gone_also_from_search(store: Store) -> None:
    network = await add_network(store)
    row = said(store, network, "the password is hunter2", 1, msgid="abc")
    await store.append([row])
    await store.catch_up()
    assert await store.redact(network, "#ops", "abc") == row
    assert await store.redact(network, "#ops", "abc") is None
    assert await store.read(search, network, "hunter2") == []
    assert await kept(store, network) == []


async def test_numbers_are_not_given_twice_after_all_is_pruned(url: str) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
        row = said(store, network, "a", 1)
        await store.append([row])
        await store.prune(Keep(age_s=1), now_ms=10 * DAY_MS)
    async with open_store(url) as store:
        assert store.next_id() > row.id


async def test_the_number_of_a_redacted_message_is_not_given_again(url: str) -> None:
    """A client that has seen it takes another message with its msgid for the same."""
    async with open_store(url) as store:
        network = await add_network(store)
        row = said(store, network, "a slip", 1, msgid="slip")
        await store.append([row])
        assert await store.redact(network, row.target, "slip") == row
    async with open_store(url) as store:
        assert store.next_id() > row.id


async def test_the_disk_gets_the_room_back(sqlite_url: str, tmp_path: Path) -> None:
    def size() -> int:
        return sum(path.stat().st_size for path in tmp_path.iterdir())

    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        for start in range(0, 6000, 1000):
            batch = [
                said(store, network, f"word{n} " + "x" * 100, n) for n in range(start, start + 1000)
            ]
            await store.append(batch)
        await store.catch_up()
    full = size()
    async with open_store(sqlite_url) as store:
        assert await store.prune(Keep(age_s=1), now_ms=6000) == 5000
        assert len(await kept(store, network)) == 1000
        assert len(await store.read(search, network, "word5999")) == 1
        assert await store.read(search, network, "word4999") == []
    assert size() < full / 2


async def test_each_step_gives_many_pages_back(sqlite_url: str) -> None:
    """One by one it would take hours, of which the disk stays full."""
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = [said(store, network, "a long line " * 30, n) for n in range(8_000)]
        await store.append(rows)
        await store.run(retention.drop, [row.id for row in rows])
        free = "PRAGMA freelist_count"
        before = await store.read(lambda c: c.exec_driver_sql(free).scalar_one())
        assert before > retention.FREED_PAGES
        assert await store.run(retention.give_back) == before - retention.FREED_PAGES


async def test_others_are_served_while_it_prunes(store: Store) -> None:
    network = await add_network(store)
    for start in range(0, 10_000, 1000):
        await store.append([said(store, network, "x", n) for n in range(start, start + 1000)])
    served = 0
    served_by: list[int] = []  # after each step
    async with trio.open_nursery() as nursery:

        async def prune() -> None:
            await store.prune(
                Keep(age_s=1),
                now_ms=10 * DAY_MS,
                progress=lambda _gone: served_by.append(served),
            )
            nursery.cancel_scope.cancel()

        nursery.start_soon(prune)
        while True:
            await store.append([said(store, network, "y", 20 * DAY_MS)])
            served += 1
    assert len(served_by) == 10_000 // STEP_ROWS
    assert len(set(served_by)) > len(served_by) / 2, "somebody in most pauses between two steps"
    assert {row.text for row in await kept(store, network)} == {"y"}


async def test_stats_count_what_is_kept(store: Store) -> None:
    network = await add_network(store)
    await store.append([said(store, network, "x" * 100, n + 5) for n in range(10)])
    (stats,) = await store.read(retention.stats)
    assert (stats.user, stats.network, stats.name, stats.messages) == (
        "alice",
        "libera",
        "#ops",
        10,
    )
    assert (stats.oldest_ms, stats.newest_ms) == (5, 14)
    assert stats.size_bytes == 10 * (100 + OVERHEAD_BYTES)


async def test_what_is_said_on_a_network_that_is_added_meanwhile_stays(
    store: Store, url: str
) -> None:
    """Its messages would be taken for what a removed one has left."""
    await add_network(store)
    (user,) = await store.read(accounts.list_users)
    other = create_engine(url, poolclass=NullPool)
    added: list[int] = []

    def add_meanwhile(*_: object) -> None:
        if added:
            return
        added.append(0)
        with other.begin() as connection:
            network = {"user_id": user.id, "name": "new", "folded_name": "new", "uri": "x"}
            connection.execute(insert(schema.networks).values(network))
            number = select(func.max(schema.networks.c.id)).scalar_subquery()
            texts = dict.fromkeys(("msgid", "command", "tags", "addressee", "text"), "")
            row = {"network_id": number, "buffer_id": 1, "source_id": 1, "time_ms": 1, **texts}
            connection.execute(insert(schema.messages).values(id=store.next_id(), **row))

    def doomed(connection: Connection) -> list[object]:
        event.listen(connection, "after_cursor_execute", add_meanwhile)
        return list(retention.doomed(connection, Keep(), 0))

    assert await store.read(doomed) == []
    assert added
