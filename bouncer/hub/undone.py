"""What a hub has decided and not done yet: in the order of the decisions, each after its commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import trio

from bouncer.hub.attachment import Link
from bouncer.session.effects import Effects
from bouncer.session.events import Event
from storage.writer import Batch

UNDONE_EVENTS = 64  # full: who has more waits, and so pauses TCP
UNDONE_ROWS = 256  # of these events; a chunk that goes beyond is the last
CROWD_ROWS = 64  # the same where others wait for the store as well


class Decided(NamedTuple):
    """An event, and what it causes. `batch` holds the rows that must be committed first."""

    link: Link
    event: Event
    effects: Effects
    batch: Batch | None = None


class Undone:
    """A queue that waits for the store. Used in trio's thread alone."""

    def __init__(self, is_crowded: Callable[[], bool] = lambda: False) -> None:
        self._is_crowded = is_crowded
        self._decided: deque[Decided] = deque()
        self._rows = 0
        self._is_held = False
        self._room = trio.lowlevel.ParkingLot()

    def __bool__(self) -> bool:
        """Whether something would be overtaken by what is done at once."""
        return self._is_held or bool(self._decided)

    @property
    def is_full(self) -> bool:
        if len(self._decided) >= UNDONE_EVENTS or self._rows >= UNDONE_ROWS:
            return True
        return self._rows >= CROWD_ROWS and self._is_crowded()

    async def room(self) -> None:
        """Wait until there is room. No checkpoint where there is."""
        while self.is_full:
            await self._room.park()

    def put(self, decided: Decided) -> None:
        self._decided.append(decided)
        self._rows += len(decided.effects.keep)

    def take(self) -> Decided | None:
        """The next that may be done now, if there is one."""
        if self._is_held or not self._decided:
            return None
        batch = self._decided[0].batch
        if batch is not None and not batch.finished:
            return None
        decided = self._decided.popleft()
        self._rows -= len(decided.effects.keep)
        if self._room and not self.is_full:
            self._room.unpark_all()
        return decided

    def hold(self) -> None:
        """Let nothing be done until `release`: what was taken last is not done yet."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False

    def clear(self) -> None:
        """Nothing of it will be done, and nobody need wait any more."""
        self._decided.clear()
        self._rows = 0
        self._room.unpark_all()
