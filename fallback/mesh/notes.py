"""Lines for the operators on their way to the bouncer: in a few acks each, one after another. Pure.

Acks get lost, and while the primary is away there are none: what was to be told then is told after.
An ack by UDP is no longer than what it answers; the link takes any.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from bouncer.mesh.heartbeat import Ack, write_body

MAX_NOTES = 8  # waiting; full: the oldest gives way
MAX_NOTE = 200
CARRIED = 3  # acks with the same note before the next one's turn


class Notes:
    """`put` a line; `turn` is the one whose turn it is, until acks have `carried` it."""

    def __init__(self) -> None:
        self.last = ""
        self._waiting: deque[str] = deque(maxlen=MAX_NOTES)
        self._note = ""
        self._number = 0
        self._acks = CARRIED

    def put(self, text: str) -> None:
        self.last = text[:MAX_NOTE]
        self._waiting.append(self.last)

    def turn(self) -> tuple[str, int]:
        """The note for the next ack, and its number, which rises with each; ("", 0) for none."""
        if self._waiting and self._acks >= CARRIED:
            self._note, self._acks = self._waiting.popleft(), 0
            self._number += 1
        return ("", 0) if self._acks >= CARRIED else (self._note, self._number)

    def carried(self) -> None:
        """An ack with it has left."""
        self._acks += 1

    def ride(self, ack: Ack, room: int | None, *, linked: bool) -> Ack:
        """The ack with the note whose turn it is, if there is room (None: for anything). Where no
        link could take it whole, it is cut."""
        ack = _fitted(ack, room)
        note, number = self.turn()
        while note:
            full = replace(ack, note=note, noted=number)
            if room is None or len(write_body(full)) <= room:
                self.carried()
                return full
            note = "" if linked else note[: len(note) * 3 // 4]
        return ack


def _fitted(ack: Ack, room: int | None) -> Ack:
    """That the voter lives is said at any rate; what it holds before what it sees."""
    if room is not None and len(write_body(ack)) > room:
        ack = replace(ack, incident="")
    if room is not None and len(write_body(ack)) > room:
        ack = replace(ack, maintenance="")
    return ack
