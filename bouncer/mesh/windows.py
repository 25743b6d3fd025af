"""Maintenance windows as the bouncer keeps and signs them: announced, repeated, ended, forgotten.

They are in the store, so that a bouncer restarted inside its window still knows and can end it.
The notice of a clean stop is not: the next boot's first heartbeat ends it by itself.

People call a window by its number, `m31`. Numbers go back with a database that is restored, so the
id that voters know it by, `m31.BOOT`, names the start of the bouncer that gave the number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import Connection

from bouncer.mesh.heartbeat import (
    MAINTENANCE_GRACE_S,
    MAX_MAINTENANCE_S,
    MAX_NOTICE,
    STOP_NOTICE_S,
    DatagramFault,
    Kind,
    Maintenance,
    acked_name,
    called,
    fitted,
    read_body,
    sign_statement,
    write_body,
)
from bouncer.mesh.keys import MeshKey
from storage import directory

KEPT = "maintenance"
COUNT = "maintenance_count"
MAX_WINDOWS = 8  # to come or in force; more are refused


class Writes(Protocol):
    """What is needed of the store: write transactions."""

    async def run(self, fn: Callable[..., Any], *args: object) -> Any: ...


class Windows:
    """The windows of one bouncer. `wall` is epoch seconds."""

    def __init__(self, store: Writes, key: MeshKey, boot: str, wall: Callable[[], float]) -> None:
        self._store = store
        self._key = key
        self._boot = boot
        self._wall = wall
        self._windows: dict[str, Maintenance] = {}
        self._statements: dict[str, bytes] = {}

    async def load(self) -> None:
        """Read what an earlier boot announced; what cannot be read is left out."""
        text = await self._store.run(directory.get_meta, KEPT)
        try:
            kept = json.loads(text or "[]")
            windows = [read_body(Maintenance, each.encode()) for each in kept]
        except (ValueError, AttributeError, TypeError, DatagramFault):
            windows = []
        self._windows = {window.id: window for window in windows}
        self.forget_old()

    @property
    def open(self) -> list[Maintenance]:
        """In force or to come, by their beginning."""
        windows = (each for each in self._windows.values() if not each.ended)
        return sorted(windows, key=lambda each: each.begins_ms)

    @property
    def in_force(self) -> Maintenance | None:
        """The one that is on now, if any: its id stands in each heartbeat."""
        now_ms = self._wall() * 1000
        current = (each for each in self.open if each.begins_ms <= now_ms < each.ends_ms)
        return max(current, key=lambda each: each.ends_ms, default=None)

    async def begin(self, begins_s: float, ends_s: float, why: str) -> Maintenance:
        """A new window. Raises ValueError with the operator's message."""
        if not 0 < ends_s - begins_s <= MAX_MAINTENANCE_S:
            raise ValueError("a maintenance lasts at most 12 h")
        if ends_s <= self._wall():
            raise ValueError("that maintenance would be over already")
        if len(self.open) >= MAX_WINDOWS:
            raise ValueError(f"there are {MAX_WINDOWS} windows already; end one first")
        window = Maintenance(
            f"m{await self._store.run(_next_number)}.{self._boot[:8]}",
            round(begins_s * 1000),
            round(ends_s * 1000),
            why[:300],
            boot=self._boot,
        )
        window = fitted(window, MAX_NOTICE)
        await self._put(window)
        return window

    async def end(self, id: str = "") -> Maintenance:
        """Take one back; without an id the one in force, or else the next. Raises ValueError."""
        window = self._called(id) if id else self.in_force or next(iter(self.open), None)
        if window is None:
            which = f" {id}; `maintenance list` shows which there are" if id else ""
            raise ValueError(f"there is no maintenance{which}")
        ended = replace(window, ended=True)
        await self._put(ended)
        return ended

    def stopping(self) -> Maintenance | None:
        """The notice of a clean stop; None where a window covers it already."""
        now_ms = round(self._wall() * 1000)
        ends_ms = now_ms + round(STOP_NOTICE_S * 1000)
        if self.in_force is not None and self.in_force.ends_ms >= ends_ms:
            return None
        notice = Maintenance(
            f"t{self._boot[:8]}",
            now_ms,
            ends_ms,
            "the bouncer is being stopped",
            stopping=True,
            boot=self._boot,
        )
        self._windows[notice.id] = notice
        return notice

    def to_tell(self, held: set[str]) -> list[tuple[Maintenance, bytes]]:
        """What a voter that holds these (by `acked_name`) has not acked, with its signed octets."""
        return [
            (window, self._statement(window))
            for window in self._windows.values()
            if acked_name(window) not in held
        ]

    def forget_old(self) -> None:
        edge_ms = (self._wall() - MAINTENANCE_GRACE_S) * 1000
        for id, window in list(self._windows.items()):
            if window.ends_ms < edge_ms:
                del self._windows[id]
        names = {acked_name(window) for window in self._windows.values()}
        self._statements = {name: it for name, it in self._statements.items() if name in names}

    def _called(self, name: str) -> Maintenance | None:
        return next((each for each in self.open if name in (each.id, called(each.id))), None)

    def _statement(self, window: Maintenance) -> bytes:
        name = acked_name(window)
        if name not in self._statements:
            self._statements[name] = sign_statement(self._key, Kind.MAINTENANCE, window)
        return self._statements[name]

    async def _put(self, window: Maintenance) -> None:
        self._windows[window.id] = window
        kept = [write_body(each).decode() for each in self._windows.values() if not each.stopping]
        await self._store.run(directory.put_meta, KEPT, json.dumps(kept))


def _next_number(connection: Connection) -> int:
    """Windows are numbered for ever, so that `m31` names one."""
    number = int(directory.get_meta(connection, COUNT) or 0) + 1
    directory.put_meta(connection, COUNT, str(number))
    return number
