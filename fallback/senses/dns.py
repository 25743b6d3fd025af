"""The addresses of a public host, asked of public resolvers: RFC 1035. Reading is total.

What the networks' names are must not hang on a resolver that may stand at the primary's site. The
resolvers are the configured landmarks of that kind.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Sequence
from contextlib import suppress

import trio

from bouncer.config import Address
from fallback.senses.datagram import ask_udp

ANSWER_S = 2.0
MAX_ADDRESSES = 16
_A, _AAAA, _IN = 1, 28, 1
_LENGTHS = {_A: 4, _AAAA: 16}
_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")  # type, class, ttl, length: RFC 1035 section 4.1.3


class DnsFault(ValueError):
    """An answer that tells nothing."""


def question(name: str, kind: int, number: int) -> bytes:
    """One recursive query. Raises DnsFault for what is no name."""
    out = [_HEAD.pack(number, 0x0100, 1, 0, 0, 0)]
    for label in name.rstrip(".").split("."):
        octets = label.encode("ascii", "replace")
        if not 1 <= len(octets) <= 63:
            raise DnsFault(f'"{name[:80]}" is no host name')
        out.append(bytes((len(octets),)) + octets)
    return b"".join(out) + b"\0" + struct.pack("!HH", kind, _IN)


def addresses(answer: bytes, asked: bytes) -> list[str]:
    """What it says of addresses, aliases followed by the resolver. Raises DnsFault."""
    if len(answer) < _HEAD.size:
        raise DnsFault("short")
    number, flags, questions, records, _, _ = _HEAD.unpack_from(answer)
    if number != int.from_bytes(asked[:2], "big") or not flags & 0x8000 or questions != 1:
        raise DnsFault("not the answer")
    echo = answer[_HEAD.size : len(asked)]
    if echo.lower() != asked[_HEAD.size :].lower():
        raise DnsFault("another question's answer")
    if flags & 0x000F:
        raise DnsFault(f"code {flags & 0x000F}")
    at, found = len(asked), list[str]()
    for _ in range(records):
        at = _past_name(answer, at)
        if at + _RECORD.size > len(answer):
            raise DnsFault("short")
        kind, space, _, length = _RECORD.unpack_from(answer, at)
        at += _RECORD.size
        octets = answer[at : at + length]
        at += length
        if space == _IN and _LENGTHS.get(kind) == len(octets):
            found.append(str(ipaddress.ip_address(octets)))
    return found[:MAX_ADDRESSES]


def _past_name(data: bytes, at: int) -> int:
    """Where a name ends: RFC 1035 section 4.1.4."""
    while at < len(data):
        length = data[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if not length:
            return at
    raise DnsFault("short")


async def look_up(name: str, resolvers: Sequence[Address]) -> list[str]:
    """IPv6 and IPv4 addresses by the first resolver that knows any; [] when none does.

    Raises DnsFault for what is no name.
    """
    question(name, _A, 0)
    for resolver in resolvers:
        found: dict[int, list[str]] = {_AAAA: [], _A: []}

        async def ask(
            kind: int, resolver: Address = resolver, found: dict[int, list[str]] = found
        ) -> None:
            asked = question(name, kind, int.from_bytes(os.urandom(2), "big"))
            with trio.move_on_after(ANSWER_S), suppress(OSError, DnsFault):
                answer = await ask_udp(resolver, asked, lambda data: data[:2] == asked[:2])
                found[kind] = addresses(answer, asked)

        async with trio.open_nursery() as nursery:
            for kind in found:
                nursery.start_soon(ask, kind)
        if both := [*found[_AAAA], *found[_A]]:
            return both
    return []
