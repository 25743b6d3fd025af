"""The voter's end of the mesh: one port, UDP and TCP, open to the bouncer and the other voters.

Whatever arrives is checked by tag before it is read; only what is fresh is handed on. On the TCP
side only the bouncer has something to say: its link carries heartbeats and the roster.
"""

from __future__ import annotations

import os
import ssl
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
import trio

from bouncer.config import Address
from bouncer.mesh import sieve
from bouncer.mesh.datagrams import Port, Where, look_up, open_ports, send_by
from bouncer.mesh.heartbeat import NO_NONCE, NONCE_OCTETS, DatagramFault, Kind
from bouncer.mesh.keys import MeshKey, PublicKey
from bouncer.mesh.link import HANDSHAKE_S, FrameType, Link, LinkFault, server_context
from bouncer.mesh.peers import Heard, Peers
from bouncer.mesh.roster import Dismissed, Voter
from bouncer.mesh.voters import split_address
from bouncer.mesh.ways import Ways
from fallback.mesh.guests import Guests

PRIMARY = "@primary"  # the bouncer among the peers: no voter can be called so
MAX_LINKS = 8  # of the bouncer, open at once; a new one closes the oldest
PROOF_S = 10.0  # from the handshake to the bouncer's first fresh datagram
IDLE_S = 60.0  # a link this silent is gone: the bouncer beats every 5 s on it
KEEP_ALIVE_S = 2.0  # voters greet each other, so that nonces are known before they are needed
RESOLVE_S = 60.0

log = structlog.get_logger("mesh")


class Mesh:
    """Peers by name, their addresses, the port. Hand in what takes fresh datagrams and rosters.

    `heard(datagram, where)` and `roster(document)` must not wait.
    """

    def __init__(
        self,
        key: MeshKey,
        primary_key: PublicKey,
        listen: Address,
        *,
        heard: Callable[[Heard, Where | None], None],
        roster: Callable[[bytes], None],
    ) -> None:
        self._key = key
        self._primary_key = primary_key
        self._listen = listen
        self._heard = heard
        self._roster = roster
        self.peers = Peers(key, lambda: os.urandom(NONCE_OCTETS))
        self.peers.replace({PRIMARY: primary_key})
        self._voters: dict[str, Voter] = {}
        self._ways: dict[str, Ways] = {}
        self._ports: list[Port] = []
        self._nursery: trio.Nursery | None = None  # while it runs
        self._links: dict[Link, None] = {}  # over which the bouncer has proved itself, in order
        self.guests = Guests()
        self._changed = trio.Event()
        self.greeting: Callable[[], bytes] = bytes  # the body of our HELLOs
        self.heard_at: dict[str, float] = {}  # trio time of the last fresh datagram
        self.refused: Counter[str] = Counter()
        self._sieve = sieve.Sieve()
        self.port = 0

    def know(self, voters: Sequence[Voter], me: str, gone: Sequence[Dismissed] = ()) -> None:
        """The voters of the roster; whoever is missing is a stranger from now on.

        `gone` are strangers that may not know it: what they say is answered by the bouncer's word.
        """
        others = {voter.name: voter for voter in voters if voter.name != me}
        self._voters = others
        self._ways = {name: self._ways.get(name) or Ways() for name in others}
        self.peers.replace(
            {PRIMARY: self._primary_key} | {name: one.public for name, one in others.items()},
            {one.public: one.signed for one in gone},
        )
        self._changed.set()

    @property
    def others(self) -> list[str]:
        return list(self._voters)

    @property
    def flooded(self) -> bool:
        """Whether so much is refused that the kernel drops most of it."""
        return self._sieve.closed

    @property
    def linked(self) -> bool:
        return bool(self._links)

    def send(self, name: str, kind: Kind, body: bytes = b"") -> None:
        """Send to one voter, if its address is known. Never waits; may be lost."""
        ways = self._ways.get(name)
        if ways is not None and name in self.peers.names:
            greets = kind is Kind.HELLO
            data = self.peers.seal(name, kind, body)
            for where in ways.all if greets else ways.towards(trio.current_time()):
                send_by(self._ports, data, where)

    def answer(self, name: str, kind: Kind, body: bytes, where: Where | None, brought: int) -> None:
        """Answer a datagram whose body had `brought` octets; nothing goes out that is longer.

        What came by the bouncer's link (`where` is None) is answered there, at any length.
        """
        if where is None:
            if self._nursery is not None:
                self._nursery.start_soon(self._answer_link, kind, body)
        elif name in self.peers.names and len(body) <= brought:
            send_by(self._ports, self.peers.seal(name, kind, body), where)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled. Raises OSError when the port cannot be had."""
        self._ports = open_ports(self._listen.host, self._listen.port)
        self.port = self._ports[0].number
        try:
            listeners = await self._listeners(self.port)
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for port in self._ports:
                    nursery.start_soon(self._read, port)
                for listener in listeners:
                    nursery.start_soon(self._accept, listener)
                nursery.start_soon(self._greet)
                nursery.start_soon(self._watch_flood)
                nursery.start_soon(self._resolve)
                task_status.started()
        finally:
            for port in self._ports:
                port.close()
            self._ports = []
            self._nursery = None

    # -- UDP --------------------------------------------------------------------------------------

    async def _read(self, port: Port) -> None:
        async for batch in port.batches():
            now = trio.current_time()
            for data, where in batch:
                heard = self._open(data, now)
                if heard is None:
                    continue
                if heard.reply and len(heard.reply) <= len(data):
                    port.send(heard.reply, where)
                if heard.fresh:
                    if heard.peer == PRIMARY:
                        self.guests.expect(where[0])
                    elif heard.peer in self._ways:
                        self._ways[heard.peer].heard(where, now)
                    self._heard(heard, where)

    def _open(self, data: bytes, now: float) -> Heard | None:
        try:
            heard = self.peers.receive(data, now)
        except DatagramFault as fault:
            self._refuse(str(fault), now)
            return None
        if heard.fresh:
            self.heard_at[heard.peer] = now
        else:
            self._refuse("a copy" if heard.copy else "not fresh", now)
        return heard

    def _refuse(self, why: str, now: float) -> None:
        self.refused[why] += 1
        if self._sieve.refused(now):
            log.warning("a flood on the mesh port; most of it is dropped unread", last=why)
            self._sift()

    def _sift(self) -> None:
        wanted = sieve.program(self.peers.nonce) if self._sieve.closed else None
        for port in self._ports:
            port.sift(wanted)

    async def _watch_flood(self) -> None:
        """Lift the filter after the flood; our nonce may be another meanwhile."""
        while True:
            await trio.sleep(sieve.LOOK_S)
            if self._sieve.look(trio.current_time()):
                log.info("the flood on the mesh port is over")
                self._sift()
            elif self._sieve.closed:
                self._sift()

    async def _greet(self) -> None:
        while True:
            for name in self._voters:
                self.send(name, Kind.HELLO, self.greeting())
            await trio.sleep(KEEP_ALIVE_S)

    async def _resolve(self) -> None:
        """Find the voters' addresses; the last good answer is kept."""
        while True:
            self._changed = trio.Event()
            for name, voter in list(self._voters.items()):
                host, port = split_address(voter.address)
                try:
                    found = await look_up(host, port)
                except (OSError, UnicodeError) as error:
                    log.info("voter's address not found", voter=name, error=str(error))
                    continue
                if name in self._ways:
                    self._ways[name].found(found)
            with trio.move_on_after(RESOLVE_S):
                await self._changed.wait()

    # -- TCP --------------------------------------------------------------------------------------

    async def _listeners(self, port: int) -> list[trio.SocketListener]:
        host = None if self._listen.host in ("", "*", "::") else self._listen.host
        return list(await trio.open_tcp_listeners(port, host=host))

    async def _accept(self, listener: trio.SocketListener) -> None:
        context = server_context(self._key)
        async with listener, trio.open_nursery() as nursery:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:  # out of descriptors, for one
                    log.warning("accept failed", error=str(error))
                    await trio.sleep(1)
                    continue
                nursery.start_soon(self._serve, stream, context)

    async def _serve(self, tcp: trio.SocketStream, context: ssl.SSLContext) -> None:
        host, now = _host_of(tcp), trio.current_time()
        if not self.guests.admit(host, now):
            if refused := self.guests.news(now):
                log.warning(
                    "links refused: too many dial the mesh port", refused=refused, last=host
                )
            await trio.aclose_forcefully(tcp)
            return
        stream = trio.SSLStream(tcp, context, server_side=True)
        link = Link(stream)
        try:
            with trio.fail_after(HANDSHAKE_S):
                await stream.do_handshake()
            with trio.fail_after(PROOF_S):
                await self._prove(link)
            self.guests.release(host)
            host = ""
            await self._read_link(link)
        except (LinkFault, OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError):
            pass  # the bouncer dials again; strangers are nobody's business
        except trio.ClosedResourceError:
            pass  # closed below, for a newer one
        finally:
            if host:
                self.guests.release(host)
            self._links.pop(link, None)
            with trio.CancelScope(shield=True):
                await link.aclose()

    async def _prove(self, link: Link) -> None:
        """Until the bouncer's first fresh datagram. Raises LinkFault."""
        while not await self._take_frame(link):
            pass
        if len(self._links) >= MAX_LINKS:
            await next(iter(self._links)).aclose()
        self._links[link] = None

    async def _read_link(self, link: Link) -> None:
        while True:
            with trio.fail_after(IDLE_S):
                await self._take_frame(link)

    async def _take_frame(self, link: Link) -> bool:
        """Whether it was a fresh datagram of the bouncer. Raises LinkFault."""
        frame = await link.receive()
        if frame.type is FrameType.ROSTER:
            if link not in self._links:
                raise LinkFault("a roster before the proof of its sender")
            self._roster(frame.content)
            return False
        heard = self._open(frame.content, trio.current_time())
        if heard is None or heard.peer != PRIMARY:
            raise LinkFault("only the bouncer has a link")
        if heard.reply:
            await link.send(FrameType.DATAGRAM, heard.reply)
        if heard.fresh:
            self._heard(heard, None)
        return heard.fresh

    async def _answer_link(self, kind: Kind, body: bytes) -> None:
        """Say something to the bouncer over its link, if one stands."""
        for link in list(self._links):
            if self.peers.nonce_of(PRIMARY) != NO_NONCE:
                try:
                    await link.send(FrameType.DATAGRAM, self.peers.seal(PRIMARY, kind, body))
                except LinkFault:
                    continue


def _host_of(tcp: trio.SocketStream) -> str:
    try:
        return str(tcp.socket.getpeername()[0])
    except OSError:  # it has gone already
        return "gone"
