"""How a connection ends when its client does not read: a whole bouncer, a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from socket import SO_SNDBUF, SOL_SOCKET

import pytest
import trio
import trio.testing

from bouncer.connections.downstream import OUTBOX_OCTETS
from bouncer.irc.wire import LineReader
from tests.complaints.venue import (
    PASSWORD,
    FakeNetwork,
    Muster,
    running_bouncer,
    running_network,
    until,
)

LINES = 2_000  # said in one go,
KERNEL_OCTETS = 65_536  # more than these, and the outbox holds
PADDING = "x" * 400
READ_S = 20.0


@asynccontextmanager
async def dropped_client(folder: Path) -> AsyncIterator[tuple[Muster, trio.SocketStream]]:
    """A client on a socket, dropped because it reads nothing; it has not read anything since."""

    async def serve(stream: trio.SocketStream) -> None:
        stream.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_OCTETS)
        await muster.serve(stream)

    async with (
        running_network() as network,
        running_bouncer(folder, network) as muster,
        trio.open_nursery() as nursery,
    ):
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        async with await trio.testing.open_stream_to_socket_listener(listener) as stream:
            await stream.send_all(
                f"PASS alice/net@sleeper:{PASSWORD}\r\nNICK me\r\nUSER u 0 * :u\r\n".encode()
            )
            await until(lambda: muster.hub.clients)
            [sleeper] = muster.hub.clients.values()
            clients = muster.session.clients.by_id
            await until(lambda: sleeper.id in clients and clients[sleeper.id].live)
            with trio.fail_after(READ_S):
                while not sleeper.outbox.closed:
                    await say_much(network)
            yield muster, stream
        nursery.cancel_scope.cancel()


async def say_much(network: FakeNetwork) -> None:
    await network.bob(*(f"{number} {PADDING}" for number in range(LINES)))
    await trio.sleep(0.05)


async def read_to_the_end(stream: trio.SocketStream) -> list[str]:
    reader, lines = LineReader(), []
    with trio.fail_after(READ_S):
        while data := await stream.receive_some(65_536):
            lines += reader.feed(bytes(data))
    return lines


async def test_a_dropped_client_is_gone_at_once_though_it_never_reads(tmp_path: Path) -> None:
    """ "A client whose outbox overflows is disconnected": it may never say anything again."""
    async with dropped_client(tmp_path) as (muster, _stream):
        await until(lambda: not muster.hub.clients)
        assert not muster.session.clients.by_id


@pytest.mark.parametrize("says", [b"", b"PING :still here\r\n" * 100])
async def test_a_dropped_client_can_read_why(tmp_path: Path, says: bytes) -> None:
    """ "with a clear ERROR": also where it goes on talking, which would reset a closed socket."""
    async with dropped_client(tmp_path) as (muster, stream):
        await until(lambda: not muster.hub.clients)
        if says:
            await stream.send_all(says)
        lines = await read_to_the_end(stream)
        assert len("".join(lines)) > OUTBOX_OCTETS
        assert lines[-1].startswith("ERROR :You read too slowly")
