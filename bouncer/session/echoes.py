"""Own messages whose echo the network owes us. Pure. Source: IRCv3 echo-message."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from bouncer.session.folding import Fold
from bouncer.session.routing import Asked

MAX_ECHOES = 256  # full: the echo of the oldest goes to every client


class Echo(NamedTuple):
    """`said` knows who sent it; `target` is folded, `text` '' for a TAGMSG."""

    said: Asked
    command: str
    target: str
    text: str


class Echoes:
    """What was sent, oldest first: a network says it back in this order."""

    def __init__(self) -> None:
        self._awaited: deque[Echo] = deque(maxlen=MAX_ECHOES)

    def expect(self, said: Asked, command: str, target: str, text: str) -> None:
        self._awaited.append(Echo(said, command, target, text))

    def heard(
        self, command: str, target: str, text: str = "", said: Asked | None = None
    ) -> Asked | None:
        """Who sent what now comes back; None where nobody here did. `said` is known by its label:
        then its words may have been changed on the way."""
        for echo in self._awaited:
            same = (echo.command, echo.target, echo.text) == (command, target, text)
            if echo.said is said or (said is None and same):
                self._awaited.remove(echo)
                return echo.said
        return said

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        awaited = [echo._replace(target=refold(echo.target)) for echo in self._awaited]
        self._awaited = deque(awaited, maxlen=MAX_ECHOES)

    def clear(self) -> None:
        self._awaited.clear()
