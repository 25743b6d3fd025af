"""Lines for the operators on their way to the bouncer: in a few acks each, one after another. Pure.

Acks get lost, and while the primary is away there are none: what was to be told then is told after.
"""

from __future__ import annotations

from collections import deque

MAX_NOTES = 8  # waiting; full: the oldest gives way
MAX_NOTE = 200
CARRIED = 3  # acks with the same note before the next one's turn


class Notes:
    """`put` a line; `carried` is what the next ack says."""

    def __init__(self) -> None:
        self.last = ""
        self._waiting: deque[str] = deque(maxlen=MAX_NOTES)
        self._note = ""
        self._number = 0
        self._acks = CARRIED

    def put(self, text: str) -> None:
        self.last = text[:MAX_NOTE]
        self._waiting.append(self.last)

    def carried(self) -> tuple[str, int]:
        """The note for this ack, and its number, which rises with each."""
        if self._waiting and self._acks >= CARRIED:
            self._note, self._acks = self._waiting.popleft(), 0
            self._number += 1
        self._acks += 1
        return self._note, self._number
