"""Messages of several lines from a network: collected until they are whole, never lost.

Source: IRCv3 multiline: "implementations MUST collect each PRIVMSG message content and wait until
the full batch has been received before processing the message". Pure and bounded; what finds no
room is said as far as it has come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bouncer.irc.multiline import BATCH_KIND, COMMANDS, CONCAT, Line, packed
from bouncer.irc.wire import Message

MAX_ARRIVING = 16  # batches at once; full: the oldest is said as far as it has come
MAX_OCTETS = 65_536  # of one message; full: it is said, and what still comes is another message
MAX_LINES = 1_000
MAX_REFERENCE = 100  # characters


@dataclass(slots=True)
class _Unfinished:
    opening: Message
    target: str
    command: str = ""
    lines: list[Line] = field(default_factory=list)
    octets: int = 0

    def said(self) -> list[Message]:
        """The message as far as it has come; the tags of its opening are its own."""
        if not any(line.text for line in self.lines):
            return []
        params = (self.target, packed(self.lines))
        return [self.opening._replace(command=self.command, params=params)]


class Arriving:
    """Feed the messages of batches; get those that are whole, with their lines as one text."""

    def __init__(self) -> None:
        self._open: dict[str, _Unfinished] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def batch(self, message: Message) -> list[Message]:
        """Take a BATCH of any kind; what is to be said now."""
        word = message.params[0] if message.params else ""
        sign, reference = word[:1], word[1:]
        if sign == "-" and reference in self._open:
            return self._open.pop(reference).said()
        if sign != "+" or len(message.params) < 3 or message.params[1] != BATCH_KIND:
            return []
        if not 0 < len(reference) <= MAX_REFERENCE:
            return []
        said = []
        if reference in self._open or len(self._open) >= MAX_ARRIVING:
            oldest = reference if reference in self._open else next(iter(self._open))
            said = self._open.pop(oldest).said()
        self._open[reference] = _Unfinished(message, message.params[2])
        return said

    def line(self, message: Message) -> list[Message] | None:
        """Take a PRIVMSG or NOTICE; None where it is a message by itself."""
        tags = message.tags
        whole = self._open.get(tags.get("batch", ""))
        if whole is None or len(message.params) < 2 or message.command not in COMMANDS:
            return None
        if whole.command not in ("", message.command) or message.params[0] != whole.target:
            return None
        text = message.params[1]
        octets = len(text.encode("utf-8", "replace")) + 1
        said = []
        if whole.octets + octets > MAX_OCTETS or len(whole.lines) >= MAX_LINES:
            said = whole.said()
            # the msgid was that of the first part
            whole.opening = whole.opening._replace(raw_tags="")
            whole.lines, whole.octets = [], 0
        if not whole.opening.source:
            whole.opening = whole.opening._replace(source=message.source)
        whole.command = message.command
        whole.octets += octets
        whole.lines.append(Line(text, joined=CONCAT in tags and bool(whole.lines)))
        return said

    def give_up(self) -> list[Message]:
        """The connection is gone: what has come is said."""
        said = [message for whole in self._open.values() for message in whole.said()]
        self._open.clear()
        return said
