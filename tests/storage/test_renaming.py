"""A conversation that is renamed is read on under its new name, whatever the database does."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage import accounts, messages
from storage.message import Kept, Renamed, Row
from storage.search import search
from storage.store import Store, open_store
from tests.storage.busy import busy
from tests.storage.model import add_network, kept, said, until_well


def to_team(network: int, old: str = "#ops") -> Renamed:
    return Renamed(network, old, "#team", "#Team")


def renamed(row: Row) -> Row:
    return row._replace(target="#team", name="#Team")


async def named(store: Store, network: int, target: str) -> list[Row]:
    return await store.read(messages.latest, network, target, 100)


@pytest.mark.parametrize("at_once", [True, False])
async def test_it_goes_on_under_the_new_name(store: Store, *, at_once: bool) -> None:
    network = await add_network(store)
    old = said(store, network, "an old one", 1, msgid="first")
    assert await store.append([old])
    assert await store.run(accounts.put_marker, network, "#ops", 7) == 7
    before = said(store, network, "before it", 2)
    after = renamed(said(store, network, "after it", 3))
    stretch: list[Kept] = [before, to_team(network), after]
    for each in [stretch] if at_once else [[row] for row in stretch]:
        assert await store.append(each)
    rows = [renamed(old), renamed(before), after]
    assert await named(store, network, "#team") == rows
    assert await named(store, network, "#ops") == []
    assert await kept(store, network) == rows
    assert await store.read(messages.targets, network, 0, 99, 9) == [("#Team", 3)]
    assert await store.read(messages.find_msgid, network, "#team", "first") == (1, old.id)
    await store.catch_up()
    assert await store.read(search, network, "it", "", "#team") == rows[1:]
    assert await store.read(accounts.get_marker, network, "#team") == 7
    anew = said(store, network, "another channel", 4)
    assert await store.append([anew])
    assert await named(store, network, "#ops") == [anew]
    assert await named(store, network, "#team") == rows


async def test_another_case_is_another_name_of_the_same(store: Store) -> None:
    network = await add_network(store)
    row = said(store, network, "line", 1)
    assert await store.append([row, Renamed(network, "#ops", "#ops", "#OPS")])
    assert await named(store, network, "#ops") == [row._replace(name="#OPS")]


async def test_where_nothing_is_kept_any_more_under_the_new_name(store: Store) -> None:
    network = await add_network(store)
    rows = [said(store, network, "ops", 1), renamed(said(store, network, "team", 2))]
    assert await store.append(rows)
    await store.redact(network, "#team", messages.msgid_of(rows[1]))
    assert await store.append([to_team(network), to_team(network, "#unknown")])
    assert await kept(store, network) == [renamed(rows[0])]
    assert await store.merge() == 0


async def test_in_trouble_it_happens_later_and_in_its_turn(url: str) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
        first = said(store, network, "first", 1)
        assert await store.append([first])
        with busy(url):
            slip = said(store, network, "a slip", 2, msgid="slip")
            after = renamed(said(store, network, "after", 3))
            assert not await store.append([slip, to_team(network), after])
            assert await store.redact(network, "#team", "slip") == slip
        await until_well(store)
        assert await kept(store, network) == [renamed(first), after]


async def test_in_trouble_what_is_deleted_is_sought_under_its_earlier_names(url: str) -> None:
    async with open_store(url) as store:
        network, other = await add_network(store), await add_network(store, "oftc")
        with busy(url):
            slips = [said(store, network, "a slip", n, f"#{n}", msgid="slip") for n in range(3)]
            renames = [
                Renamed(network, "#0", "#1", "#1"),
                Renamed(network, "#1", "#team", "#Team"),
                Renamed(other, "#2", "#team", "#Team"),
            ]
            for slip in slips[:2]:
                assert not await store.append([slip, *renames])
                assert await store.redact(network, "#team", "slip") == slip
            assert not await store.append([slips[2]])
            assert await store.redact(network, "#team", "slip") is None, "that is another's"
            assert store.trouble is not None
            assert store.trouble.waiting == 1 + 2 * len(renames)


async def test_it_waits_for_the_next_start(url: str, tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        first = said(store, network, "first", 1)
        assert await store.append([first])
        with busy(url):
            after = renamed(said(store, network, "after", 3))
            assert not await store.append([to_team(network), after])
            await store._close()
    async with open_store(url, unwritten=file) as store:
        assert await kept(store, network) == [renamed(first), after]


async def test_what_was_deleted_under_the_old_name_is_deleted_under_the_new(store: Store) -> None:
    """As where both come in one breath: deleting waits for more than renaming does."""
    network = await add_network(store)
    slip = said(store, network, "a slip", 2, msgid="slip")
    assert await store.append([slip, to_team(network)])
    assert await store.redact(network, "#ops", "slip") == renamed(slip)
    assert await kept(store, network) == []


async def test_on_another_network_nothing_is_renamed(store: Store) -> None:
    first, second = await add_network(store), await add_network(store, "oftc")
    rows = [said(store, each, "line", 1) for each in (first, second)]
    assert await store.append([*rows, to_team(second)])
    assert await kept(store, first) == rows[:1]
    assert await kept(store, second) == [renamed(rows[1])]


async def test_one_name_after_another(store: Store) -> None:
    """Also with one that no database holds as it came."""
    network = await add_network(store)
    row = said(store, network, "line", 1)
    chain = [
        Renamed(network, "#ops", "#in\ud800\0between", "#In\ud800\0between"),
        Renamed(network, "#in?between", "#team", "#Team"),
    ]
    assert await store.append([row, *chain])
    assert await kept(store, network) == [renamed(row)]
    there, back = Renamed(network, "#team", "#x", "#x"), to_team(network, "#x")
    assert await store.append([there, back])
    assert await kept(store, network) == [renamed(row)]
