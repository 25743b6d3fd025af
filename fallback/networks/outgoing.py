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
HEARD_BACK_S = 10.0  # a refusal is about a line that left no longer ago
MAX_TOLD = 16  # lines to people that left lately
# Which parameter is a nick.
_ADDRESSEE = {"INVITE": 0, "NOTICE": 0, "WHOIS": 0, "MODE": 2, "KICK": 1}


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
    _people_from: float = float("-inf")  # until then no line to a person leaves
    _told: deque[tuple[float, Message, str]] = field(default_factory=lambda: deque(maxlen=MAX_TOLD))

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

    def hold(self, nick: str, now: float, wait_s: float, fold: Callable[[str], str]) -> None:
        """The network took no line to this person, for we write to too many: what they were told
        last waits again, before all else, and so does whatever is for people. Channels go on."""
        self._people_from = max(self._people_from, now + wait_s)
        again = [
            each
            for each in self._told
            if now <= each[0] + HEARD_BACK_S and fold(_nick_in(each[1])) == fold(nick)
        ]
        for each in reversed(again):
            self._told.remove(each)
            _, line, source = each
            if line.command == "INVITE":
                self._lines[Priority.VERIFY].appendleft(line)
            else:
                waiting = self._replies.pop(source, deque())
                waiting.appendleft(line)
                self._replies = {source: waiting, **self._replies}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + sum(map(len, self._replies.values()))

    def stop_talking(self) -> None:
        """Another agent speaks: it announces. What this one has verified is its own to say."""
        for priority in (Priority.ANNOUNCE, Priority.ROSTER):
            self._lines[priority].clear()

    def clear(self) -> None:
        """The network is lost: what waited is stale."""
        for lines in self._lines.values():
            lines.clear()
        self._replies.clear()
        self._told.clear()

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
        told = [(at, change(line), source) for at, line, source in self._told]
        self._told.clear()
        self._told.extend((at, line, source) for at, line, source in told if line is not None)

    def wait_s(self, now: float) -> float:
        """Seconds until the next line may go."""
        soonest = self._next_at
        if all(_nick_in(line) for lines in self._lines.values() for line in lines):
            soonest = max(soonest, self._people_from)
        return max(0.0, soonest - now)

    def take(self, now: float) -> Message | None:
        """The next line, if there is one and it may go now."""
        if now < self._next_at:
            return None
        told = self._first(to_people=now >= self._people_from)
        if told is None:
            return None
        message, source = told
        self._next_at = now + self.every_s
        if _nick_in(message):
            self._told.append((now, message, source))
        return message

    def _first(self, *, to_people: bool) -> tuple[Message, str] | None:
        for lines in self._lines.values():
            for index, line in enumerate(lines):
                if to_people or not _nick_in(line):
                    del lines[index]
                    return line, _nick_in(line)
        for source, waiting in self._replies.items() if to_people else ():
            message = waiting.popleft()
            del self._replies[source]
            if waiting:
                self._replies[source] = waiting  # behind the others: round robin
            return message, source
        return None


def _nick_in(line: Message) -> str:
    """To whom a line goes, if to one person: networks count these, not MODE or KICK."""
    return line.params[0] if line.command in ("NOTICE", "INVITE") and line.params else ""
