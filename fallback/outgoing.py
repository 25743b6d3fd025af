"""What waits to be said on one public network: by priority, one line per two seconds. Pure.

Announcements go before verifications, these before the roster; replies come last and take turns
by source, so that a flood of claims neither delays the announcement nor starves one person.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from bouncer.irc.wire import Message

LINE_EVERY_S = 2.0  # Libera.Chat's sustained rate; unpublished elsewhere
MAX_WAITING = 64  # per priority; full: the oldest is dropped, a later line says more
MAX_SOURCES = 256  # with a reply waiting; full: this one's is not said
MAX_REPLIES = 4  # waiting per source
_ADDRESSEE = {"INVITE": 0, "NOTICE": 0, "MODE": 2, "KICK": 1}  # which parameter is a nick


class Priority(IntEnum):
    ANNOUNCE = 0
    VERIFY = 1
    ROSTER = 2


@dataclass
class Outgoing:
    """Lines in, at most one out per `LINE_EVERY_S`."""

    every_s: float = LINE_EVERY_S
    _next_at: float = float("-inf")
    _lines: dict[Priority, deque[Message]] = field(
        default_factory=lambda: {each: deque(maxlen=MAX_WAITING) for each in Priority}
    )
    _replies: dict[str, deque[Message]] = field(default_factory=dict)
    dropped: int = 0

    def put(self, message: Message, priority: Priority) -> None:
        lines = self._lines[priority]
        self.dropped += len(lines) == MAX_WAITING
        lines.append(message)

    def reply(self, message: Message, source: str) -> None:
        """A line that somebody asked for; `source` is whose turn it takes."""
        waiting = self._replies.get(source)
        if waiting is None:
            if len(self._replies) >= MAX_SOURCES:
                self.dropped += 1
                return
            waiting = self._replies[source] = deque()
        if len(waiting) >= MAX_REPLIES:
            self.dropped += 1
            return
        waiting.append(message)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + sum(map(len, self._replies.values()))

    def clear(self) -> None:
        """Another agent speaks, or the network is lost: what waited is stale."""
        for lines in self._lines.values():
            lines.clear()
        self._replies.clear()

    def follow(self, old: str, new: str, fold: Callable[[str], str]) -> None:
        """What waits for somebody goes to their new nick; without one, it is dropped."""

        def change(line: Message) -> Message | None:
            place = _ADDRESSEE.get(line.command)
            if place is None or len(line.params) <= place or fold(line.params[place]) != fold(old):
                return line
            if not new:
                return None
            return Message(line.command, (*line.params[:place], new, *line.params[place + 1 :]))

        for waiting in (*self._lines.values(), *self._replies.values()):
            kept = [changed for line in waiting if (changed := change(line)) is not None]
            waiting.clear()
            waiting.extend(kept)
        self._replies = {source: lines for source, lines in self._replies.items() if lines}

    def wait_s(self, now: float) -> float:
        """Seconds until the next line may go."""
        return max(0.0, self._next_at - now)

    def take(self, now: float) -> Message | None:
        """The next line, if there is one and it may go now."""
        if now < self._next_at:
            return None
        message = self._first()
        if message is not None:
            self._next_at = now + self.every_s
        return message

    def _first(self) -> Message | None:
        for priority in Priority:
            if self._lines[priority]:
                return self._lines[priority].popleft()
        for source, waiting in self._replies.items():
            message = waiting.popleft()
            del self._replies[source]
            if waiting:
                self._replies[source] = waiting  # behind the others: round robin
            return message
        return None
