"""One question by UDP, and its answer."""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio

from bouncer.config import Address

MAX_ANSWER = 1500


async def ask_udp(address: Address, query: bytes, fits: Callable[[bytes], bool]) -> bytes:
    """The first datagram from there that `fits`. Raises OSError; the caller sets the limit."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with trio.socket.socket(family, socket.SOCK_DGRAM) as sock:
        await sock.connect((address.host, address.port))
        await sock.send(query)
        while True:  # somebody else's datagram is not the answer
            data = bytes(await sock.recv(MAX_ANSWER))
            if fits(data):
                return data
