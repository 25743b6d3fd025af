"""Answers to DNS and NTP queries from inside a namespace: what voters judge their uplink by."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from tests.real.netns import socket_in

DNS_PORT, NTP_PORT = 53, 123
MAX_QUERY = 1500


def dns_answer(query: bytes) -> bytes:
    """The query with QR and RA set and no records: RFC 1035 section 4.1.1."""
    return query[:2] + b"\x81\x80" + query[4:6] + b"\0" * 6 + query[12:]


def ntp_answer(query: bytes) -> bytes:
    """Mode 4, stratum 1, the client's transmit time as origin: RFC 5905 section 7.3."""
    return b"\x24\x01" + b"\0" * 22 + query[40:48] + b"\0" * 16


@asynccontextmanager
async def landmarks(netns: str, dns: Sequence[str], ntp: Sequence[str]) -> AsyncIterator[None]:
    """Answer on these addresses of the namespace, in this process, until the block's end."""
    async with trio.open_nursery() as nursery:
        for addresses, port, answer in ((dns, DNS_PORT, dns_answer), (ntp, NTP_PORT, ntp_answer)):
            for address in addresses:
                raw = socket_in(netns, socket.AF_INET, socket.SOCK_DGRAM)
                raw.bind((address, port))
                nursery.start_soon(partial(_serve, raw, answer))
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


async def _serve(raw: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    with trio.socket.from_stdlib_socket(raw) as sock:
        while True:
            query, sender = await sock.recvfrom(MAX_QUERY)
            if len(query) >= 12:
                await sock.sendto(answer(query), sender)
