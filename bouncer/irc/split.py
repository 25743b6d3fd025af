"""Fitting long things into IRC lines: lists of channels to join, entries, texts to say.

A line is at most 512 octets with CRLF (RFC 1459 section 2.3), and a text is cut between characters.
"""

from __future__ import annotations

from collections.abc import Iterable

from bouncer.irc.wire import MAX_LINE, Message

LONGEST_SOURCE = 100  # octets allowed for `:nick!user@host ` where our own mask is not known
_NOT_IN_WORDS = frozenset(" ,\r\n\0\a")


def join_lines(
    channels: Iterable[tuple[str, str | None]], targets: int | None = None, limit: int = MAX_LINE
) -> list[Message]:
    """JOINs for (name, key) pairs, as few as fit, at most `targets` channels in each.

    Channels with keys come first: a server matches keys to channels by position. A name or key
    that cannot stand in such a list is left out.
    """
    sendable = [(name, key or "") for name, key in channels if _is_word(name) and _is_key(key)]
    keyed = [pair for pair in sendable if pair[1]]
    lines: list[Message] = []
    batch: list[tuple[str, str]] = []
    used = 0
    room = limit - len("JOIN  \r\n")
    for name, key in keyed + [pair for pair in sendable if not pair[1]]:
        size = len(f"{name}{key}".encode("utf-8", "replace")) + 2
        if batch and (used + size > room or len(batch) == targets):
            lines.append(_join(batch))
            batch, used = [], 0
        batch.append((name, key))
        used += size
    if batch:
        lines.append(_join(batch))
    return lines


def _join(batch: list[tuple[str, str]]) -> Message:
    names = ",".join(name for name, _ in batch)
    keys = ",".join(key for _, key in batch if key)
    return Message("JOIN", (names, keys) if keys else (names,))


def _is_word(name: str) -> bool:
    return bool(name) and name[0] != ":" and not set(name) & _NOT_IN_WORDS


def _is_key(key: str | None) -> bool:
    return not key or not set(key) & _NOT_IN_WORDS  # the last parameter may begin with a colon


def room_for_text(command: str, target: str, source: str = "", limit: int = MAX_LINE) -> int:
    """Octets of text that reach other clients uncut: the server puts our mask before the line."""
    mask = len(source.encode("utf-8", "replace")) + 2 if source else LONGEST_SOURCE
    return max(limit - mask - len(f"{command} {target} :\r\n".encode("utf-8", "replace")), 1)


def join_entries(entries: Iterable[str], room: int, separator: str = "; ") -> list[str]:
    """Entries in lines of at most `room` octets; one that is longer by itself stands alone."""
    lines: list[str] = []
    for entry in entries:
        if lines and len(f"{lines[-1]}{separator}{entry}".encode("utf-8", "replace")) <= room:
            lines[-1] += separator + entry
        else:
            lines.append(entry)
    return lines


def split_text(text: str, room: int) -> list[str]:
    """The text in pieces of at most `room` octets of UTF-8, cut at spaces where one is near.

    The pieces joined give the text back. An empty text is one empty piece.
    """
    data = text.encode("utf-8", "replace")
    if len(data) <= room:
        return [text]
    room = max(room, 4)  # one character has up to four octets
    pieces = []
    start = 0
    while len(data) - start > room:
        end = start + room
        while data[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        space = data.rfind(b" ", start + room * 2 // 3, end)
        if space > start:
            end = space + 1
        pieces.append(data[start:end].decode())
        start = end
    pieces.append(data[start:].decode())
    return pieces
