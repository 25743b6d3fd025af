"""Hubs that faults end: when they are made anew, and when not."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from bouncer.connections.supervise import STABLE_S
from bouncer.hub.endurance import LONGEST_PAUSE_S, Endurance
from storage.errors import NotFound, Unusable
from storage.records import User

ALICE = User("alice")


class Faulty:
    """A hub that serves for a while and then breaks; the last one is stopped."""

    def __init__(self, serves_s: float, *, begins: bool = True, breaks: bool = True) -> None:
        self.clients: dict[int, Any] = {}
        self.serves_s, self.begins, self.breaks = serves_s, begins, breaks

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        if self.begins:
            task_status.started()
        await trio.sleep(self.serves_s)
        if self.breaks:
            raise ExceptionGroup("of its nursery", [ZeroDivisionError()])


class House:
    def __init__(self, clock: MockClock, *hubs: Faulty, found: Exception | None = None) -> None:
        self.clock = clock
        self.coming = list(hubs)
        self.made: list[float] = []
        self.found = found
        self.hubs: dict[str, Any] = {}
        self.endurance = Endurance(self.hubs, self.make, self.find)

    def make(self, user: User) -> Any:
        assert user == ALICE
        self.made.append(self.clock.current_time())
        return self.coming.pop(0)

    async def find(self, name: str) -> User:
        assert name not in self.hubs
        assert self.endurance.is_coming(name)
        if self.found is not None:
            raise self.found
        return ALICE

    @property
    def pauses(self) -> list[float]:
        return [later - sooner for sooner, later in zip(self.made, self.made[1:], strict=False)]


async def test_pauses_grow_and_are_bounded(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, *(Faulty(0) for _ in range(14)), Faulty(0, breaks=False))
    with capture_logs() as logged:
        await house.endurance.serve(ALICE)
    assert {(said["event"], said["user"]) for said in logged} == {
        ("a fault ended the hub of a user", "alice")
    }
    assert house.pauses[0] <= 1
    assert house.pauses[7] > 30
    assert LONGEST_PAUSE_S / 2 <= house.pauses[-1] <= LONGEST_PAUSE_S


async def test_a_hub_that_held_long_is_back_soon(autojump_clock: MockClock) -> None:
    held, broken = STABLE_S + 1, [Faulty(0) for _ in range(9)]
    house = House(autojump_clock, *broken, Faulty(held), Faulty(0, breaks=False))
    with capture_logs():
        await house.endurance.serve(ALICE)
    assert house.pauses[-1] <= held + 1


async def test_a_user_who_was_removed_in_the_pause_is_gone(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, Faulty(0), found=NotFound("alice"))
    with capture_logs():
        await house.endurance.serve(ALICE)
    assert house.hubs == {}
    assert not house.endurance.is_coming("alice")


async def test_a_store_that_cannot_be_read_does_not_end_a_user(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, Faulty(0), Faulty(0, breaks=False), found=Unusable("damaged"))
    with capture_logs():
        await house.endurance.serve(ALICE)
    assert len(house.made) == 2


async def test_many_begin_together(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, *(Faulty(5) for _ in range(3)))
    async with trio.open_nursery() as nursery:
        await house.endurance.begin([], nursery)
        await house.endurance.begin([ALICE] * 3, nursery)
        assert house.made == [0, 0, 0]
        assert house.hubs
        assert not house.endurance.is_coming("alice")
        nursery.cancel_scope.cancel()


async def test_what_cannot_begin_ends_what_serves_all(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, Faulty(5), Faulty(0, begins=False))
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await house.endurance.begin([ALICE] * 2, nursery)


async def test_what_cannot_begin_is_told_to_who_starts_it(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, Faulty(0, begins=False))
    async with trio.open_nursery() as nursery:
        with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
            await nursery.start(house.endurance.serve, ALICE)
    assert len(house.made) == 1


async def test_who_is_started_twice_at_once_begins_once(autojump_clock: MockClock) -> None:
    house = House(autojump_clock, Faulty(1, breaks=False))

    async def refresh() -> None:
        if "alice" not in house.hubs and not house.endurance.is_coming("alice"):
            await house.endurance.start(ALICE, nursery)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh)
        nursery.start_soon(refresh)
    assert len(house.made) == 1
