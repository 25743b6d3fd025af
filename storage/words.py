"""What a word is, for search. Pure; agrees with the `unicode61` tokenizer of SQLite's FTS5.

A word is a run of letters and digits, compared without case. Colour codes are not part of it.
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
_WORD = re.compile(r"[^\W_]+")
_WANTED = re.compile(r"[^\W_]+\*?")
_FOLD_NICK = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\^", "abcdefghijklmnopqrstuvwxyz{}|~")

MAX_WANTED = 32  # words of one search; more are ignored

SEARCHABLE = ("PRIVMSG", "NOTICE")


def without_colours(text: str) -> str:
    return _COLOUR.sub(" ", text) if "\x03" in text or "\x04" in text else text


def words(text: str) -> list[str]:
    """The words of a message. A CTCP ACTION's own name is none of them."""
    return _WORD.findall(_plain(text))


def _plain(text: str) -> str:
    return without_colours(text).replace("\x01ACTION ", "").lower()


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
        found = list(dict.fromkeys(_WANTED.findall(text.lower())))[:MAX_WANTED]
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
        re.compile(f"{word}{end}(?<![^\\W_]{word})")
        for words, end in ((wanted.whole, r"(?![^\W_])"), (wanted.beginnings, ""))
        for word in words
    )
