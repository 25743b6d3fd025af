"""The identd: asked as RFC 1413 says, about connections that are open, by the server they go to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from bouncer.connections import identd
from bouncer.connections.identd import Idents
from tests.real.process import until


@asynccontextmanager
async def running(idents: Idents) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(identd.serve, listeners, idents)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def irc_connection() -> AsyncIterator[trio.SocketStream]:
    """Our end of a connection to an IRC server on this machine."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    async with stream:
        yield stream
    await listeners[0].aclose()


async def asked(port: int, query: bytes, source: str = "127.0.0.1") -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
    async with stream:
        await stream.send_all(query)
        with trio.fail_after(8):
            return b"".join([data async for data in stream])


def ports(stream: trio.SocketStream) -> tuple[int, int]:
    return stream.socket.getsockname()[1], stream.socket.getpeername()[1]


async def test_who_a_connection_belongs_to() -> None:
    """RFC 1413: `<port-on-server> , <port-on-client>` is answered with
    `6193, 23 : USERID : UNIX : stjohns`."""
    idents = Idents()
    async with running(idents) as port, irc_connection() as stream:
        ours, theirs = ports(stream)
        with idents.known(stream, "alice"):
            reply = await asked(port, f"{ours}, {theirs}\r\n".encode())
            assert reply == f"{ours} , {theirs} : USERID : UNIX : alice\r\n".encode()


async def test_a_server_that_asks_early_waits_for_our_side() -> None:
    idents = Idents()
    replies: list[bytes] = []
    async with running(idents) as port, irc_connection() as stream:
        ours, theirs = ports(stream)

        async def ask() -> None:
            replies.append(await asked(port, f"{ours},{theirs}\n".encode()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await until(lambda: idents._changed.statistics().tasks_waiting, 8, "it has asked")
            with idents.known(stream, "alice"):
                await until(lambda: replies, 8, "it is answered")
    assert b"USERID : UNIX : alice" in replies[0]


async def test_nobody_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identd, "UNKNOWN_S", 0.05)
    idents = Idents()
    async with running(idents) as port, irc_connection() as stream:
        ours, theirs = ports(stream)
        query = f"{ours}, {theirs}\r\n".encode()
        with idents.known(stream, "alice"):
            assert b"NO-USER" in await asked(port, query, source="127.0.0.2")
        assert b"NO-USER" in await asked(port, query)


@pytest.mark.parametrize("query", [b"0, 23\r\n", b"99999, 1\r\n", b"x\r\n", b"\xff" * 200, b"1\n"])
async def test_nonsense_is_answered_as_such(query: bytes) -> None:
    async with running(Idents()) as port:
        try:
            assert b"ERROR : INVALID-PORT" in await asked(port, query)
        except trio.BrokenResourceError:
            assert len(query) > identd.LONGEST_QUERY  # it said more than is read
