"""Bytes on the wire <-> messages. Total: any bytes give messages or a count of lines refused.

Sources: RFC 1459 section 2.3, IRCv3 message-tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MAX_LINE = 512  # octets with CRLF, tags apart: RFC 1459 section 2.3
MAX_SERVER_TAGS = 8191  # octets with '@' and the space: IRCv3 message-tags, size limits
MAX_CLIENT_TAGS = 4096
MAX_RECEIVED = MAX_SERVER_TAGS + MAX_LINE  # the longest line anyone may send us

# Where a text or a list stands last, after so many parameters, clients get it with a colon: simple
# ones look for that even where a single word needs none.
TEXTS = {
    "301": 2, "311": 5, "312": 3, "314": 5, "322": 3, "332": 2, "352": 7, "353": 3, "372": 1,
    "CAP": 2, "KICK": 2, "NOTICE": 1, "PART": 1, "PRIVMSG": 1, "QUIT": 0, "SETNAME": 0, "TOPIC": 1,
}  # fmt: skip

REPLACEMENT = "\ufffd"  # for a character that was cut

_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_UNSAFE = str.maketrans({";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n", "\0": ""})
_LINE_ENDS = str.maketrans("\r\n", "  ", "\0")


class ProtocolError(ValueError):
    """A line that is not an IRC message. Its text says what is wrong with it."""


class Message(NamedTuple):
    """One IRC message. `source` has no leading colon, `raw_tags` no '@'; both '' when absent.

    Tags stay as they were sent until somebody reads `tags`: most lines never need them.
    """

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    raw_tags: str = ""

    @classmethod
    def parse(cls, line: str) -> Message:
        """Read one line without its CRLF. Raises ProtocolError when it has no command."""
        raw_tags = source = ""
        if line[:1] == "@":
            raw_tags, _, line = line[1:].partition(" ")
            line = line.lstrip(" ")
        if line[:1] == ":":
            source, _, line = line[1:].partition(" ")
            line = line.lstrip(" ")
        head, colon, trailing = line.partition(" :")
        # split(" ") and not split(): only U+0020 separates parameters, U+3000 and \x1d do not.
        words = [word for word in head.split(" ") if word]
        if not words or head[0] == ":":
            raise ProtocolError("a message needs a command")
        command = words[0]
        if not (command.isascii() and command.isalnum()):
            raise ProtocolError(f"{command[:20]!r} is not a command")
        command = command.upper()
        params = (*words[1:], trailing) if colon else tuple(words[1:])
        return cls(command, params, source, raw_tags)

    @property
    def tags(self) -> dict[str, str]:
        """The tags by name, unescaped. An empty value equals a missing one: IRCv3 message-tags."""
        return parse_tags(self.raw_tags)

    @property
    def nick(self) -> str:
        """The nick of the source, or the server's name."""
        return self.source.partition("!")[0]

    def with_tags(self, tags: Mapping[str, str]) -> Message:
        return self._replace(raw_tags=format_tags(tags))

    def __str__(self) -> str:
        """The line without CRLF. The last parameter gets a colon where it needs one."""
        parts = []
        if self.raw_tags:
            parts.append("@" + self.raw_tags)
        if self.source:
            parts.append(":" + self.source)
        parts.append(self.command)
        if self.params:
            *middle, last = self.params
            parts += middle
            plain = last and last[0] != ":" and " " not in last
            if plain and self.source and len(middle) >= TEXTS.get(self.command, len(self.params)):
                plain = False
            parts.append(last if plain else ":" + last)
        return " ".join(parts)

    def encode(self) -> bytes:
        """The line as sent, with CRLF.

        No part of it can end it early: a CR or LF inside becomes a space, a NUL vanishes. Half a
        surrogate pair, which no line from the wire holds, becomes '?'.
        """
        line = str(self)
        if "\n" in line or "\r" in line or "\0" in line:
            line = line.translate(_LINE_ENDS)
        return line.encode("utf-8", "replace") + b"\r\n"


def parse_tags(raw: str) -> dict[str, str]:
    if not raw:
        return {}
    tags = {}
    for item in raw.split(";"):
        name, _, value = item.partition("=")
        if name:
            tags[name] = _unescape(value) if "\\" in value else value
    return tags


def format_tags(tags: Mapping[str, str]) -> str:
    return ";".join(
        f"{name}={value.translate(_UNSAFE)}" if value else name for name, value in tags.items()
    )


def _unescape(value: str) -> str:
    out = []
    chars = iter(value)
    for char in chars:
        if char == "\\":
            char = next(chars, "")  # a lone trailing backslash is dropped: IRCv3 message-tags
            char = _ESCAPES.get(char, char)
        out.append(char)
    return "".join(out)


def decode(line: bytes) -> str:
    """UTF-8, else Latin-1 for this line alone: both are in use, often on one network. A server may
    have cut the line inside a character, which other characters before it show to be UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        whole = line[: error.start]
        if error.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode() + REPLACEMENT
        return line.decode("latin-1")


class LineReader:
    """Splits a byte stream into decoded lines; holds at most `limit` octets of an unfinished one.

    A longer line is dropped up to its newline and counted in `overlong`; empty lines vanish
    (RFC 1459 section 2.3.1), and NUL and CR, which no message may hold, are removed. `recoded` are
    the lines of the last chunk that were not UTF-8.
    """

    def __init__(self, limit: int = MAX_RECEIVED) -> None:
        self.limit = limit
        self.overlong = 0
        self.recoded: list[str] = []
        self._rest = b""
        self._dropping = False

    def feed(self, data: bytes) -> list[str]:
        """The whole lines that `data` completes, in order."""
        self.recoded = []
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        lines = self._lines(whole) if newline else []
        if lines and self._dropping:
            del lines[0]
            self._dropping = False
        if len(rest) > self.limit or self._dropping:
            if not self._dropping:
                self.overlong += 1
            self._dropping = True
            rest = b""
        self._rest = rest
        return [line for line in lines if line]

    def _lines(self, whole: bytes) -> list[str]:
        """The lines of `whole`, '' for one that is too long."""
        # Nearly every chunk is UTF-8 with CRLFs and no long line: then it is decoded at once.
        try:
            text = whole.decode().replace("\r\n", "\n").removesuffix("\r")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" not in text and "\r" not in text:
            lines = text.split("\n")
            if len(max(lines, key=len)) * 4 <= self.limit:  # a character has at most 4 octets
                return lines
        return [self._text(line) for line in whole.split(b"\n")]

    def _text(self, line: bytes) -> str:
        if len(line) > self.limit:
            self.overlong += 1
            return ""
        # A CR inside ends the line for some servers: what follows it must not become a command.
        if b"\0" in line or b"\r" in line:
            line = line.translate(None, b"\r\0")
        text = decode(line)
        if not text.isascii() and text.encode() != line:
            self.recoded.append(text)
        return text


def encode_all(messages: Iterable[Message], limit: int = 0) -> bytes:
    """Many messages as one buffer, so that they leave in one send. With a `limit` each is cut to so
    many octets, tags apart."""
    lines = [message.encode() for message in messages]
    if limit:
        lines = [line if len(line) <= limit else _cut(line, limit) for line in lines]
    return b"".join(lines)


def _cut(line: bytes, limit: int) -> bytes:
    tags, space, rest = line.partition(b" ") if line[:1] == b"@" else (b"", b"", line)
    if len(rest) > limit:
        rest = rest[: limit - 2].decode("utf-8", "ignore").encode() + b"\r\n"
    return tags + space + rest
