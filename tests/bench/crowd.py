"""The measuring clients: many of them in one epoll loop, in the harness's own process.

While a flood runs they do next to nothing per line: octets are searched, not parsed.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.bench.corpus import NUMBER, STAMP
from tests.bench.secure import NOT_NOW

WANTED = ("server-time", "message-tags", "account-tag")
RECEIVE_OCTETS = 1 << 18


class Login(NamedTuple):
    """How one client logs in: by PASS `user/network:password` and USER."""

    user: str  # as the bouncer wants it, with network and client name
    password: str
    nick: str


class NotServed(RuntimeError):
    """Clients did not get what they should in time. Its text says how much is missing."""


@dataclass(slots=True)
class Member:
    """One client."""

    login: Login
    sock: socket.socket
    began: float
    rest: bytes = b""  # the beginning of a line whose end has not come
    caps: set[str] = field(default_factory=set)
    channels: int = 0  # how many channels' names are complete (366)
    welcomed: bool = False
    complete_at: float = 0.0
    lines: int = 0
    refused: str = ""


@dataclass(slots=True)
class Tally:
    """What a crowd received."""

    lines: int = 0
    last_at: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # what the first member was shown, in order


class Crowd:
    """Clients of one bouncer. Use as a context: they are gone at its end."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._epoll = select.epoll()
        self._members: dict[int, Member] = {}

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._epoll.close()

    def leave(self) -> None:
        """Everybody goes, politely."""
        for member in self._members.values():
            self._epoll.unregister(member.sock)
            try:
                member.sock.send(b"QUIT :done\r\n")
                member.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is gone already
            member.sock.close()
        self._members.clear()

    def attach(
        self, logins: Sequence[Login], channels: int, timeout_s: float = 60.0
    ) -> list[float]:
        """Connect all and wait until each has the state of so many channels.

        Returns each one's seconds from connect to its last 366. Raises NotServed.
        """
        new = [self._greet(login) for login in logins]
        deadline = time.monotonic() + timeout_s
        while any(not self._complete(member, channels) for member in new):
            ready = self._epoll.poll(max(0.0, deadline - time.monotonic()))
            if not ready:
                missing = [member for member in new if not self._complete(member, channels)]
                raise NotServed(
                    f"{len(missing)} of {len(new)} clients lack state after {timeout_s:.0f} s; "
                    f"the first: welcomed {missing[0].welcomed}, channels {missing[0].channels}, "
                    f"last words {missing[0].refused!r}"
                )
            for fd, _ in ready:
                self._read_lines(self._members[fd])
        return [member.complete_at - member.began for member in new]

    def say(self, line: str) -> None:
        """Every client sends one line."""
        for member in self._members.values():
            member.sock.send(line.encode() + b"\r\n")

    def receive(
        self,
        each: int,
        timeout_s: float = 120.0,
        keep_numbers: bool = True,
        nicks: Collection[str] = (),
    ) -> Tally:
        """Read until every client was shown so many of the corpus' lines. Raises NotServed.

        With `nicks`, until those were; the others read as well.
        """
        tally = Tally()
        kept: list[bytes] = []
        first = next(iter(self._members))
        awaited = set()
        for fd, member in self._members.items():
            member.lines = 0
            if not nicks or member.login.nick in nicks:
                awaited.add(fd)
        left = len(awaited)
        deadline = time.monotonic() + timeout_s
        while left:
            ready = self._epoll.poll(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise NotServed(f"{left} clients miss lines; one got {self._least()} of {each}")
            for fd, _ in ready:
                member = self._members[fd]
                block = self._read_block(member)
                marks = block.count(b" :~m")
                if keep_numbers and fd == first:
                    kept.append(block)
                if b"~t" in block:
                    now_ns = time.monotonic_ns()
                    tally.delays_s += [(now_ns - int(at)) / 1e9 for at in STAMP.findall(block)]
                tally.lines += marks
                if fd in awaited and member.lines < each <= member.lines + marks:
                    left -= 1
                member.lines += marks
        tally.last_at = time.monotonic()
        tally.numbers = [int(number) for block in kept for number in NUMBER.findall(block)]
        return tally

    def watch(self, for_s: float) -> list[int]:
        """Read for a while, or until the bouncer is gone; what the first client was shown."""
        kept: list[bytes] = []
        first = next(iter(self._members.values()))
        deadline = time.monotonic() + for_s
        with contextlib.suppress(NotServed, OSError):
            while ready := self._epoll.poll(max(0.0, deadline - time.monotonic())):
                for fd, _ in ready:
                    block = self._read_block(self._members[fd])
                    if self._members[fd] is first:
                        kept.append(block)
                if time.monotonic() > deadline:
                    break
        return [int(number) for block in kept for number in NUMBER.findall(block)]

    def _least(self) -> int:
        return min(member.lines for member in self._members.values())

    def _greet(self, login: Login) -> Member:
        began = time.monotonic()
        sock = self._connect()
        member = Member(login, sock, began)
        hello = (
            f"CAP LS 302\r\nPASS {login.user}:{login.password}\r\n"
            f"NICK {login.nick}\r\nUSER {login.user} 0 * :bench\r\n"
        )
        sock.sendall(hello.encode())
        sock.setblocking(False)
        self._members[sock.fileno()] = member
        self._epoll.register(sock, select.EPOLLIN)
        return member

    @staticmethod
    def _complete(member: Member, channels: int) -> bool:
        if not (member.welcomed and member.channels >= channels):
            return False
        member.complete_at = member.complete_at or time.monotonic()
        return True

    def _read_block(self, member: Member) -> bytes:
        """The whole lines that have come. A PING among them is answered."""
        try:
            data = member.sock.recv(RECEIVE_OCTETS)
        except NOT_NOW:
            return b""
        if not data:
            raise NotServed(f"the bouncer closed on {member.login.user}: {member.refused!r}")
        data = member.rest + data
        cut = data.rfind(b"\n") + 1
        member.rest = data[cut:]
        block = data[:cut]
        if b"PING " in block:  # never in the corpus
            self._answer(member, (line for line in block.split(b"\r\n") if b"PING " in line))
        return block

    def _read_lines(self, member: Member) -> None:
        block = self._read_block(member)
        # The state of a hundred channels is mostly names: count, and read only the rest.
        member.channels += block.count(b" 366 ")
        if not member.welcomed:
            self._answer(member, block.split(b"\r\n"))

    def _answer(self, member: Member, lines: Iterable[bytes]) -> None:
        for line in lines:
            words = line.decode("utf-8", "replace").split(" ")
            if words[0].startswith("@"):
                del words[0]
            if words and words[0].startswith(":"):
                del words[0]
            match words:
                case ["PING", *token]:
                    member.sock.send(f"PONG {' '.join(token)}\r\n".encode())
                case ["CAP", _, "LS", "*", *offered]:
                    member.caps |= _names(offered)
                case ["CAP", _, "LS", *offered]:
                    wanted = [cap for cap in WANTED if cap in member.caps | _names(offered)]
                    member.sock.send(
                        f"CAP REQ :{' '.join(wanted)}\r\n".encode() if wanted else b"CAP END\r\n"
                    )
                case ["CAP", _, "ACK" | "NAK", *_]:
                    member.sock.send(b"CAP END\r\n")
                case ["001", *_]:
                    member.welcomed = True
                case ["ERROR" | "464" | "FAIL" | "904", *_]:
                    member.refused = " ".join(words)


def _names(offered: list[str]) -> set[str]:
    return {word.removeprefix(":").partition("=")[0] for word in offered}
