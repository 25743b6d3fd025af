"""By which of its addresses a peer is reached: all, until it is heard from one. Pure.

A name may have an address of a family that is broken on the way. So what is said goes to every
address at once, and a peer takes the copy that comes first; from where it was heard lately, there
alone it is spoken to. A way may lead in one direction alone: greetings go to all addresses always.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bouncer.mesh.datagrams import Where

HEARD_S = 5.0  # two greetings and more, or five acks, that were lost
MOST = 8  # addresses of one name; the rest is left out


class Ways:
    """One peer's; `now` in seconds of any clock that is always the same."""

    def __init__(self) -> None:
        self._heard_at: dict[Where, float] = {}

    def found(self, addresses: Iterable[Where]) -> None:
        """What its name stands for now."""
        known = list(dict.fromkeys(addresses))[:MOST]
        self._heard_at = {each: self._heard_at.get(each, float("-inf")) for each in known}

    def heard(self, where: Where, now: float) -> None:
        """Something fresh of it came from there. What is not its address is none by that: who
        stands in between may send a copy on."""
        if where in self._heard_at:
            self._heard_at[where] = now

    @property
    def all(self) -> list[Where]:
        """Every address, as for greetings."""
        return list(self._heard_at)

    def towards(self, now: float) -> list[Where]:
        """Where to send."""
        lately = [each for each, at in self._heard_at.items() if now < at + HEARD_S]
        return lately or self.all
