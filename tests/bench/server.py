"""The benchmarks' IRC network: one epoll loop in its own process, fast enough to be no bottleneck.

It welcomes everybody, answers what bouncers ask, and says on order what the corpus holds, to every
connection at once (tags only where negotiated). Orders are JSON lines on stdin, each answered by
one JSON line on stdout; see `FakeNetwork` in `network.py`.
`python -m tests.bench.server MEMBERS [CERTIFICATE KEY]`
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.corpus import SPEAKERS, Corpus, Dialect, speaker
from tests.bench.secure import NOT_NOW, Pair

NAME = "bench.example.net"
CAPS = (
    "server-time message-tags account-tag batch multi-prefix userhost-in-names extended-join "
    "away-notify account-notify chghost cap-notify"
)
SEND_OCTETS = 1 << 18
RECEIVE_OCTETS = 1 << 16
LISTEN_BACKLOG = 4096


class Peer:
    """One connection of a bouncer."""

    __slots__ = (
        "caps",
        "channels",
        "inbox",
        "negotiating",
        "nick",
        "out",
        "registered",
        "sock",
        "stuck",
        "user",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = b""
        self.out: list[memoryview] = []  # holds one flood at most: orders wait for each other
        self.nick = self.user = ""
        self.caps: set[str] = set()
        self.channels: set[str] = set()
        self.negotiating = self.registered = self.stuck = False


class Pace:
    """A flood in progress at a set rate."""

    def __init__(self, order: dict[str, Any], now: float) -> None:
        self.rate = float(order["rate"])
        self.lines = int(order["lines"])
        self.stamp_every = int(order.get("stamp_every", 0))
        self.channels = [name.encode() for name in order["channels"]]
        self.nicks = frozenset(order["nicks"])
        self.began = now
        self.sent = 0

    def due(self, now: float) -> int:
        return min(self.lines, int((now - self.began) * self.rate) + 1) - self.sent

    def wait_s(self, now: float) -> float:
        return max(0.0, self.began + self.sent / self.rate - now)


class Server:
    def __init__(self, members: int, pair: Pair | None) -> None:
        self.members = min(members, SPEAKERS)
        self.session = os.urandom(4).hex()
        self.corpus = Corpus(self.session)
        self.tls = pair.context() if pair else None
        self.epoll = select.epoll()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=LISTEN_BACKLOG)
        self.listener.setblocking(False)
        self.epoll.register(self.listener, select.EPOLLIN)
        self.epoll.register(sys.stdin, select.EPOLLIN)
        os.set_blocking(sys.stdin.fileno(), False)
        self.peers: dict[int, Peer] = {}
        self.orders = b""
        self.pace: Pace | None = None
        self.blast_began = 0.0
        self.blasting = False
        self.awaited: int | None = None
        self.joined = 0  # pairs of connection and channel
        self.joined_at = 0.0
        self.running = True

    def run(self) -> None:
        self.tell("start", port=self.listener.getsockname()[1], session=self.session)
        while self.running:
            timeout = self.pace.wait_s(time.monotonic()) if self.pace else None
            for fd, event in self.epoll.poll(timeout):
                if fd == self.listener.fileno():
                    self.accept()
                elif fd == sys.stdin.fileno():
                    self.read_orders()
                elif peer := self.peers.get(fd):
                    self.serve(peer, event)
            if self.pace:
                self.say_due(self.pace)
            if self.blasting and not any(peer.out for peer in self.peers.values()):
                self.blasting = False
                self.tell("blast", began=self.blast_began, ended=time.monotonic())
            if self.awaited is not None and self.joined >= self.awaited:
                self.awaited = None
                self.tell("await", joined=self.joined, at=self.joined_at)

    # orders

    def tell(self, order: str, **answer: object) -> None:
        print(json.dumps({"to": order, **answer}), flush=True)

    def read_orders(self) -> None:
        data = os.read(sys.stdin.fileno(), RECEIVE_OCTETS)
        if not data:
            self.running = False  # the harness is gone
            return
        *lines, self.orders = (self.orders + data).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))

    def obey(self, order: dict[str, Any]) -> None:
        now = time.monotonic()
        match order["do"]:
            case "await":
                self.awaited = int(order["joined"])
            case "blast":
                self.blast(order)
            case "pace":
                self.pace = Pace(order, now)
            case "halt":
                self.halt("halt", now)
            case "count":
                registered = sum(peer.registered for peer in self.peers.values())
                self.tell(
                    "count",
                    joined=self.joined,
                    registered=registered,
                    next=self.corpus.next_number,
                )

    def halt(self, order: str, now: float) -> None:
        began, sent = (self.pace.began, self.pace.sent) if self.pace else (now, 0)
        self.pace = None
        self.tell(order, began=began, ended=now, sent=sent)

    def hearers(self, nicks: frozenset[str]) -> list[Peer]:
        """Whom a flood is for: those nicks, or everybody."""
        return [
            peer
            for peer in self.peers.values()
            if peer.registered and (not nicks or peer.nick in nicks)
        ]

    def blast(self, order: dict[str, Any]) -> None:
        """Everything at once, as fast as each connection takes it; made before the clock starts."""
        peers = self.hearers(frozenset(order["nicks"]))
        channels = [name.encode() for name in order["channels"]]
        dialects = [Dialect.of(peer.caps) for peer in peers]
        said = self.corpus.lines(int(order["lines"]), channels, dialects, _now_ms())
        self.blast_began = time.monotonic()
        self.blasting = True
        for peer, dialect in zip(peers, dialects, strict=True):
            self.send(peer, said[dialect])

    def say_due(self, pace: Pace) -> None:
        """The lines that are due now: each the moment it is due, several only when behind."""
        now = time.monotonic()
        due = pace.due(now)
        if due <= 0:
            return
        peers = self.hearers(pace.nicks)
        dialects = [Dialect.of(peer.caps) for peer in peers]
        for _ in range(due):
            if pace.stamp_every and pace.sent % pace.stamp_every == 0:
                channel = pace.channels[pace.sent % len(pace.channels)]
                said = self.corpus.stamped(channel, dialects, _now_ms(), time.monotonic_ns())
            else:
                said = self.corpus.lines(1, pace.channels, dialects, _now_ms())
            for peer, dialect in zip(peers, dialects, strict=True):
                self.send(peer, said[dialect])
            pace.sent += 1
        if pace.sent >= pace.lines:
            self.halt("pace", time.monotonic())

    # connections

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:  # whose handshake comes with the first reads
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self.peers[sock.fileno()] = Peer(sock)
            self.epoll.register(sock, select.EPOLLIN)

    def drop(self, peer: Peer) -> None:
        fd = peer.sock.fileno()
        if self.peers.pop(fd, None):
            self.joined -= len(peer.channels)
            self.epoll.unregister(fd)
            peer.sock.close()

    def serve(self, peer: Peer, event: int) -> None:
        if event & (select.EPOLLHUP | select.EPOLLERR):
            self.drop(peer)
            return
        if event & select.EPOLLOUT:
            self.flush(peer)
        if event & select.EPOLLIN:
            try:
                data = peer.sock.recv(RECEIVE_OCTETS)
            except NOT_NOW:
                return
            except OSError:
                data = b""
            if not data:
                self.drop(peer)
                return
            *lines, peer.inbox = (peer.inbox + data).split(b"\n")
            answers: list[str] = []
            for line in lines:
                answers += self.answer(peer, line.decode("utf-8", "replace").rstrip("\r"))
            if answers:
                self.send(peer, "".join(f"{line}\r\n" for line in answers).encode())
            if answers and answers[-1].startswith("ERROR "):
                self.drop(peer)

    def send(self, peer: Peer, data: bytes) -> None:
        idle = not peer.out
        peer.out.append(memoryview(data))
        if idle:
            self.flush(peer)

    def flush(self, peer: Peer) -> None:
        """Send what the connection takes; the rest goes when it is writable again."""
        try:
            while peer.out:
                sent = peer.sock.send(peer.out[0][:SEND_OCTETS])
                if sent == len(peer.out[0]):
                    del peer.out[0]
                else:
                    peer.out[0] = peer.out[0][sent:]
        except NOT_NOW:
            pass
        except OSError:
            self.drop(peer)
            return
        if peer.stuck != bool(peer.out):
            peer.stuck = bool(peer.out)
            self.epoll.modify(peer.sock, select.EPOLLIN | (select.EPOLLOUT if peer.stuck else 0))

    # what bouncers say

    def answer(self, peer: Peer, line: str) -> list[str]:
        head, _, trailing = line.partition(" :")
        words = head.split()
        if not words:
            return []
        command = words[0].upper()
        params = [*words[1:], trailing] if trailing else words[1:]
        match command, params:
            case "CAP", ["LS", *_]:
                peer.negotiating = True
                return [f":{NAME} CAP * LS :{CAPS}"]
            case "CAP", ["REQ", wanted]:
                return [self.request(peer, wanted)]
            case "CAP", ["END", *_]:
                peer.negotiating = False
                return self.welcome(peer)
            case "NICK", [nick, *_]:
                old, peer.nick = peer.nick, nick
                return [f":{old} NICK {nick}"] if peer.registered else self.welcome(peer)
            case "USER", [user, *_]:
                peer.user = user
                return self.welcome(peer)
            case "PING", [token, *_]:
                return [f":{NAME} PONG {NAME} :{token}"]
            case "JOIN", [names, *_]:
                return [line for name in names.split(",") for line in self.join(peer, name)]
            case "WHO", [mask, *_]:
                return [f":{NAME} 315 {peer.nick} {mask} :End of /WHO list."]
            case "MODE", [name] if name.startswith("#"):
                return [f":{NAME} 324 {peer.nick} {name} +nt"]
            case "QUIT", _:
                return [f"ERROR :Closing Link: {peer.nick}"]
            case (
                ("CAP" | "PASS" | "MODE" | "PONG" | "PRIVMSG" | "NOTICE" | "AWAY" | "USERHOST"),
                _,
            ):
                return []
        return [f":{NAME} 421 {peer.nick or '*'} {command} :Unknown command"]

    def request(self, peer: Peer, wanted: str) -> str:
        names = set(wanted.split())
        if not names <= set(CAPS.split()):
            return f":{NAME} CAP * NAK :{wanted}"
        peer.caps |= names
        return f":{NAME} CAP * ACK :{wanted}"

    def welcome(self, peer: Peer) -> list[str]:
        if peer.registered or peer.negotiating or not (peer.nick and peer.user):
            return []
        peer.registered = True
        nick = peer.nick
        return [
            f":{NAME} 001 {nick} :Welcome to the benchmark, {nick}",
            f":{NAME} 002 {nick} :Your host is {NAME}",
            f":{NAME} 003 {nick} :This server was created just now",
            f":{NAME} 004 {nick} {NAME} bench-1 iow ntov",
            f":{NAME} 005 {nick} CASEMAPPING=rfc1459 CHANTYPES=# PREFIX=(ov)@+ "
            f"CHANMODES=b,k,l,imnpst NICKLEN=30 NETWORK=Bench :are supported by this server",
            f":{NAME} 422 {nick} :MOTD File is missing",
        ]

    def join(self, peer: Peer, name: str) -> list[str]:
        if name in peer.channels:
            return []
        peer.channels.add(name)
        self.joined += 1
        self.joined_at = time.monotonic()
        nick = peer.nick
        source = f"{nick}!{peer.user}@client.example.net"
        people = [speaker(index) for index in range(self.members - 1)]
        if "userhost-in-names" not in peer.caps:
            people = [person.partition("!")[0] for person in people]
        people.append(source if "userhost-in-names" in peer.caps else nick)
        extended = " * :bench" if "extended-join" in peer.caps else ""
        lines = [
            f":{source} JOIN {name}{extended}",
            f":{NAME} 332 {nick} {name} :What is said in {name}",
            f":{NAME} 333 {nick} {name} {speaker(0)} 1700000000",
        ]
        for start in range(0, len(people), 10):  # ten sources stay well under 512 octets
            some = " ".join(people[start : start + 10])
            lines.append(f":{NAME} 353 {nick} = {name} :{some}")
        return [*lines, f":{NAME} 366 {nick} {name} :End of /NAMES list."]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    members, *files = sys.argv[1:]
    Server(int(members), Pair(*map(Path, files)) if files else None).run()
