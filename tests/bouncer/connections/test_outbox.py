"""The outbox: putting never waits, a full one says so, what waits is still sent at the end."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from bouncer.connections.outbox import Outbox, OutboxFull
from tests.bouncer.tls_peer import both_contexts, met


async def test_what_is_put_leaves_in_few_sends() -> None:
    near, far = trio.testing.memory_stream_pair()
    outbox = Outbox(1000)
    sends = 0

    async def count() -> None:
        nonlocal sends
        sends += 1

    near.send_stream.send_all_hook = count
    for number in range(10):
        outbox.put(b"%d," % number)
    outbox.close()
    await outbox.drain_into(near)
    await near.aclose()
    assert await far.receive_some() == b"0,1,2,3,4,5,6,7,8,9,"
    assert sends == 1


async def test_a_full_outbox_refuses_at_once_and_keeps_what_it_has() -> None:
    outbox = Outbox(10)
    outbox.put(b"12345678")
    with pytest.raises(OutboxFull, match="more than 10 octets"):
        outbox.put(b"9ab")
    assert outbox.waiting == 8


async def test_a_goodbye_goes_beyond_the_limit_and_after_all_that_waits() -> None:
    near, far = trio.testing.memory_stream_pair()
    outbox = Outbox(5)
    outbox.put(b"12345")
    outbox.put_last(b"ERROR :bye")
    outbox.put(b"too late")
    await outbox.drain_into(near)
    await near.aclose()
    assert await far.receive_some() == b"12345ERROR :bye"


async def test_drained_waits_for_the_peer() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    outbox = Outbox(1000)
    outbox.put(b"slowly")
    steps: list[str] = []

    async def wait() -> None:
        await outbox.drained()
        steps.append("drained")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(outbox.drain_into, near)
        await trio.testing.wait_all_tasks_blocked()
        assert outbox.waiting == 6
        steps.append("read")
        assert await far.receive_some(100) == b"slowly"
        await trio.testing.wait_all_tasks_blocked()
        outbox.close()
    assert steps == ["read", "drained"]
    assert outbox.waiting == 0


@asynccontextmanager
async def on_a_socket(outbox: Outbox) -> AsyncIterator[socket.socket]:
    """The outbox drains into a socket; the far end is given back."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    near.setblocking(False)
    far.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(near))
    with far:
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(outbox.drain_into, stream)
            await trio.testing.wait_all_tasks_blocked()
            yield far
            nursery.cancel_scope.cancel()


async def test_a_plain_socket_is_given_it_at_once() -> None:
    outbox = Outbox(1000)
    async with on_a_socket(outbox) as far:
        outbox.put(b"no task has had its turn")
        assert far.recv(100) == b"no task has had its turn"
        assert outbox.waiting == 0
        await outbox.drained()


async def test_what_the_kernel_does_not_take_follows_in_its_order() -> None:
    data = bytes(range(256)) * 4096
    outbox = Outbox(2 * len(data))
    async with on_a_socket(outbox) as far:
        outbox.put(data)
        assert 0 < outbox.waiting < len(data)
        outbox.put(b"the end")  # the kernel may have room again; it must not be overtaken
        outbox.put_last(b"ERROR :bye")
        got = b""
        while not got.endswith(b"bye"):
            await trio.lowlevel.wait_readable(far)
            got += far.recv(100_000)
            outbox.put(b"too late")
    assert got == data + b"the endERROR :bye"
    assert outbox.waiting == 0


@both_contexts
async def test_tls_is_sealed_and_given_to_the_socket_at_once(asking: bool) -> None:
    outbox = Outbox(1000)
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        outbox.put(b"before the task began, ")
        nursery.start_soon(outbox.drain_into, stream)
        await trio.testing.wait_all_tasks_blocked()
        outbox.put(b"and at once")
        octets = os.read(far.socket.fileno(), 10_000)
        assert peer.hears(octets) == b"before the task began, and at once"
        nursery.cancel_scope.cancel()
    assert outbox.waiting == 0


@both_contexts
async def test_who_does_not_read_tls_fills_the_outbox_and_gets_all_in_its_order(
    asking: bool,
) -> None:
    outbox = Outbox(1_000_000)
    said: list[bytes] = []
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        nursery.start_soon(outbox.drain_into, stream)
        await trio.testing.wait_all_tasks_blocked()
        line = b""
        with suppress(OutboxFull):
            while True:  # the kernel takes some megabytes
                line = b"%06d " % len(said) * 3000
                outbox.put(line)
                said.append(line)
        assert 0 <= 1_000_000 - outbox.waiting < len(line)
        said.append(b"ERROR :too slow")
        outbox.put_last(said[-1])
        heard = b""
        while not heard.endswith(b"slow"):
            heard += peer.hears(bytes(await far.receive_some()))
    assert heard == b"".join(said)
    assert outbox.waiting == 0


async def test_once_tls_is_broken_nothing_is_sent() -> None:
    outbox = Outbox(1000)
    async with met() as (stream, _, far), trio.open_nursery() as nursery:
        nursery.start_soon(outbox.drain_into, stream)
        await trio.testing.wait_all_tasks_blocked()
        await far.send_all(b"no TLS at all\r\n" * 10)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        outbox.put(b"secret")
        outbox.put_last(b"secret")
        await outbox.drained()
        with pytest.raises(BlockingIOError):
            os.read(far.socket.fileno(), 10_000)


async def test_a_broken_socket_is_the_task_s_to_find() -> None:
    outbox = Outbox(1000)
    with pytest.RaisesGroup(trio.BrokenResourceError):
        async with on_a_socket(outbox) as far:
            far.close()
            outbox.put(b"to nobody")
            await trio.sleep_forever()
    outbox.put(b"later")
    assert outbox.waiting == len(b"to nobody" + b"later")


async def test_drained_waits_for_a_goodbye_too() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    outbox = Outbox(1000)
    outbox.put_last(b"ERROR :bye")
    with trio.move_on_after(0.01) as early:
        await outbox.drained()
    assert early.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.drain_into, near)
        assert await far.receive_some() == b"ERROR :bye"
        await outbox.drained()


async def test_drained_does_not_wait_for_a_peer_that_is_gone() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    outbox = Outbox(1000)
    outbox.put(b"for nobody")
    await far.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await outbox.drain_into(near)
    await outbox.drained()
