"""UDP ports that stay fair under a flood: many datagrams per wake-up, never an await to send.

Reading in batches costs a tenth of one task switch per datagram, so that a flood of forged ones is
refused faster than a network brings it; after each batch everybody else has a turn.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import trio

from bouncer.config import Address
from bouncer.mesh import sieve
from bouncer.mesh.heartbeat import MAX_DATAGRAM

BATCH = 64
RECEIVE_BUFFER = 1 << 20  # octets; a flood should not push heartbeats out at once
Where = tuple[str, int]


class Port:
    """One bound UDP socket of one family."""

    def __init__(self, host: str, port: int) -> None:
        """Bind; raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.v6 = family == socket.AF_INET6

    @property
    def number(self) -> int:
        return int(self._socket.getsockname()[1])

    def sift(self, filter_program: bytes | None) -> None:
        """Leave most of a flood to the kernel, or (None) nothing any more."""
        sieve.attach(self._socket, filter_program)

    def close(self) -> None:
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def send(self, data: bytes, where: Where) -> None:
        """Send now or not at all: whatever matters on the mesh is said again."""
        with suppress(OSError):
            self._socket.sendto(data, where)

    async def batches(self) -> AsyncIterator[list[tuple[bytes, Where]]]:
        """What came, up to BATCH datagrams at a time, until the port is closed."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            batch: list[tuple[bytes, Where]] = []
            for _ in range(BATCH):
                try:
                    # One octet more than allowed, so that a longer one is seen as such.
                    data, where = self._socket.recvfrom(MAX_DATAGRAM + 1)
                except BlockingIOError:
                    break
                except OSError:
                    continue  # an ICMP error of an earlier datagram, reported here
                batch.append((data, where[:2]))
            yield batch
            await trio.lowlevel.checkpoint()


def open_ports(host: str, port: int) -> list[Port]:
    """The ports of an address; `::`, `*` and '' are both families, one of which may be missing.

    Raises OSError when none could be bound.
    """
    if host not in ("", "*", "::"):
        return [Port(host, port)]
    ports: list[Port] = []
    error: OSError | None = None
    for every in ("0.0.0.0", "::"):
        try:
            ports.append(Port(every, port))
        except OSError as caught:
            error = caught
    if not ports and error is not None:
        raise error
    return ports


def open_all(address: Address | None) -> list[Port]:
    """One port per family the host has; an address, if there is one, binds its own family.

    Raises OSError when that could not be bound.
    """
    if address is None:
        return open_ports("", 0)
    ports = open_ports(address.host, address.port)
    other = "0.0.0.0" if ":" in address.host else "::"
    if len(ports) == 1:
        with suppress(OSError):
            ports += open_ports(other, 0)
    return ports


async def look_up(host: str, port: int) -> list[Where]:
    """Every address of a name, or the one that it is. Raises OSError, and UnicodeError of what DNS
    takes for no name."""
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_DGRAM)
    return [(str(at[0]), int(at[1])) for *_, at in found]


def send_by(ports: Sequence[Port], data: bytes, where: Where) -> None:
    """Send by the port of the right family, if there is one."""
    v6 = ":" in where[0]
    for port in ports:
        if port.v6 is v6:
            port.send(data, where)
            return
