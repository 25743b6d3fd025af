"""Messages of several lines, as clients send them in a batch.

Source: IRCv3 multiline. What is collected is bounded by the limits told in the capability; a batch
that breaks a rule is refused once, and the rest of it swallowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message

BATCH_KIND = "draft/multiline"
CONCAT = "draft/multiline-concat"
COMMANDS = frozenset({"PRIVMSG", "NOTICE"})


class Line(NamedTuple):
    """`joined`: it goes on with the line before, without a line feed between."""

    text: str
    joined: bool


class Multiline(NamedTuple):
    """A whole message. `raw_tags` are those of the opening BATCH: the client-only tags."""

    target: str
    command: str
    lines: tuple[Line, ...]
    raw_tags: str

    @property
    def text(self) -> str:
        """The lines joined by line feeds, but for those sent with the concat tag."""
        first, *rest = self.lines
        return first.text + "".join(line.text if line.joined else "\n" + line.text for line in rest)

    def fallback(self) -> Iterator[str]:
        """The lines for somebody without multiline: "MUST NOT send blank lines"."""
        return (line.text for line in self.lines if line.text)


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
