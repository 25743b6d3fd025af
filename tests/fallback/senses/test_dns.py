""" "Public networks are resolved by public DNS, with the last good answer kept"."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as some

from bouncer.config import Address
from fallback.senses.dns import DnsFault, addresses, look_up, question
from fallback.senses.names import FILE, RememberingResolver, public_hosts, resolvers
from tests.fallback.test_check import config

NAME = "irc.public.invalid"  # no system resolver knows it: RFC 6761 section 6.4
ALIAS = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 6) + b"\x03www\xc0\x10"


def record(kind: int, octets: bytes, space: int = 1) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, space, 60, len(octets)) + octets


def answer(asked: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    return (
        asked[:2]
        + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        + asked[12:]
        + b"".join(records)
    )


@asynccontextmanager
async def resolver(known: dict[int, bytes]) -> AsyncIterator[tuple[Address, list[bytes]]]:
    """A public resolver that has these records by type."""
    asked: list[bytes] = []

    async def serve(sock: trio.socket.SocketType) -> None:
        while True:
            query, where = await sock.recvfrom(1500)
            asked.append(query)
            kind = int.from_bytes(query[-4:-2], "big")
            records = [ALIAS, record(kind, known[kind])] if kind in known else []
            await sock.sendto(answer(query, *records), where)

    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, sock)
            yield Address("127.0.0.1", sock.getsockname()[1]), asked
            nursery.cancel_scope.cancel()


async def test_a_network_s_name_is_asked_of_the_public_resolver(tmp_path: Path) -> None:
    async with resolver({1: bytes((192, 0, 2, 7)), 28: bytes(15) + b"\1"}) as (where, asked):
        public = RememberingResolver(tmp_path / FILE, frozenset({NAME}), [where])
        found = await public.getaddrinfo(NAME.encode(), 6697, type=socket.SOCK_STREAM)
        assert [entry[4][:2] for entry in found] == [("::1", 6697), ("192.0.2.7", 6697)]
        only = await public.getaddrinfo(NAME.encode(), 6697, socket.AF_INET, socket.SOCK_STREAM)
        assert [entry[4] for entry in only] == [("192.0.2.7", 6697)]
        before = len(asked)
        with pytest.raises(socket.gaierror):
            await public.getaddrinfo(b"other.invalid", 6697)
        assert len(asked) == before, "what is no public network's is none of theirs"
    # It is gone: the last good answer is kept, over a restart too.
    later = RememberingResolver(tmp_path / FILE, frozenset({NAME}), [where])
    assert await later.getaddrinfo(NAME.encode(), 6697, type=socket.SOCK_STREAM) == found


async def test_the_next_resolver_is_asked_where_one_knows_nothing() -> None:
    async with resolver({}) as (ignorant, asked), resolver({1: bytes((192, 0, 2, 7))}) as (good, _):
        assert await look_up(NAME, [ignorant, good]) == ["192.0.2.7"]
        assert len(asked) == 2, "for IPv6 and for IPv4"


async def test_without_resolvers_the_system_s_is_asked(tmp_path: Path) -> None:
    plain = RememberingResolver(tmp_path / FILE, frozenset({"localhost"}), [])
    assert await plain.getaddrinfo(b"localhost", 6697)


def test_the_landmarks_are_the_resolvers(tmp_path: Path) -> None:
    network = {
        "name": "pub", "addresses": ["ircs://IRC.example.net"], "nick": "fb", "lobby": "#l",
        "room": "#r",
    }  # fmt: skip
    own = {**network, "name": "own", "addresses": ["ircs://irc.own"], "public_resolver": False}
    places = [
        {"kind": "dns", "address": "9.9.9.9:53"},
        {"kind": "ntp", "address": "192.0.2.1:123"},
    ]
    ours = config(tmp_path, network=[network, own], landmark=places)
    assert public_hosts(ours) == {"irc.example.net"}
    assert [str(each) for each in resolvers(ours)] == ["9.9.9.9:53"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _asked: answer(question("evil.invalid", 1, 7), record(1, b"abcd")), "another"),
        (lambda asked: b"\0\x08" + answer(asked, record(1, b"abcd"))[2:], "not the answer"),
        (lambda asked: answer(asked, record(1, b"abcd"), flags=0x0100), "not the answer"),
        (lambda asked: answer(asked, flags=0x8183), "code 3"),
        (lambda asked: answer(asked, record(1, b"abcd"))[:-8], "short"),
    ],
)
def test_what_is_no_answer_of_ours_is_refused(change: object, why: str) -> None:
    asked = question(NAME, 1, 7)
    with pytest.raises(DnsFault, match=why):
        addresses(change(asked), asked)  # type: ignore[operator]


@given(some.binary(max_size=200), some.booleans())
def test_reading_is_total(data: bytes, echoed: bool) -> None:
    asked = question(NAME, 1, 7)
    if echoed:
        data = answer(asked, data)
    try:
        found = addresses(data, asked)
    except DnsFault:
        return
    assert all(isinstance(each, str) for each in found)


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64])
def test_no_name_no_question(name: str) -> None:
    with pytest.raises(DnsFault):
        question(name, 1, 7)


@pytest.mark.parametrize("name", ["irc..invalid", f"{'l' * 64}.invalid"])
async def test_what_is_no_name_is_not_found_and_no_fault_of_ours(name: str, tmp_path: Path) -> None:
    """Else the connection's task would break, and the network's next address never be tried."""
    async with resolver({}) as (where, asked):
        with pytest.raises(DnsFault):
            await look_up(name, [where])
        ours = RememberingResolver(tmp_path / FILE, frozenset({name}), [where])
        with pytest.raises(OSError, match="not found"):
            await ours.getaddrinfo(name.encode(), 6697)
        assert asked == []
