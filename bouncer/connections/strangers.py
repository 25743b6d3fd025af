"""Who has connected and not logged in yet: so many and no more, or whoever opens connections and
says nothing takes all that the system lets us open. Pure; time is an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PER_SOURCE = 512  # at once, from one address or IPv6 /64: a team behind one comes back together
STRANGERS = 8_192  # where nothing else is said
TELL_EVERY_S = 60.0


class TooMany(Exception):
    """One more is not let in. `is_news` where the log has not told for a while."""

    def __init__(self, is_news: bool) -> None:
        super().__init__("too many connections wait to log in")
        self.is_news = is_news


class Strangers:
    """`most` may be there at once, PER_SOURCE of them from one source."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._here: Counter[str | None] = Counter()
        self._told_at = float("-inf")

    @contextmanager
    def admitted(self, source: str | None, now: float) -> Iterator[Callable[[], None]]:
        """One more from `source`, for as long as this lasts, or until what it yields is called: it
        has logged in. None is this machine, of which only all together count. Raises TooMany."""
        crowded = source is not None and self._here[source] >= PER_SOURCE
        if crowded or self._here.total() >= self._most:
            is_news = now >= self._told_at + TELL_EVERY_S
            self._told_at = now if is_news else self._told_at
            raise TooMany(is_news)
        one = Counter([source])
        self._here += one

        def is_known() -> None:
            self._here -= one
            one.clear()

        try:
            yield is_known
        finally:
            is_known()
