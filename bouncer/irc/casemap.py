"""How a network folds names to compare them: ASCII letters and at most four symbols, no Unicode.

Sources: RFC 1459 section 2.2, modern.ircdocs.horse CASEMAPPING.
"""

from __future__ import annotations

from enum import Enum
from string import ascii_lowercase, ascii_uppercase


class CaseMapping(Enum):
    """A server's CASEMAPPING. `fold` gives the form under which equal names are equal."""

    ASCII = ("ascii", "", "")
    RFC1459 = ("rfc1459", "[]\\~", "{}|^")
    RFC1459_STRICT = ("rfc1459-strict", "[]\\", "{}|")

    def __init__(self, token: str, upper: str, lower: str) -> None:
        self.token = token
        self._symbols = upper
        self._table = str.maketrans(ascii_uppercase + upper, ascii_lowercase + lower)

    def fold(self, name: str) -> str:
        if not name.isascii():  # lower() would fold other letters too
            return name.translate(self._table)
        name = name.lower()  # ten times as fast as a table, and most names have no symbols
        for symbol in self._symbols:
            if symbol in name:
                return name.translate(self._table)
        return name

    @classmethod
    def named(cls, token: str | None) -> CaseMapping:
        """The mapping a CASEMAPPING token names. Without a token it is rfc1459, the oldest; one we
        do not know folds ASCII letters, which every mapping in use does."""
        if token is None:
            return cls.RFC1459
        return _BY_TOKEN.get(token.lower(), cls.ASCII)


_BY_TOKEN = {mapping.token: mapping for mapping in CaseMapping}
_BY_TOKEN["strict-rfc1459"] = CaseMapping.RFC1459_STRICT  # by its older name
