"""A proxy between us and the network: asked as RFC 1928 says, and its refusals told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from bouncer.connections.dial import DialError, ServerAddress, dial
from bouncer.connections.socks import Proxy

IRC = ServerAddress.parse("irc+insecure://irc.example:6667")


@asynccontextmanager
async def proxy(*dialogue: tuple[bytes, bytes]) -> AsyncIterator[int]:
    """Hears the first of each pair and says the second; then what comes is said back."""

    async def serve_one(stream: trio.SocketStream) -> None:
        for hears, says in dialogue:
            heard = b""
            while len(heard) < len(hears):
                more = await stream.receive_some(len(hears) - len(heard))
                if not more:
                    return
                heard += more
            assert heard == hears
            await stream.send_all(says)
        async for data in stream:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve_one, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


BY_NAME = b"\x05\x01\x00\x03\x0birc.example" + (6667).to_bytes(2, "big")
DONE = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


async def test_the_name_is_looked_up_by_the_proxy() -> None:
    """RFC 1928: "X'03' the address field contains a fully-qualified domain name. The first octet
    of the address field contains the number of octets of name that follow"."""
    async with proxy((b"\x05\x01\x00", b"\x05\x00"), (BY_NAME, DONE + b":irc")) as port:
        stream = await dial(IRC, proxy=f"socks5://127.0.0.1:{port}")
        assert await stream.receive_some(4) == b":irc"  # nothing of it is lost to the handshake
        await stream.aclose()


async def test_a_user_and_password_are_shown_when_asked_for() -> None:
    """RFC 1929: VER, ULEN, UNAME, PLEN, PASSWD; "a STATUS field of X'00' indicates success"."""
    async with proxy(
        (b"\x05\x02\x00\x02", b"\x05\x02"),
        (b"\x01\x05alice\x05p@ss!", b"\x01\x00"),
        (BY_NAME, DONE),
    ) as port:
        stream = await dial(IRC, proxy=f"socks5://alice:p%40ss!@127.0.0.1:{port}")
        await stream.aclose()


async def test_addresses_go_as_addresses() -> None:
    address = ServerAddress.parse("irc+insecure://irc.example?address=192.0.2.7")
    asks = b"\x05\x01\x00\x01\xc0\x00\x02\x07" + (6667).to_bytes(2, "big")
    reply = b"\x05\x00\x00\x03\x03abc\x00\x00"
    async with proxy((b"\x05\x01\x00", b"\x05\x00"), (asks, reply)) as port:
        stream = await dial(address, proxy=f"socks5://127.0.0.1:{port}")
        await stream.aclose()


@pytest.mark.parametrize(
    ("greets", "replies", "told"),
    [
        (b"\x05\xff", b"", "the proxy wants another login"),
        (b"HT", b"", "no SOCKS5 proxy"),
        (b"\x05\x00", b"\x05\x05\x00\x01", "connection refused"),
        (b"\x05\x00", b"\x05\x02\x00\x01", "does not allow it"),
        (b"\x05\x00", b"\x05\x77\x00\x01", "answered 119"),
    ],
)
async def test_why_there_is_no_connection_is_told(greets: bytes, replies: bytes, told: str) -> None:
    async with proxy((b"\x05\x01\x00", greets), (BY_NAME, replies)) as port:
        with pytest.raises(DialError, match=told):
            await dial(IRC, proxy=f"socks5://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "uri", ["http://proxy", "socks5://", "socks5://h:x", "socks5://h:0", "h:1080"]
)
def test_what_is_no_proxy_says_how_to_write_one(uri: str) -> None:
    with pytest.raises(ValueError, match=r"socks5://|port"):
        Proxy.parse(uri)


def test_a_proxys_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Proxy.parse("socks5://alice:hunter2@proxy"))


async def test_a_proxy_that_cannot_be_reached_is_named() -> None:
    async with proxy() as port:
        pass
    with pytest.raises(DialError) as refused:
        await dial(IRC, proxy=f"socks5://127.0.0.1:{port}")
    assert str(refused.value) == f"the proxy 127.0.0.1:{port}: connection refused"
