"""Mode strings into changes. Total: which letter takes an argument is the server's to say (005).

Sources: RFC 1459 section 4.2.3, modern.ircdocs.horse CHANMODES and PREFIX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bouncer.irc.isupport import ISupport


class ModeChange(NamedTuple):
    add: bool
    letter: str
    argument: str | None = None


def parse_modes(isupport: ISupport, words: Sequence[str]) -> list[ModeChange]:
    """The changes of a channel MODE; `words` are its parameters after the channel.

    An argument that a letter wants and the line lacks is None: `MODE #c b` asks for the list.
    Some servers send several mode strings in one line; each begins with a sign.
    """
    changes: list[ModeChange] = []
    rest = iter(words)
    for word in rest:
        if changes and word[:1] not in ("+", "-"):
            continue  # an argument nobody asked for
        for add, letter in _letters(word):
            argument = next(rest, None) if takes_argument(isupport, letter, add) else None
            changes.append(ModeChange(add, letter, argument))
    return changes


def parse_user_modes(words: Sequence[str]) -> list[ModeChange]:
    """The changes of a user MODE, or of 221: letters alone."""
    return [ModeChange(add, letter) for add, letter in _letters(words[0])] if words else []


def takes_argument(isupport: ISupport, letter: str, add: bool) -> bool:
    modes = isupport.chanmodes
    return (
        letter in isupport.prefix
        or letter in modes.a
        or letter in modes.b
        or (add and letter in modes.c)
    )


def _letters(word: str) -> Iterator[tuple[bool, str]]:
    add = True
    for char in word:
        if char == "+":
            add = True
        elif char == "-":
            add = False
        else:
            yield add, char
