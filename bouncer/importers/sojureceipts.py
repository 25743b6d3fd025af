"""soju's delivery receipts: what each client was sent last, conversation by conversation. Pure.

Sources: soju, msgstore/msgstore.go (the frame of an internal_msgid), db.go and fs.go (what is in
it); BARE, draft-devault-bare (its numbers).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

_FILE, _DATABASE = 2, 3  # types of internal_msgid


class InDatabase(NamedTuple):
    """The message's number in soju's own database."""

    number: int


class InFile(NamedTuple):
    """Where the line begins in the log of a day; below 0: nothing of that day."""

    day: date
    offset: int


class Receipt(NamedTuple):
    """`target` as soju writes it; `client` is '' for those without a name."""

    target: str
    client: str
    sent: InDatabase | InFile


def parse_sent(internal_msgid: str) -> InDatabase | InFile | None:
    """None where the message was in memory alone, or the text is none of soju's."""
    try:
        octets = urlsafe_b64decode(internal_msgid + "=" * (-len(internal_msgid) % 4))
        numbers = _Numbers(octets)
        numbers.unsigned()  # version
        numbers.signed()  # network
        numbers.skip(numbers.unsigned())  # target
        kind = numbers.unsigned()
        if kind == _DATABASE:
            return InDatabase(numbers.unsigned())
        if kind == _FILE:
            day = date(numbers.signed(), numbers.signed(), numbers.signed())
            return InFile(day, numbers.signed())
    except (StopIteration, ValueError, OverflowError, binascii.Error):
        return None
    return None


class _Numbers:
    """BARE: "the least significant seven bits first", "zig-zag" where they have a sign."""

    def __init__(self, octets: bytes) -> None:
        self._octets: Iterator[int] = iter(octets)

    def unsigned(self) -> int:
        number, shift = 0, 0
        while True:
            octet = next(self._octets)
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                return number
            shift += 7

    def signed(self) -> int:
        number = self.unsigned()
        return number >> 1 ^ -(number & 1)

    def skip(self, octets: int) -> None:
        for _ in range(octets):
            next(self._octets)
