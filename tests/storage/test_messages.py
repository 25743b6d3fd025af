"""History comes back exactly as it went in."""

from __future__ import annotations

import threading
import time

import trio
from sqlalchemy import Connection

from storage import accounts, messages
from storage.messages import Position, Row
from storage.records import Network, User
from storage.store import Store, open_store


async def a_network(store: Store, user: str = "alice", network: str = "libera") -> int:
    owner = await store.run(accounts.add_user, User(name=user))
    uri = "ircs://irc.example.net"
    added = await store.run(accounts.add_network, Network(owner.id, network, uri))
    return added.id


def said(store: Store, network_id: int, text: str, time_ms: int, target: str = "#ops") -> Row:
    who = "bob!b@example.net"
    i = store.next_id()
    return Row(i, network_id, target, target.title(), time_ms, "", "PRIVMSG", who, "", "", text)


async def test_500_messages_of_one_millisecond_page_exactly(store: Store) -> None:
    network = await a_network(store)
    rows = [said(store, network, f"line {n}", 1_700_000_000_000) for n in range(500)]
    await store.append(rows)

    page = await store.read(messages.latest, network, "#ops", 70)
    got = page
    while len(page) == 70:
        first = Position(page[0].time_ms, page[0].id)
        page = await store.read(messages.before, network, "#ops", first, 70)
        got = page + got
    assert got == rows

    page = await store.read(messages.after, network, "#ops", Position.before_ms(0), 70)
    got = page
    while len(page) == 70:
        last = Position(page[-1].time_ms, page[-1].id)
        page = await store.read(messages.after, network, "#ops", last, 70)
        got = got + page
    assert got == rows


async def test_appends_of_many_tasks_all_arrive(store: Store) -> None:
    network = await a_network(store)

    async def speak(target: str) -> None:
        for n in range(20):
            await store.append([said(store, network, f"{n}", n, target)])
            newest = await store.read(messages.latest, network, target, 1)
            assert newest[0].text == f"{n}", "what append returned for can be read"

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(speak, f"#c{n}")
    everything = await store.read(messages.since, network, 0, 1000)
    assert len(everything) == 400
    assert [row.id for row in everything] == sorted(row.id for row in everything)


async def test_what_is_put_together_shares_a_commit(store: Store) -> None:
    network = await a_network(store)
    with store.together():
        first = store.put([said(store, network, "one", 1)])
        time.sleep(0.1)  # noqa: ASYNC251  # the writer's thread would have it by now
        second = store.put([said(store, network, "two", 2)])
    assert first is second
    assert await second.wait()
    alone = store.put([said(store, network, "three", 3)])
    assert await alone.wait()
    assert alone is not first
    kept = await store.read(messages.latest, network, "#ops", 3)
    assert [row.text for row in kept] == ["one", "two", "three"]


async def test_of_messages_with_one_msgid_the_one_is_found_whose_number_is_known(
    store: Store,
) -> None:
    network = await a_network(store)
    one, two = (said(store, network, "x", n)._replace(msgid="twin") for n in (1, 2))
    other = said(store, network, "x", 3, "#dev")._replace(msgid="twin")
    gone = store.next_id()
    await store.append([one, two, other])
    for row in (one, two):
        for numbers in ((row.id,), (gone, other.id, row.id)):
            found = await store.read(messages.find_msgid, network, "#ops", "twin", numbers)
            assert found == Position(row.time_ms, row.id)
    found = await store.read(messages.find_msgid, network, "#ops", "twin", (gone,))
    assert found is not None, "it is searched for"
    assert await store.read(messages.find_msgid, network, "#ops", "none", (one.id,)) is None


async def test_msgids_are_found_again(store: Store) -> None:
    network = await a_network(store)
    first, second = said(store, network, "a", 5), said(store, network, "b", 6)
    second = second._replace(msgid="from-the-network")
    await store.append([first, second])
    for row in (first, second):
        msgid = messages.msgid_of(row)
        found = await store.read(messages.find_msgid, network, "#ops", msgid)
        assert found == Position(row.time_ms, row.id)
        assert await store.read(messages.find_msgid, network, "#other", msgid) is None
    for strange in ("", "m", "m!", "M5", "mé", "m" + "z" * 12, "-", "m" * 4000):
        assert await store.read(messages.find_msgid, network, "#ops", strange) is None


async def test_numbers_rise_across_restarts(url: str) -> None:
    async with open_store(url) as store:
        network = await a_network(store)
        row = said(store, network, "a", 1)
        await store.append([row])
    async with open_store(url) as store:
        assert store.next_id() > row.id
        assert await store.read(messages.latest, network, "#ops", 10) == [row]


async def test_the_end_does_not_wait_for_a_long_search(store: Store) -> None:
    reads, go = threading.Event(), threading.Event()

    def slow(_connection: Connection) -> None:
        reads.set()
        go.wait(30)

    try:
        with trio.fail_after(15):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.read, slow)
                assert await trio.to_thread.run_sync(reads.wait, 10)
                nursery.cancel_scope.cancel()
    finally:
        go.set()
    assert await store.read(messages.latest, 1, "#ops", 1) == []
