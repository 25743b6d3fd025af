"""A message as it is kept, its place in history, and its msgid. Pure values."""

from __future__ import annotations

from typing import Any, NamedTuple

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LAST = 1 << 62  # above every id, below the largest integer of both databases


class Row(NamedTuple):
    """One message as it is kept.

    `target` is the casefolded channel, or the folded nick of the other person; `name` as shown.
    `msgid` is '' where the network gave none (see `msgid_of`); `tags` are the raw tags to give
    back (no time, msgid, batch, label); `addressee` is the first parameter as sent, '' for `name`;
    `text` is the last parameter of PRIVMSG, NOTICE and TAGMSG. For other commands it is what
    stands on the line after the channel, colon included (`:reason` of PART, `bob :out` of KICK), or
    after the command where no channel is named (QUIT, NICK).
    """

    id: int
    network_id: int
    target: str
    name: str
    time_ms: int
    msgid: str
    command: str
    source: str
    tags: str
    addressee: str
    text: str


class Renamed(NamedTuple):
    """Among rows: from here on a conversation is called otherwise, with all that is kept of it.
    `target` and `new_target` are folded."""

    network_id: int
    target: str
    new_target: str
    new_name: str


Kept = Row | Renamed


class Position(NamedTuple):
    """A place between messages of a buffer, or at one of them."""

    time_ms: int
    id: int

    @classmethod
    def before_ms(cls, time_ms: int) -> Position:
        """Just before everything of that millisecond."""
        return cls(time_ms, -LAST)

    @classmethod
    def after_ms(cls, time_ms: int) -> Position:
        """Just after everything of that millisecond."""
        return cls(time_ms, LAST)


FIRST_POSITION = Position(-LAST, -LAST)
LAST_POSITION = Position(LAST, LAST)


def repaired(row: Kept) -> Kept:
    """Without what not every database holds."""
    values = map(storable, row)
    return Row._make(values) if isinstance(row, Row) else Renamed._make(values)


def storable(value: Any) -> Any:
    """A text without NUL, which PostgreSQL has not, and without halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.encode(errors="replace").decode().replace("\0", "")


def msgid_of(row: Row) -> str:
    """The network's msgid, or ours: `m` and the id in base 36. IRCv3 message-ids."""
    return row.msgid or own_msgid(row.id)


def own_msgid(message_id: int) -> str:
    digits = ""
    while True:
        message_id, digit = divmod(message_id, 36)
        digits = _DIGITS[digit] + digits
        if not message_id:
            return "m" + digits


def id_of(msgid: str) -> int | None:
    """The id in one of our own msgids; None where it can't be one."""
    digits = msgid[1:]
    if msgid[:1] != "m" or not 0 < len(digits) <= 12 or not digits.isascii():
        return None
    if not digits.isalnum() or digits != digits.lower():
        return None
    return int(digits, 36)
