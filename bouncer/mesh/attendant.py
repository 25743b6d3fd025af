"""One voter's address and link, kept for as long as the voter is on the roster.

The link carries a heartbeat every five seconds and the roster whenever it is new; notices and
orders by it and by UDP, for a firewall may let but one through. It is dialled again for ever; a
voter that has just come up does not wait for its turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
import trio

from bouncer.connections import supervise
from bouncer.mesh.datagrams import look_up
from bouncer.mesh.heartbeat import DatagramFault, Kind
from bouncer.mesh.link import FrameType, Link, LinkFault, dial_voter
from bouncer.mesh.peers import Heard, Peers
from bouncer.mesh.voters import LINK_BEAT_S, Tracked, split_address

AGAIN_S = 5.0  # an address that was not found
FAREWELL_S = 2.0  # from the last roster to the end of the link
LONGEST_S = 60.0  # between two dials
LONGEST_LEAVING_S = 20.0  # of one that was removed: it would announce alone after 60 s
LINK_PROOF_S = 30.0  # from the handshake to the voter's first fresh datagram
RESOLVE_S = 60.0  # a voter given by name is looked up this often; the last good answer is kept

log = structlog.get_logger("beacon")


class Says(Protocol):
    """What goes over a link."""

    def datagram(self, one: Tracked) -> bytes: ...

    def document(self, role: str) -> tuple[int, bytes] | None: ...


def open_datagram(peers: Peers, data: bytes) -> Heard | None:
    """What a peer said; None for what is from none of ours."""
    try:
        return peers.receive(data, trio.current_time())
    except DatagramFault:
        return None


class Attendant:
    """`take` gets what the voters answer over their links; `told` who has its last roster."""

    def __init__(
        self,
        peers: Peers,
        says: Says,
        take: Callable[[Heard], None],
        told: Callable[[Tracked], Awaitable[None]],
    ) -> None:
        self._told = told
        self._peers = peers
        self._says = says
        self._take = take

    async def attend(self, one: Tracked) -> None:
        """Keep the address and the link of one voter until it is removed."""
        with trio.CancelScope() as scope:
            one.scope = scope
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._resolve, one)
                nursery.start_soon(self._keep_link, one)

    async def _resolve(self, one: Tracked) -> None:
        host, port = split_address(one.voter.address)
        while True:
            try:
                one.ways.found(await look_up(host, port))
            except (OSError, UnicodeError) as error:
                log.info("voter's address not found", voter=one.voter.name, error=str(error))
                await trio.sleep(AGAIN_S)
                continue
            await trio.sleep(RESOLVE_S)

    async def _keep_link(self, one: Tracked) -> None:
        longest_s = LONGEST_LEAVING_S if one.leaves else LONGEST_S
        delays = supervise.backoff(longest_s=longest_s)
        host, port = split_address(one.voter.address)
        while True:
            try:
                link = await dial_voter(host, port, one.voter.public)
            except LinkFault as error:
                log.info("no link", voter=one.voter.name, error=str(error))
            else:
                delays = supervise.backoff(longest_s=longest_s)
                try:
                    await (self._say_farewell if one.leaves else self._use_link)(one, link)
                except* (LinkFault, trio.TooSlowError) as group:
                    log.info("link lost", voter=one.voter.name, error=str(group.exceptions[0]))
                finally:
                    one.link = None
                    with trio.CancelScope(shield=True):
                        await link.aclose()
            with trio.move_on_after(next(delays)):
                if one.proven.is_set():
                    await trio.sleep_forever()
                await one.proven.wait()  # it has just come up: do not let it wait for its roster

    async def _use_link(self, one: Tracked, link: Link) -> None:
        one.pushed = -1
        one.by_link.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_link, one, link)
            await link.send(FrameType.DATAGRAM, self._peers.seal(one.voter.name, Kind.HELLO))
            with trio.fail_after(LINK_PROOF_S):
                await one.proven.wait()
            while True:
                one.push = trio.Event()
                await link.send(FrameType.DATAGRAM, self._says.datagram(one))
                roster = self._says.document(one.voter.role)
                if roster is not None and one.pushed != roster[0]:
                    one.pushed = roster[0]
                    await link.send(FrameType.ROSTER, roster[1])
                while one.by_link:
                    await link.send(FrameType.DATAGRAM, one.by_link.popleft())
                one.link = link  # it stands once it has carried the roster
                with trio.move_on_after(LINK_BEAT_S):
                    await one.push.wait()

    async def _say_farewell(self, one: Tracked, link: Link) -> None:
        """To one that was removed: the roster without it, and without people."""
        one.proven = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_link, one, link)
            await link.send(FrameType.DATAGRAM, self._peers.greet(one.voter.name))
            with trio.fail_after(LINK_PROOF_S):
                await one.proven.wait()
            await link.send(FrameType.DATAGRAM, self._peers.seal(one.voter.name, Kind.HELLO))
            roster = self._says.document("witness")
            assert roster is not None  # it was removed from one
            await link.send(FrameType.ROSTER, roster[1])
            await trio.sleep(FAREWELL_S)
            nursery.cancel_scope.cancel()
        await self._told(one)

    async def _read_link(self, one: Tracked, link: Link) -> None:
        while True:
            frame = await link.receive()
            if frame.type is FrameType.DATAGRAM and (
                heard := open_datagram(self._peers, frame.content)
            ):
                if heard.reply:
                    await link.send(FrameType.DATAGRAM, heard.reply)
                if heard.peer == one.voter.name:
                    self._take(heard)
