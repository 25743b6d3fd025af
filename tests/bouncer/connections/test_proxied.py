"""The PROXY protocol: believed from trusted addresses, whole, and never read beyond its end."""

from __future__ import annotations

import ipaddress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from bouncer.config import Address, Listen
from bouncer.connections.listeners import is_trusted
from bouncer.connections.proxied import MAX_HEADER, Header, ProxyFault, read_header, read_source

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 6697\r\n"
V1_6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 6697\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2 = SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 3, 4])
V2_6 = (
    SIGNATURE
    + b"\x21\x21\0\x24"
    + ipaddress.ip_address("2001:db8::7").packed
    + bytes(16)
    + bytes(4)
)
V2_LOCAL = SIGNATURE + b"\x20\0\0\0"
V2_TLV = SIGNATURE + b"\x21\x11\0\x10" + V2[16:] + b"\x04\0\x01x"


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (V1, "192.0.2.7"),
        (V1_6, "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ff:: ff:: 1 2\r\n", ""),
        (V2, "192.0.2.7"),
        (V2_6, "2001:db8::7"),
        (V2_LOCAL, ""),
        (V2_TLV, "192.0.2.7"),
    ],
)
def test_a_header_is_read_whole_and_not_beyond(data: bytes, source: str) -> None:
    assert read_header(data + b"NICK alice\r\n") == Header(source, len(data))
    for cut in range(len(data)):
        assert read_header(data[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"NICK alice\r\n",
        b"\x16\x03\x01\x02\x00",
        b"PROXY TCP4 nobody 198.51.100.1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyFault):
        read_header(data)


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda rest: SIGNATURE + rest))
def test_any_octets_give_a_header_a_wait_or_a_fault(data: bytes) -> None:
    try:
        header = read_header(data)
    except ProxyFault:
        return
    assert header is None or 0 < header.length <= min(len(data), MAX_HEADER)


def test_only_the_ranges_named_are_trusted() -> None:
    trusted = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
    listen = Listen(address=Address("0.0.0.0", 6697), proxy_from=trusted)
    assert is_trusted("192.0.2.99", listen)
    assert is_trusted("2001:db8::5", listen)
    assert not is_trusted("198.51.100.1", listen)
    assert not is_trusted("gone", listen)
    assert not is_trusted("unix", Listen(address=Address("", 0, "/run/x"), tls=False))


async def test_what_follows_the_header_is_left_for_the_client() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with (
        listener,
        await trio.open_tcp_stream("127.0.0.1", port) as client,
        await listener.accept() as served,
    ):
        for part in (V1[:10], V1[10:] + b"NICK al", b"ice\r\n"):
            await client.send_all(part)
        assert await read_source(served) == "192.0.2.7"
        heard = b""
        while not heard.endswith(b"\n"):
            heard += bytes(await served.receive_some(100))
        assert heard == b"NICK alice\r\n"


async def test_a_connection_without_a_header_is_a_fault() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with (
        listener,
        await trio.open_tcp_stream("127.0.0.1", port) as client,
        await listener.accept() as served,
    ):
        await client.send_eof()
        with pytest.raises(ProxyFault, match="no whole PROXY header"):
            await read_source(served)
