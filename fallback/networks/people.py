"""Whom we can follow on one public network: a number per connection, through NICK and QUIT. Pure.

A nick is never proof: a nick that comes back on another connection gets another number. Somebody
who shares no channel with us is followed by nick and host only, as nothing tells us of their QUIT.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field

from bouncer.irc.state import NetworkState
from bouncer.mesh.roster import Member
from fallback.claims import Connection, Gone, Proof

MAX_PEOPLE = 4096  # followed at once; full: whoever was not heard of longest is forgotten
_SPLIT = re.compile(r"[\w.-]+\.\w+ [\w.-]+\.\w+")  # "hub.example leaf.example": RFC 1459, 4.1.6


@dataclass(frozen=True, slots=True)
class Person:
    """Who is behind a connection, as far as it is proved."""

    member: Member
    proof: Proof
    connection: Connection
    recalled: bool = False  # by their voice in the room, after we were away


@dataclass
class People:
    """The connections of one network. All nicks given and taken are as the network writes them."""

    network: str
    state: NetworkState
    last: int = 0  # the number given last
    # Folded nick -> number, host, and whether we shared a channel when we heard of them last.
    _numbers: OrderedDict[str, tuple[int, str, bool]] = field(default_factory=OrderedDict)

    def meet(self, source: str, *, shares: bool) -> tuple[Connection, Connection | None]:
        """The connection behind a source `nick!user@host`, and one that is thereby lost.

        `shares`: whether we share a channel, so that their NICK and QUIT reach us. Who comes into
        one under a known nick, but from another host, is somebody else: no QUIT was told before.
        """
        nick, _, host = source.partition("!")
        folded_nick = self.state.fold(nick)
        known = self._numbers.get(folded_nick)
        lost = None
        if known is not None:
            number, seen_host, shared = known
            if (shares and shared) or not host or not seen_host or host == seen_host:
                self._numbers[folded_nick] = (number, host or seen_host, shares)
                self._numbers.move_to_end(folded_nick)
                return Connection(self.network, number), None
            lost = Connection(self.network, number)
        self.last += 1
        self._numbers[folded_nick] = (self.last, host, shares)
        self._numbers.move_to_end(folded_nick)
        while len(self._numbers) > MAX_PEOPLE:
            self._numbers.popitem(last=False)
        return Connection(self.network, self.last), lost

    def known(self, nick: str) -> Connection | None:
        """The connection that holds a nick now, if we have met it."""
        found = self._numbers.get(self.state.fold(nick))
        return Connection(self.network, found[0]) if found else None

    def renamed(self, old: str, new: str) -> tuple[Connection | None, Connection | None]:
        """NICK seen: the number goes with the person. Also one that is thereby lost: a server gives
        a nick to one at a time, so whoever had this one is gone."""
        found = self._numbers.pop(self.state.fold(old), None)
        lost = self.gone(new)
        if found is None:
            return None, lost
        self._numbers[self.state.fold(new)] = found
        return Connection(self.network, found[0]), lost

    def host(self, nick: str) -> str:
        """Where the holder of a nick comes from, without their user name; '' for a stranger."""
        found = self._numbers.get(self.state.fold(nick))
        return found[1].rpartition("@")[2] if found else ""

    def gone(self, nick: str) -> Connection | None:
        """This connection can no longer be followed."""
        found = self._numbers.pop(self.state.fold(nick), None)
        return Connection(self.network, found[0]) if found else None

    def moved_host(self, nick: str, host: str) -> None:
        """CHGHOST seen: the same connection under another host."""
        found = self._numbers.get(self.state.fold(nick))
        if found is not None:
            self._numbers[self.state.fold(nick)] = (found[0], host, found[2])

    def clear(self, state: NetworkState) -> None:
        """We were disconnected: nobody could be followed meanwhile. Numbers go on."""
        self._numbers.clear()
        self.state = state


def why_gone(reason: str) -> Gone:
    """A QUIT's reason: a split names two servers."""
    return Gone.SPLIT if _SPLIT.fullmatch(reason) else Gone.QUIT
