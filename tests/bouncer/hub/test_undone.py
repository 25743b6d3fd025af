"""What is decided waits for its commit, in order and within bounds."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from bouncer.hub.attachment import Link
from bouncer.hub.undone import CROWD_ROWS, UNDONE_EVENTS, UNDONE_ROWS, Decided, Undone
from bouncer.session.effects import Effects
from bouncer.session.events import Tick
from bouncer.session.session import Session
from storage.message import Row
from storage.records import Network
from storage.writer import Batch

ROW = Row(1, 1, "#ops", "#ops", 0, "", "PRIVMSG", "bob!b@h", "", "", "text")


def link() -> Link:
    return Link(Session(Network(1, "net", ""), (), server_name="muster.test", new_id=lambda: 1))


def decided(batch: Batch | None = None, rows: int = 0) -> Decided:
    return Decided(link(), Tick(), Effects(keep=[ROW] * rows), batch)


def test_nothing_overtakes_what_waits_for_its_commit() -> None:
    undone = Undone()
    first, second = Batch(), Batch()
    events = [decided(first), decided(), decided(second), decided()]
    for each in events:
        undone.put(each)
    second.finish()
    assert undone.take() is None
    first.finish()
    assert [undone.take() for _ in events] == events
    assert undone.take() is None
    assert not undone


def test_nothing_overtakes_an_errand() -> None:
    undone = Undone()
    undone.hold()
    assert undone, "what is decided now would overtake it"
    undone.put(event := decided())
    assert undone.take() is None
    undone.release()
    assert undone.take() is event


@pytest.mark.parametrize(("events", "rows"), [(UNDONE_EVENTS, 0), (2, UNDONE_ROWS // 2)])
async def test_who_has_more_waits_until_there_is_room(events: int, rows: int) -> None:
    undone = Undone()
    batch = Batch()
    for _ in range(events):
        await undone.room()
        undone.put(decided(batch, rows))
    came: list[int] = []

    async def come(number: int) -> None:
        await undone.room()
        came.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come, 1)
        nursery.start_soon(come, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert came == []
        batch.finish()
        assert undone.take() is not None
    assert sorted(came) == [1, 2]


async def test_at_the_end_nobody_waits_any_more() -> None:
    undone = Undone()
    for _ in range(UNDONE_EVENTS):
        undone.put(decided(Batch()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(undone.room)
        await trio.testing.wait_all_tasks_blocked()
        undone.clear()


async def test_in_a_crowd_less_waits_for_the_store() -> None:
    crowd = [True]
    undone = Undone(lambda: crowd[0])
    undone.put(decided(Batch(), CROWD_ROWS - 1))
    assert not undone.is_full
    undone.put(decided(Batch(), 1))
    assert undone.is_full
    crowd.clear()
    crowd.append(False)
    assert not undone.is_full
    undone.put(decided(Batch(), UNDONE_ROWS - CROWD_ROWS))
    assert undone.is_full
