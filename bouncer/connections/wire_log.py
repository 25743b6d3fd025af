"""Lines in the log, for a while: what an administrator asks for who hunts a fault.

What people say, and what is secret, is left out (`bouncer.irc.masked`). It ends by itself, and
lines that come faster than a log should grow are counted instead.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
import trio

from bouncer.connections.bucket import Bucket
from bouncer.irc.masked import masked

LASTS_S = 600.0
LINES_PER_S, BURST_LINES = 100.0, 1_000

log = structlog.get_logger("wire")


class WireLog:
    """One per bouncer. Switched off it costs one comparison for each chunk."""

    def __init__(self) -> None:
        self.is_on = False
        self._until = 0.0
        self._user = ""
        self._bucket = Bucket(LINES_PER_S, BURST_LINES)
        self._left_out = 0

    def begin(self, user: str = "") -> None:
        """Log the lines of this user, or of everybody, for LASTS_S."""
        self.is_on, self._user = True, user
        self._until = trio.current_time() + LASTS_S

    def end(self) -> None:
        self.is_on = False
        self._tell_left_out()

    def note(self, user: str, at: str, way: str, lines: Iterable[str]) -> None:
        """Log lines of a connection: `at` names its far end, `way` is "in" or "out"."""
        now = trio.current_time()
        if now >= self._until:
            self.end()
        if not self.is_on or (self._user and user != self._user):
            return
        for line in lines:
            if self._bucket.take(1, now):
                self._tell_left_out()
                log.info("line", user=user, at=at, way=way, line=masked(line))
            else:
                self._left_out += 1

    def _tell_left_out(self) -> None:
        if self._left_out:
            log.info("lines not logged, they come too fast", lines=self._left_out)
            self._left_out = 0


class Tap:
    """One connection's way into the log."""

    def __init__(self, wire_log: WireLog, at: str, user: str = "") -> None:
        self.at = at
        self.user = user
        self._log = wire_log

    @property
    def is_open(self) -> bool:
        return self._log.is_on

    def note(self, way: str, lines: Iterable[str]) -> None:
        self._log.note(self.user, self.at, way, lines)


def closed_tap() -> Tap:
    """For a connection that nobody ever looks at."""
    return Tap(WireLog(), "")
