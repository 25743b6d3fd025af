"""Who has dialled and not proved to be the bouncer yet: so many and no more. Pure.

A TLS handshake costs a thousand times what it costs to ask for one, and a link a place. Only the
bouncer has business here, so all others together may take little, and nothing of what is kept for
it: the address that its heartbeats come from, which nobody can borrow for a TCP connection.
"""

from __future__ import annotations

from collections import Counter

from bouncer.connections.bucket import Bucket
from bouncer.login.throttle import source_of

AT_ONCE = 16  # handshakes, and links without a proof
PER_SOURCE = 4  # of them from one address, or IPv6 /64; so many more are the bouncer's own
A_SECOND, AT_FIRST = 5.0, 20  # handshakes begun: each takes a millisecond of the watch's own loop
TELL_EVERY_S = 60.0


class Guests:
    """`admit` and `release` by the address of the other end."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()  # by reason
        self._here: Counter[str] = Counter()
        self._expected = ""
        self._bucket = Bucket(A_SECOND, AT_FIRST)
        self._told_at = float("-inf")
        self._untold = 0

    def expect(self, host: str) -> None:
        """The bouncer is at this address: an authenticated, fresh datagram came from there."""
        self._expected = _source(host)

    def admit(self, host: str, now: float) -> bool:
        """Whether one more may begin a handshake; then it is to be released."""
        source = _source(host)
        if why := self._too_many(source, now):
            self.refused[why] += 1
            self._untold += 1
            return False
        self._here[source] += 1
        return True

    def release(self, host: str) -> None:
        """Its proof has come, or its end."""
        source = _source(host)
        self._here[source] -= 1
        if self._here[source] <= 0:
            del self._here[source]

    def news(self, now: float) -> int:
        """How many were refused since this was told last; 0 when it is not to be told yet."""
        if not self._untold or now < self._told_at + TELL_EVERY_S:
            return 0
        untold, self._untold, self._told_at = self._untold, 0, now
        return untold

    def _too_many(self, source: str, now: float) -> str:
        if self._here[source] >= PER_SOURCE:
            return "from one address"
        if source == self._expected:
            return ""
        if self._here.total() - self._here[self._expected] >= AT_ONCE:
            return "at once"
        return "" if self._bucket.spend(1, now) else "a second"


def _source(host: str) -> str:
    return source_of(host) or host
