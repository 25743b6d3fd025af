"""Messages of several lines: in a batch on the wire, one text everywhere else.

Source: IRCv3 multiline. What is collected of clients is bounded by the limits told in the
capability; a batch that breaks a rule is refused once, and the rest of it swallowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message

BATCH_KIND = "draft/multiline"
CONCAT = "draft/multiline-concat"
COMMANDS = frozenset({"PRIVMSG", "NOTICE"})
LONGEST_LINE = 512  # octets: a network with less room for a whole message is sent single lines
# Between the lines of a message in one text; neither can stand in a line of IRC. "Servers SHOULD
# maintain the line composition sent by the client": so a joint is kept, too.
BREAK, JOINT = "\n", "\r"


class Line(NamedTuple):
    """`joined`: it goes on with the line before, without a line feed between."""

    text: str
    joined: bool


def packed(lines: Iterable[Line]) -> str:
    """The lines as one text."""
    first, *rest = lines
    return first.text + "".join((JOINT if line.joined else BREAK) + line.text for line in rest)


def is_packed(text: str) -> bool:
    return BREAK in text or JOINT in text


def lines_of(text: str) -> list[Line]:
    """The lines of a text, one for an ordinary message."""
    lines = []
    for paragraph in text.split(BREAK):
        first, *rest = paragraph.split(JOINT)
        lines.append(Line(first, joined=False))
        lines += [Line(part, joined=True) for part in rest]
    return lines


def single_lines(text: str) -> list[str]:
    """The lines for who has no multiline: "MUST NOT send blank lines"."""
    return [line.text for line in lines_of(text) if line.text]


def readable(text: str) -> str:
    """The text as it is read: lines that were cut only for their length are whole."""
    return text.replace(JOINT, "")


def batch_of(message: Message, reference: str) -> list[Message]:
    """A PRIVMSG with a text of several lines as the batch that says it.

    "all client-only tags associated with the message must be sent attached to the initial BATCH"
    """
    target, text = message.params
    opening = (f"+{reference}", BATCH_KIND, target)
    batch = [Message("BATCH", opening, message.source, message.raw_tags)]
    for line in lines_of(text):
        tags = f"batch={reference}" + (f";{CONCAT}" if line.joined else "")
        batch.append(Message(message.command, (target, line.text), message.source, tags))
    return [*batch, Message("BATCH", (f"-{reference}",))]


class Limits(NamedTuple):
    """What one message may have: the value of the capability."""

    max_bytes: int
    max_lines: int

    @classmethod
    def parse(cls, value: str, most_lines: int) -> Limits | None:
        """Those of a network, None where it tells none that are of use."""
        told = dict(part.partition("=")[::2] for part in value.split(","))
        max_bytes = _number(told.get("max-bytes", ""))
        max_lines = _number(told.get("max-lines", "")) or most_lines
        return cls(max_bytes, max_lines) if max_bytes >= LONGEST_LINE and max_lines > 1 else None

    def parts(self, lines: Sequence[Line]) -> list[list[Line]]:
        """The lines as messages within these limits, none of them "entirely of blank lines"."""
        parts: list[list[Line]] = [[]]
        size = 0
        for line in lines:
            octets = len(line.text.encode("utf-8", "replace")) + 1
            if parts[-1] and (size + octets > self.max_bytes or len(parts[-1]) >= self.max_lines):
                parts.append([])
                size = 0
            parts[-1].append(line if parts[-1] else Line(line.text, joined=False))
            size += octets
        return [part for part in parts if any(line.text for line in part)]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class Multiline(NamedTuple):
    """A whole message. `raw_tags` are those of the opening BATCH: the client-only tags."""

    target: str
    command: str
    lines: tuple[Line, ...]
    raw_tags: str

    @property
    def text(self) -> str:
        return packed(self.lines)


class MultilineReader:
    """One client's multiline batch, one at a time."""

    def __init__(self, max_bytes: int, max_lines: int) -> None:
        self.max_bytes = max_bytes
        self.max_lines = max_lines
        self._reference = ""
        self._refused = False
        self._reset("", "")

    def _reset(self, target: str, raw_tags: str) -> None:
        self._target, self._raw_tags = target, raw_tags
        self._command = ""
        self._lines: list[Line] = []
        self._size = 0

    def takes(self, message: Message) -> bool:
        """Whether this message is ours: it opens or closes a batch, or belongs to the open one."""
        if message.command == "BATCH":
            return True
        return bool(self._reference) and message.tags.get("batch") == self._reference

    def receive(self, message: Message) -> Multiline | None:
        """Take a message that `takes` approved; the whole once it is complete. Raises Refused."""
        if message.command == "BATCH":
            return self._on_batch(message)
        if not self._refused:
            try:
                self._add(message)
            except Refused:
                self._refused = True
                self._lines.clear()
                raise
        return None

    def _on_batch(self, message: Message) -> Multiline | None:
        word = message.params[0] if message.params else ""
        if word[:1] == "-" and self._reference and word[1:] == self._reference:
            return self._close()
        if word[:1] != "+" or len(word) < 2 or len(message.params) < 3 or self._reference:
            raise _refused("MULTILINE_INVALID", text="Invalid multiline batch")
        if message.params[1] != BATCH_KIND:
            raise Refused("BATCH", "UNKNOWN_TYPE", message.params[1], text="Unknown batch type")
        self._reference, self._refused = word[1:], False
        self._reset(message.params[2], message.raw_tags)
        return None

    def _close(self) -> Multiline | None:
        refused, self._reference = self._refused, ""
        if refused:
            return None
        if not any(line.text for line in self._lines):
            raise _refused("MULTILINE_INVALID", text="A multiline message needs a text")
        return Multiline(self._target, self._command, tuple(self._lines), self._raw_tags)

    def _add(self, message: Message) -> None:
        wrong_command = self._command and message.command != self._command
        if message.command not in COMMANDS or wrong_command or len(message.params) < 2:
            raise _refused("MULTILINE_INVALID", text="Invalid multiline batch")
        target, text = message.params[:2]
        if target != self._target:
            context = (self._target, target)
            raise _refused("MULTILINE_INVALID_TARGET", *context, text="Invalid multiline target")
        joined = CONCAT in message.tags
        if joined and (not text or not self._lines):
            raise _refused("MULTILINE_INVALID", text="Nothing to join a line to")
        self._size += len(text.encode("utf-8", "replace")) + (bool(self._lines) and not joined)
        if self._size > self.max_bytes:
            limit = str(self.max_bytes)
            raise _refused("MULTILINE_MAX_BYTES", limit, text="Multiline batch max-bytes exceeded")
        if len(self._lines) >= self.max_lines:
            limit = str(self.max_lines)
            raise _refused("MULTILINE_MAX_LINES", limit, text="Multiline batch max-lines exceeded")
        self._command = message.command
        self._lines.append(Line(text, joined))


def _refused(code: str, *context: str, text: str) -> Refused:
    return Refused("BATCH", code, *context, text=text)
