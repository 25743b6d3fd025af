"""How a network folds names to compare them: ASCII letters and at most four symbols, no Unicode.

Sources: RFC 1459 section 2.2, modern.ircdocs.horse CASEMAPPING.
"""

from __future__ import annotations

from enum import Enum
from string import ascii_lowercase, ascii_uppercase


class CaseMapping(Enum):
    """A server's CASEMAPPING. `fold` gives the form under which equal names are equal."""

    ASCII = "ascii"
    RFC1459 = "rfc1459"
    RFC1459_STRICT = "rfc1459-strict"

    def fold(self, name: str) -> str:
        return name.translate(_TABLES[self])

    @classmethod
    def named(cls, token: str | None) -> CaseMapping:
        """The mapping a CASEMAPPING token names. Without a token it is rfc1459, the oldest; one we
        do not know folds ASCII letters, which every mapping in use does."""
        if token is None:
            return cls.RFC1459
        return _BY_NAME.get(token.lower(), cls.ASCII)


_BY_NAME = {mapping.value: mapping for mapping in CaseMapping}
_TABLES = {
    CaseMapping.ASCII: str.maketrans(ascii_uppercase, ascii_lowercase),
    CaseMapping.RFC1459: str.maketrans(ascii_uppercase + "[]\\~", ascii_lowercase + "{}|^"),
    CaseMapping.RFC1459_STRICT: str.maketrans(ascii_uppercase + "[]\\", ascii_lowercase + "{}|"),
}
