"""What is said again until it need not be: datagrams get lost.

An open incident to the other agents, closings until every voter has acked, burned codes and
orders until each agent has received them. Each second at first, later twice a minute: a voter that
was away for hours is told then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from bouncer.mesh.heartbeat import Kind
from fallback.mesh.port import Mesh

EVERY_S = 1.0
OFTEN_S = 60.0  # each second for so long
SELDOM = 30  # rounds between two, later
KEEP_S = 600.0  # a claim or order is of no use to a peer that was away longer
MAX_WAITING = 1000  # (peer, id) pairs; full: the oldest is given up

Body = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Waiting:
    kind: Kind
    body: Body
    since: float
    about: str


@dataclass
class Repeating:
    """Bodies are made anew each time, since ages stand in them."""

    mesh: Mesh
    always: Callable[[], None]  # what is due each second as long as it is so
    _waiting: dict[tuple[str, str], _Waiting] = field(default_factory=dict)
    _rounds: int = 0

    def until_received(
        self, peers: list[str], id: str, kind: Kind, body: Body, *, about: str = ""
    ) -> None:
        """Say it to each of these now and again, until each has answered RECEIVED `id`. What was to
        be said `about` the same before is said no more: arriving later, it would pass for newer."""
        for peer in peers:
            for old in [key for key, one in self._waiting.items() if about and one.about == about]:
                if old[0] == peer:
                    del self._waiting[old]
            if len(self._waiting) >= MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[peer, id] = _Waiting(kind, body, trio.current_time(), about)
            self.mesh.send(peer, kind, body())

    def received(self, peer: str, id: str) -> None:
        self._waiting.pop((peer, id), None)

    async def run(self) -> None:
        while True:
            await trio.sleep(EVERY_S)
            self._rounds += 1
            self.always()
            now = trio.current_time()
            for (peer, id), one in list(self._waiting.items()):
                # Who never hears of a closing would open or adopt what is over.
                useless = one.kind is not Kind.CLOSED and now > one.since + KEEP_S
                if useless or peer not in self.mesh.others:
                    del self._waiting[peer, id]
                elif now <= one.since + OFTEN_S or self._rounds % SELDOM == 0:
                    self.mesh.send(peer, one.kind, one.body())
