"""Whose private lines are read: so many of each host, and of all together. Pure.

A limit of all alone would let a few that flood keep everybody else from being heard.
"""

from __future__ import annotations

from collections import OrderedDict

from bouncer.connections.bucket import Bucket

PER_SOURCE_S, SOURCE_BURST = 1.0, 10  # a person types slower; more are dropped unread
ALL_PER_S, ALL_BURST = 200.0, 400
MAX_SOURCES = 4096  # full: whoever was not heard of longest begins anew


class Turns:
    """One network's."""

    def __init__(self) -> None:
        self._all = Bucket(ALL_PER_S, ALL_BURST)
        self._sources: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, source: str, now: float) -> bool:
        """Whether one more line of this host is read."""
        own = self._sources.setdefault(source, Bucket(PER_SOURCE_S, SOURCE_BURST))
        self._sources.move_to_end(source)
        while len(self._sources) > MAX_SOURCES:
            self._sources.popitem(last=False)
        return bool(own.take(1, now) and self._all.take(1, now))
