"""Own messages whose echo the network owes us, be it changed on the way: a channel may be without
colours, a long line is cut. Pure. Sources: IRCv3 echo-message; modern.ircdocs.horse, formatting.
"""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from bouncer.irc.wire import REPLACEMENT
from bouncer.session.folding import Fold
from bouncer.session.routing import Asked

MAX_ECHOES = 2_000  # as many as may wait to be sent; full: the oldest's goes to every client


# bold, reset, monospace, reverse, italics, strikethrough, underline; colours by number and by hex
_FORMATTING = re.compile(
    r"[\x02\x0f\x11\x16\x1d\x1e\x1f]"
    r"|\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
)


def _plain(text: str) -> str:
    return _FORMATTING.sub("", text)


class Echo(NamedTuple):
    """`said` knows who sent it; `target` is folded, `text` '' for a TAGMSG; `tags` are those that
    the client gave it."""

    said: Asked
    command: str
    target: str
    text: str
    tags: str


class Echoes:
    """What was sent, oldest first: a network says it back in this order."""

    def __init__(self) -> None:
        self._awaited: deque[Echo] = deque(maxlen=MAX_ECHOES)

    def expect(self, said: Asked, command: str, target: str, text: str, tags: str) -> None:
        self._awaited.append(Echo(said, command, target, text, tags))

    def heard(
        self, command: str, target: str, text: str = "", said: Asked | None = None
    ) -> Asked | None:
        """Who sent what now comes back; None where nobody here did. `said` is known by its label:
        then its words may have been changed on the way."""
        echo = self._labelled(said) if said is not None else self._find(command, target, text)
        if echo is None:
            return said
        while self._awaited.popleft() is not echo:  # the network has refused or changed those
            pass
        return echo.said

    def _labelled(self, said: Asked) -> Echo | None:
        return next((echo for echo in self._awaited if echo.said is said), None)

    def _find(self, command: str, target: str, text: str) -> Echo | None:
        """The oldest of these words; else the oldest that they may be what is left of, without its
        formatting, or cut at the length of a line."""
        there = [e for e in self._awaited if (e.command, e.target) == (command, target)]
        left = _plain(text).removesuffix(REPLACEMENT)
        for echo in there:
            if echo.text == text:
                return echo
        for echo in there:
            if left and _plain(echo.text).startswith(left):
                return echo
        return None

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        awaited = [echo._replace(target=refold(echo.target)) for echo in self._awaited]
        self._awaited = deque(awaited, maxlen=MAX_ECHOES)

    def settled(self, said: Asked) -> Echo | None:
        """The network has said of this what became of it; what it was, unless that is known."""
        if (echo := self._labelled(said)) is not None:
            self._awaited.remove(echo)
        return echo

    def give_up(self, since_ms: int) -> list[Echo]:
        """None will come any more. Those sent since then may have been heard by others."""
        awaited = [echo for echo in self._awaited if echo.said.heard_ms >= since_ms]
        self._awaited.clear()
        return awaited
