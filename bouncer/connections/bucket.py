"""How many lines may go when. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` lines a second after a burst of `burst`; rate 0 is no limit."""

    rate: float
    burst: int
    _tokens: float = 0.0
    _at: float | None = None

    def take(self, wanted: int, now: float) -> int:
        """How many of `wanted` lines may go now; they are taken."""
        if self.rate <= 0:
            return wanted
        self._fill(now)
        given = min(wanted, max(0, int(self._tokens)))
        self._tokens -= given
        return given

    def spend(self, cost: float, now: float) -> bool:
        """Take all of `cost` lines or none; of more than the burst the rest is owed."""
        if self.rate <= 0:
            return True
        self._fill(now)
        if self._tokens < min(cost, self.burst):
            return False
        self._tokens -= cost
        return True

    def wait_s(self, cost: float = 1.0) -> float:
        """Seconds until so much may go."""
        if self.rate <= 0:
            return 0.0
        return max(0.0, (min(cost, self.burst) - self._tokens) / self.rate)

    def _fill(self, now: float) -> None:
        if self._at is None:
            self._tokens = float(self.burst)
        else:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
