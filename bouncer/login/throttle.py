"""How often somebody may fail before they have to wait. Time is an argument; memory is bounded."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MAX_KEYS = 10_000  # remembered at once; full: the one that was quiet for longest is forgotten


@dataclass(slots=True)
class _Allowance:
    tries: float
    at: float


class Throttle:
    """`per_min` tries at once and as many more each minute, for each key; 0 is no limit.

    A try is taken before its outcome is known and given back when it was right, so that many at
    the same moment count as many.
    """

    def __init__(self, per_min: int) -> None:
        self.per_min = per_min
        self._left: OrderedDict[Hashable, _Allowance] = OrderedDict()

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds until `key` may try again; 0 when it may now."""
        if not self.per_min:
            return 0.0
        left = self._refilled(key, now)
        return max(0.0, (1.0 - left) * 60.0 / self.per_min)

    def take(self, key: Hashable, now: float) -> None:
        if self.per_min:
            self._left[key] = _Allowance(self._refilled(key, now) - 1.0, now)
            self._left.move_to_end(key)
            while len(self._left) > MAX_KEYS:
                self._left.popitem(last=False)

    def give_back(self, key: Hashable) -> None:
        if (allowance := self._left.get(key)) is not None:
            allowance.tries += 1.0

    def _refilled(self, key: Hashable, now: float) -> float:
        allowance = self._left.get(key)
        if allowance is None:
            return float(self.per_min)
        gained = (now - allowance.at) * self.per_min / 60.0
        return min(float(self.per_min), allowance.tries + gained)


def source_of(peer: str) -> str | None:
    """What a peer's address counts as: an IPv4 address, the /64 of an IPv6 one; None for this
    machine (loopback and unix sockets), which is never throttled."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            # One host usually has a whole /64 to try from.
            network = ipaddress.ip_network((address, 64), strict=False)
            return None if address.is_loopback else str(network)
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)
