"""The PROXY protocol, versions 1 and 2: who the client behind a proxy is. The parser is pure.

Source: haproxy's doc/proxy-protocol.txt. The header is read from trusted addresses alone, and never
an octet more than it has: what follows belongs to TLS or IRC.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import trio

MAX_V1 = 107  # octets with CRLF: section 2.1
MAX_HEADER = 16 + 2_048  # of version 2 with its TLVs; a longer one is refused
HEADER_S = 5.0
POLL_S = 0.01
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # section 2.2
_ADDRESSES = {0x1: 4, 0x2: 16}  # family -> octets of one address


class ProxyFault(ValueError):
    """What a trusted proxy sent is no PROXY header. The text says what is wrong."""


class NoHeader(ProxyFault):
    """It begins with something else, of which nothing was taken."""


class Header(NamedTuple):
    """`source` is the client's address; '' where the proxy speaks for itself (health checks)."""

    source: str
    length: int  # octets of the header


def read_header(data: bytes) -> Header | None:
    """The header that `data` begins with; None while it is not whole. Raises ProxyFault."""
    if _SIGNATURE.startswith(data[:12]) or data.startswith(_SIGNATURE):
        return _version_2(data)
    if b"PROXY ".startswith(data[:6]):
        return _version_1(data)
    raise NoHeader("it does not begin with a PROXY header")


def _version_1(data: bytes) -> Header | None:
    line, crlf, _ = data[:MAX_V1].partition(b"\r\n")
    if not crlf:
        if len(data) >= MAX_V1:
            raise ProxyFault("its PROXY line has no end")
        return None
    words = line.decode("ascii", "replace").split(" ")
    length = len(line) + 2
    if words[1:2] == ["UNKNOWN"]:
        return Header("", length)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ProxyFault("its PROXY line has another form than version 1")
    try:
        address = ipaddress.ip_address(words[2])
    except ValueError:
        raise ProxyFault("its PROXY line names no address") from None
    if address.version != int(words[1][3]):
        raise ProxyFault("its PROXY line names an address of the other family")
    return Header(str(address), length)


def _version_2(data: bytes) -> Header | None:
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 0xF
    family = data[13] >> 4
    length = 16 + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise ProxyFault("its PROXY header has an unknown version or command")
    if length > MAX_HEADER:
        raise ProxyFault(f"its PROXY header is longer than {MAX_HEADER} octets")
    if len(data) < length:
        return None
    octets = _ADDRESSES.get(family)
    if command == 0 or octets is None:  # LOCAL, or a family without addresses
        return Header("", length)
    if length < 16 + 2 * octets + 4:
        raise ProxyFault("its PROXY header is too short for its addresses")
    return Header(str(ipaddress.ip_address(data[16 : 16 + octets])), length)


async def read_source(stream: trio.SocketStream) -> str:
    """Take the header off a fresh connection; the client's address, '' for the proxy's own.

    Raises ProxyFault, also when none comes in time.
    """
    with trio.move_on_after(HEADER_S):
        while data := await stream.socket.recv(MAX_HEADER, socket.MSG_PEEK):
            header = read_header(data)
            if header is not None:
                left = header.length
                while left:
                    left -= len(await stream.socket.recv(left))
                return header.source
            await trio.sleep(POLL_S)  # peeking does not wait for more than is there
    raise ProxyFault("no whole PROXY header came")
