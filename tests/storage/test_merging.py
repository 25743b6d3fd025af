"""A conversation that was kept under two names is one afterwards, as if it had always been."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from storage import accounts, index, merging, messages
from storage.message import Renamed, Row
from storage.search import search
from storage.store import Store, open_store
from storage.tokens import buffer_token
from storage.words import Wanted
from tests.storage.busy import busy
from tests.storage.model import add_network, said, until_well

MANY = 2 * merging.STEP_ROWS + 100  # of each


def to_team(network: int, old: str = "#ops") -> Renamed:
    return Renamed(network, old, "#team", "#Team")


def as_team(row: Row) -> Row:
    return row._replace(target="#team", name="#Team")


async def in_two(store: Store, network: int) -> list[Row]:
    """Messages of both in turn; what they are when they are one."""
    rows = []
    for n in range(2 * MANY):
        target = ("#ops", "#team")[n % 2]
        rows.append(
            said(store, network, f"line n{n}", n // 3, target, msgid=f"net{n}" * (n % 5 > 0))
        )
    assert await store.append(rows)
    return sorted(map(as_team, rows), key=lambda row: (row.time_ms, row.id))


async def is_one(store: Store, network: int, rows: list[Row]) -> None:
    read = store.read
    assert await read(messages.latest, network, "#team", len(rows) + 9) == rows
    assert await read(messages.targets, network, -1, 1 << 60, 9) == [("#Team", rows[-1].time_ms)]
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        msgid = messages.msgid_of(row)
        place = (row.time_ms, row.id)
        assert await read(messages.find_msgid, network, "#team", msgid) == place
        word = row.text.split()[1]
        assert await read(search, network, word, "", "#team") == [row]
    assert len(await read(search, network, "line", "", "#team", None, None, 9_999)) == len(rows)
    assert await read(messages.buffer_targets, network) == ["#team"]


def in_index(connection: Connection, buffer_id: int) -> list[int]:
    """What a search in one conversation would look at."""
    trailing = index.of(connection)
    covered = trailing.covered(connection)
    return trailing.find(connection, (buffer_token(buffer_id),), Wanted(), covered, 9_999)


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_two_become_one(store: Store, *, is_indexed: bool) -> None:
    network, other = await add_network(store), await add_network(store, "oftc")
    elsewhere = said(store, other, "elsewhere", 3)
    assert await store.append([elsewhere])
    rows = await in_two(store, network)
    for name, at_ms in (("#ops", 7), ("#team", 2)):
        await store.run(accounts.put_marker, network, name, at_ms)
    if is_indexed:
        await store.catch_up()
    removals = store.removals
    given_up = await store.read(messages.buffer_number, network, "#ops")
    assert await store.append([to_team(network)])
    anew = said(store, network, "of a new channel", 1 << 30)
    assert await store.append([anew])
    assert await store.merge() == MANY
    assert store.removals > removals, "what was read ahead is not true any more"
    assert await store.read(messages.latest, network, "#ops", 9) == [anew]
    await store.redact(network, "#ops", messages.msgid_of(anew))
    assert await store.append([to_team(network)])
    assert await store.merge() == 0
    await is_one(store, network, rows)
    await store.catch_up()
    await is_one(store, network, rows)
    assert await store.read(in_index, given_up) == []
    assert await store.read(accounts.get_marker, network, "#team") == 2
    assert await store.read(messages.latest, other, "#ops", 9) == [elsewhere]


@pytest.mark.parametrize("cut", range(5))
async def test_a_merge_that_is_cut_anywhere_is_ended_by_the_next(url: str, cut: int) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
        rows = await in_two(store, network)
        await store.catch_up()
        assert await store.append([to_team(network)])
        step = await store.run(merging.begin)
        assert step is not None
        work, trailing = store._indexer.with_connection, store._indexer.index
        if cut > 0:
            work(trailing.remove, step.ids)
        if cut > 1:
            await store.run(merging.bring_over, step)
        if cut > 2:
            work(trailing.put_back, step.ids)
        if cut > 3:
            await store.run(merging.begin)
    async with open_store(url) as store:
        await store.merge()
        await is_one(store, network, rows)


async def test_what_waits_to_go_over_can_be_deleted(store: Store) -> None:
    network = await add_network(store)
    rows = await in_two(store, network)
    assert await store.append([to_team(network)])
    for gone in (rows.pop(2 * MANY - 2), rows.pop(0)):
        assert await store.redact(network, "#team", messages.msgid_of(gone)) is not None
    await store.merge()
    await is_one(store, network, rows)


async def test_one_that_waits_for_another_is_renamed_onto_a_third(store: Store) -> None:
    network = await add_network(store)
    rows = await in_two(store, network)
    third = said(store, network, "line third", 1 << 30, "#x")
    assert await store.append([third, to_team(network), Renamed(network, "#team", "#x", "#X")])
    assert await store.append([Renamed(network, "#x", "#team", "#Team")])
    await store.merge()
    await is_one(store, network, [*rows, as_team(third)])


async def test_one_whose_own_messages_are_gone_waits_for_those_of_the_other(store: Store) -> None:
    network = await add_network(store)
    rows = [said(store, network, "line ops", 1), said(store, network, "team", 2, "#team")]
    third = said(store, network, "line x", 3, "#x")
    assert await store.append([*rows, third, to_team(network)])
    await store.redact(network, "#team", messages.msgid_of(rows[1]))
    assert await store.append([to_team(network, "#x")])
    await store.merge()
    await is_one(store, network, [as_team(rows[0]), as_team(third)])


async def test_in_trouble_it_waits(url: str) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
        rows = await in_two(store, network)
        with busy(url):
            assert not await store.append([to_team(network)])
            assert await store.merge() == 0
        await until_well(store)
        assert await store.read(merging.is_going_on)
        with busy(url):
            assert not await store.append([said(store, network, "meanwhile", 1, "#x")])
            assert await store.merge() == 0
        await until_well(store)
        assert await store.merge() == MANY
        assert await store.read(messages.latest, network, "#team", len(rows) + 9) == rows
