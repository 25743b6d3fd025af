"""What a word is, for search. Pure; agrees with the `unicode61` tokenizer of SQLite's FTS5.

A word is a run of letters and digits, with the marks that combine with them, compared without case.
Colour codes are not part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# IRC colours: ^C with up to two digits each for ink and paper, ^D with six hexadecimal ones.
# modern.ircdocs.horse/formatting
_COLOUR = re.compile(
    "\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
)
PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"  # characters without a meaning of their own
_PRIVATE = re.compile(f"[{PRIVATE}]")
# The marks that FTS5 takes for a part of a word, whatever it is told.
MARKS = "".join(map(chr, (*range(0x300, 0x305), *range(0x306, 0x30D), *range(0x323, 0x329))))
MARKS += "\u030f\u0311\u031b\u032d\u032e\u0330\u0331"
_PART = f"(?:[^\\W_]|[{MARKS}])"
_WORD = re.compile(f"[^\\W_]{_PART}*")
_WANTED = re.compile(f"[^\\W_]{_PART}*\\*?")
_DOTTED_I = "\u0130"  # FTS5 leaves it as it is; Python makes two characters of it
_FOLD_NICK = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\^", "abcdefghijklmnopqrstuvwxyz{}|~")

MAX_WANTED = 32  # words of one search; more are ignored

SEARCHABLE = ("PRIVMSG", "NOTICE")


def without_colours(text: str) -> str:
    return _COLOUR.sub(" ", text) if "\x03" in text or "\x04" in text else text


def without_signs(text: str) -> str:
    """What FTS5 is given. Private-use characters, as of icons in terminals, are letters to it."""
    return _PRIVATE.sub(" ", without_colours(text))


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
        return all(_stands_in(plain, word, whole=True) for word in self.whole) and all(
            _stands_in(plain, word, whole=False) for word in self.beginnings
        )


def _stands_in(text: str, word: str, *, whole: bool) -> bool:
    """Without a pattern: to compile one takes longer than the rest of a search for a rare word."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not _is_part(text[at - 1 : at]) and not (whole and _is_part(text[end : end + 1])):
            return True
        at = text.find(word, at + 1)
    return False


def _is_part(char: str) -> bool:
    """Whether the character is one of a word; '' is none."""
    return char.isalnum() or (char != "" and char in MARKS)
