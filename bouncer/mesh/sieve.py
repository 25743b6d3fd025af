"""What a mesh port leaves to the kernel under a flood: most of what does not echo our nonce.

Refusing a forged datagram costs a hash, and while a flood of them waits in the socket's buffer
there is no room for votes and heartbeats. A peer that has heard us since our start echoes our
nonce; who forges datagrams without hearing our answers does not know it. So while far more is
refused than peers could ever send, a filter on the socket (BPF, it needs no privilege) lets through
what echoes our nonce, and of the rest one in SAMPLE: enough for a peer that starts in the flood,
and to see the flood's end. It proves nothing: what comes through is checked as ever. Pure, but for
`attach`.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import suppress

from bouncer.mesh.heartbeat import ECHO_AT, NONCE_OCTETS

FLOOD_PER_S = 1000.0  # refused in a second; a mesh of five sends a tenth of it
SAMPLE = 16  # a power of two
LOOK_S = 1.0

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # Linux socket(7); elsewhere nothing is left out
UDP_HEADER = 8  # filters of a UDP socket see it, too
RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
# Operations of linux/filter.h: load a word, compare and jump, and, return
LOAD, JUMP_EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06
EVERYTHING = 0xFFFFFFFF


class Sieve:
    """Whether the flood filter should stand. Tell it what is refused, and look once a second."""

    def __init__(self) -> None:
        self.closed = False
        self._count = 0
        self._since = float("-inf")

    def refused(self, now: float) -> bool:
        """One more; whether the filter is to be closed now."""
        if not self.closed and now - self._since > LOOK_S:
            self._since, self._count = now, 0
        self._count += 1
        if self.closed or self._count < FLOOD_PER_S * LOOK_S:
            return False
        self.closed, self._since, self._count = True, now, 0
        return True

    def look(self, now: float) -> bool:
        """Whether the filter is to be opened now: what came through is one in SAMPLE."""
        if not self.closed or now - self._since < LOOK_S:
            return False
        per_s = self._count * SAMPLE / (now - self._since)
        self._since, self._count = now, 0
        self.closed = per_s >= FLOOD_PER_S
        return not self.closed


def program(nonce: bytes) -> bytes:
    """The filter: what echoes `nonce`, and one in SAMPLE of the rest; too short ones never."""
    first, second = struct.unpack("!II", nonce.ljust(NONCE_OCTETS, b"\0"))
    echo_at = UDP_HEADER + ECHO_AT
    lines = (
        (LOAD, 0, 0, echo_at),
        (JUMP_EQUAL, 0, 2, first),
        (LOAD, 0, 0, echo_at + 4),
        (JUMP_EQUAL, 3, 0, second),
        (LOAD, 0, 0, RANDOM),
        (AND, 0, 0, SAMPLE - 1),
        (JUMP_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, EVERYTHING),
        (RETURN, 0, 0, 0),
    )
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def attach(sock: socket.socket, filter_program: bytes | None) -> None:
    """Set the filter of a socket, or (None) lift it. Where there is no such thing, nothing happens:
    the flood is then refused here, one by one."""
    with suppress(OSError):
        if filter_program is None:
            sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            return
        held = ctypes.create_string_buffer(filter_program, len(filter_program))
        count = len(filter_program) // struct.calcsize("=HBBI")
        # struct sock_fprog: its length, and where it lies
        described = struct.pack("@HP", count, ctypes.addressof(held))
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
