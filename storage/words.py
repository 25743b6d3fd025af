"""What a word is, for search. Pure; agrees with the `unicode61` tokenizer of SQLite's FTS5.

A word is a run of letters and digits, with the marks that combine with them, compared without case.
Colour codes are not part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# IRC colours: ^C with up to two digits each for ink and paper, ^D with six hexadecimal ones.
# modern.ircdocs.horse/formatting
_COLOUR = re.compile(
    "\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
)
# The marks that FTS5 takes for a part of a word, whatever it is told.
MARKS = (
    "".join(
        map(
            chr,
            (*range(0x300, 0x305), *range(0x306, 0x30D), 0x30F, 0x311, 0x31B, *range(0x323, 0x329)),
        )
    )
    + "\u032d\u032e\u0330\u0331"
)
_PART = f"(?:[^\\W_]|[{MARKS}])"
_WORD = re.compile(f"[^\\W_]{_PART}*")
_WANTED = re.compile(f"[^\\W_]{_PART}*\\*?")
_DOTTED_I = "\u0130"  # FTS5 leaves it as it is; Python makes two characters of it
_FOLD_NICK = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\^", "abcdefghijklmnopqrstuvwxyz{}|~")

MAX_WANTED = 32  # words of one search; more are ignored

SEARCHABLE = ("PRIVMSG", "NOTICE")


def without_colours(text: str) -> str:
    return _COLOUR.sub(" ", text) if "\x03" in text or "\x04" in text else text


def words(text: str) -> list[str]:
    """The words of a message. A CTCP ACTION's own name is none of them."""
    return _WORD.findall(_plain(text))


def _plain(text: str) -> str:
    return lower(without_colours(text).replace("\x01ACTION ", ""))


def lower(text: str) -> str:
    if _DOTTED_I in text:
        return _DOTTED_I.join(map(str.lower, text.split(_DOTTED_I)))
    return text.lower()


def fold_nick(nick: str) -> str:
    """A nick as the index knows it: RFC 1459's folding, which merges no two nicks in practice."""
    return nick.translate(_FOLD_NICK)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words a search asks for: all of them; those ending in `*` are beginnings of words."""

    whole: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Wanted:
        found = list(dict.fromkeys(_WANTED.findall(_plain(text))))[:MAX_WANTED]
        return cls(
            tuple(word for word in found if not word.endswith("*")),
            tuple(word[:-1] for word in found if word.endswith("*")),
        )

    def __bool__(self) -> bool:
        return bool(self.whole or self.beginnings)

    def match(self, text: str) -> bool:
        plain = _plain(text)
        return all(pattern.search(plain) for pattern in _patterns(self))


@lru_cache(64)
def _patterns(wanted: Wanted) -> tuple[re.Pattern[str], ...]:
    """One for each word. Its letters come first, for these are found fast."""
    return tuple(
        re.compile(f"{word}{end}(?<!{_PART}{word})")
        for words, end in ((wanted.whole, f"(?!{_PART})"), (wanted.beginnings, ""))
        for word in words
    )
