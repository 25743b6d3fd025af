"""What is said again each second until it need not be: datagrams get lost.

An open incident to the other agents, closings until every voter has acked, burned codes and
orders until each agent has received them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from bouncer.heartbeat import Kind
from fallback.mesh import Mesh

EVERY_S = 1.0
KEEP_S = 600.0  # a peer that was away longer learns it by asking for what is over
MAX_WAITING = 1000  # (peer, id) pairs; full: the oldest is given up

Body = Callable[[], bytes]


@dataclass
class Repeating:
    """Bodies are made anew each time, since ages stand in them."""

    mesh: Mesh
    always: Callable[[], None]  # what is due each second as long as it is so
    _waiting: dict[tuple[str, str], tuple[Kind, Body, float]] = field(default_factory=dict)

    def until_received(self, peers: list[str], id: str, kind: Kind, body: Body) -> None:
        """Say it to each of these now and again, until each has answered RECEIVED `id`."""
        until = trio.current_time() + KEEP_S
        for peer in peers:
            if len(self._waiting) >= MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[peer, id] = (kind, body, until)
            self.mesh.send(peer, kind, body())

    def received(self, peer: str, id: str) -> None:
        self._waiting.pop((peer, id), None)

    async def run(self) -> None:
        while True:
            await trio.sleep(EVERY_S)
            self.always()
            now = trio.current_time()
            for (peer, id), (kind, body, until) in list(self._waiting.items()):
                if now > until or peer not in self.mesh.others:
                    del self._waiting[peer, id]
                else:
                    self.mesh.send(peer, kind, body())
