"""Which starts of the bouncer were heard: one that comes back after another is a second bouncer.

Both are believed, for both hold the key; so while the wrong one runs, an outage of the right one is
not seen. A copy of a data directory that was started elsewhere is how that happens.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_BOOTS = 16  # remembered; full: the oldest is forgotten
AGAIN_S = 3600.0
TWICE = "two bouncers run with one key: stop the one that is not the primary"


class Boots:
    """Hand in the boot of each fresh heartbeat."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last = ""
        self._told_at = float("-inf")

    def worry(self, boot: str, now: float) -> str:
        """What to tell ops, '' when all is well; at most once an hour."""
        back = boot != self._last and boot in self._seen
        self._last = boot
        self._seen[boot] = None
        while len(self._seen) > MAX_BOOTS:
            self._seen.popitem(last=False)
        if not back or now < self._told_at + AGAIN_S:
            return ""
        self._told_at = now
        return TWICE
