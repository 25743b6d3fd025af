"""When an agent tries a public network again. Pure.

Soon, for silence is the failure. But who comes back every two minutes while a network bans them, or
says that they come too often, is banned for longer.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random

from bouncer.connections.supervise import STABLE_S, THROTTLED_S, backoff
from bouncer.irc.registration.upstream import is_throttle

LONGEST_S = 120.0
BANNED_S, LONGEST_BANNED_S = 900.0, 3600.0


class Retries:
    """The pauses of one network."""

    def __init__(self, jitter: Callable[[], float] = random) -> None:
        self._jitter = jitter
        self._begin()

    def _begin(self) -> None:
        self._is_banned = False
        self._pauses = backoff(longest_s=LONGEST_S, jitter=self._jitter)
        self._banned = backoff(BANNED_S, LONGEST_BANNED_S, self._jitter)

    def after(self, why: str, held_s: float, *, banned: bool) -> tuple[float, float]:
        """After a connection of `held_s` that ended so: seconds to wait in any case, and so many
        more unless the network is needed now. A ban may be told once, and close the next tries
        without a word; so it stands until a connection has held."""
        if held_s > STABLE_S:
            self._begin()
        pause_s = next(self._pauses)
        self._is_banned |= banned
        if self._is_banned:
            return pause_s, next(self._banned)
        return max(pause_s, THROTTLED_S if is_throttle(why) else 0.0), 0.0
