"""One task reads all sockets: nothing is lost, doubled or out of order, whoever waits."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from bouncer.connections import intake
from bouncer.connections.intake import Intake
from bouncer.hub.errands import Errand
from tests.bouncer.tls_peer import both_contexts, met

Pair = tuple[trio.SocketStream, trio.SocketStream]


@asynccontextmanager
async def pairs(count: int) -> AsyncIterator[list[Pair]]:
    """(near, far) ends of so many TCP connections."""
    near: list[trio.SocketStream] = []
    far: list[trio.SocketStream] = []
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    for _ in range(count):
        far.append(await trio.open_tcp_stream(*listener.socket.getsockname()))
        near.append(await listener.accept())
    try:
        yield list(zip(near, far, strict=True))
    finally:
        for stream in (listener, *near, *far):
            await trio.aclose_forcefully(stream)


class Goes:
    """Counts the goes of an intake."""

    def __init__(self) -> None:
        self.count = 0
        self.is_open = False

    @contextmanager
    def together(self) -> Iterator[None]:
        assert not self.is_open
        self.count, self.is_open = self.count + 1, True
        yield
        self.is_open = False


async def test_all_that_are_ready_are_read_in_one_go() -> None:
    goes = Goes()
    reader = Intake(goes.together)
    heard: dict[int, bytes] = {}

    def take_for(number: int) -> intake.Take:
        def take(data: bytes) -> None:
            assert goes.is_open
            heard[number] = heard.get(number, b"") + data

        return take

    async with pairs(20) as streams, trio.open_nursery() as nursery:
        for number, (near, far) in enumerate(streams):
            nursery.start_soon(reader.follow, near, take_for(number))
            await far.send_all(b"line %d\r\n" % number)
        await wait_all_tasks_blocked()
        nursery.start_soon(reader.run)
        await wait_all_tasks_blocked()
        assert heard == {number: b"line %d\r\n" % number for number in range(20)}
        assert goes.count == 1
        nursery.cancel_scope.cancel()


async def test_others_have_their_turn_when_reading_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "SLICE_S", 0.0)
    goes = Goes()
    reader = Intake(goes.together)
    heard: list[bytes] = []
    async with pairs(5) as streams, trio.open_nursery() as nursery:
        for near, far in streams:
            nursery.start_soon(reader.follow, near, heard.append)
            await far.send_all(b"x")
        await wait_all_tasks_blocked()
        nursery.start_soon(reader.run)
        await wait_all_tasks_blocked()
        assert heard == [b"x"] * 5
        assert goes.count == 5
        nursery.cancel_scope.cancel()


async def test_after_small_reads_more_gathers(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(intake, "GATHER", 1e9)  # a go that takes any time at all
    monkeypatch.setattr(intake, "GATHER_S", 60.0)
    monkeypatch.setattr(intake, "CROWD_S", 60.0)
    autojump_clock.autojump_threshold = math.inf
    goes = Goes()
    reader = Intake(goes.together)
    heard: list[bytes] = []
    async with pairs(2) as [(near, far), (other, further)], trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        nursery.start_soon(reader.follow, near, heard.append)
        nursery.start_soon(reader.follow, other, heard.append)
        await far.send_all(b"x" * intake.SMALL)
        await further.send_all(b"y" * intake.SMALL)
        await wait_all_tasks_blocked()
        many = goes.count
        assert sum(map(len, heard)) == 2 * intake.SMALL
        os.write(far.socket.fileno(), b"one")
        os.write(further.socket.fileno(), b"two")
        await wait_all_tasks_blocked()  # after much no time was lost
        assert (sorted(heard[-2:]), goes.count) == ([b"one", b"two"], many + 1)
        await far.send_all(b"three")
        await further.send_all(b"four")
        await wait_all_tasks_blocked()
        assert (sorted(heard[-2:]), goes.count) == ([b"one", b"two"], many + 1)
        autojump_clock.jump(60.0)
        await wait_all_tasks_blocked()
        assert (sorted(heard[-2:]), goes.count) == ([b"four", b"three"], many + 2)
        nursery.cancel_scope.cancel()


async def test_who_speaks_alone_waits_for_nothing_to_gather(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(intake, "GATHER", 1e9)
    monkeypatch.setattr(intake, "GATHER_S", 60.0)
    monkeypatch.setattr(intake, "CROWD_S", 0.0)  # any time ago is long ago
    autojump_clock.autojump_threshold = math.inf
    reader = Intake()
    heard: list[bytes] = []
    async with pairs(2) as [(near, far), (other, _)], trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        nursery.start_soon(reader.follow, near, heard.append)
        nursery.start_soon(reader.follow, other, heard.append)
        for question in (b"one", b"two"):  # a dialogue: the next comes when this is answered
            await far.send_all(question)
            await wait_all_tasks_blocked()
            assert heard[-1] == question
        nursery.cancel_scope.cancel()


async def test_a_flood_is_read_in_smaller_parts_while_others_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "CROWD_S", 60.0)
    reader = Intake()
    parts: list[int] = []
    async with pairs(2) as [(near, far), (other, further)], trio.open_nursery() as nursery:
        nursery.start_soon(reader.follow, near, lambda data: parts.append(len(data)))
        nursery.start_soon(reader.follow, other, lambda _: None)
        await further.send_all(b"a line\r\n")
        await far.send_all(b"x" * intake.READ_CHUNK)
        await wait_all_tasks_blocked()
        nursery.start_soon(reader.run)
        await wait_all_tasks_blocked()
        assert reader.is_crowded()
        assert sum(parts) == intake.READ_CHUNK
        assert max(parts) == intake.CROWD_CHUNK
        monkeypatch.setattr(intake, "CROWD_S", 0.0)
        await further.send_all(b"another\r\n")
        await wait_all_tasks_blocked()
        assert not reader.is_crowded(), "it was long ago"
        parts.clear()
        await far.send_all(b"x" * intake.READ_CHUNK)
        await wait_all_tasks_blocked()
        assert max(parts) > intake.CROWD_CHUNK
        nursery.cancel_scope.cancel()


async def test_nothing_is_read_before_what_must_be_waited_for_is_over() -> None:
    reader = Intake()
    heard: list[bytes] = []

    async def errand() -> None: ...

    def take(data: bytes) -> Errand | None:
        heard.append(data)
        return errand

    async with pairs(1) as [(near, far)], trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await far.send_all(b"one")
        assert await reader.follow(near, take) is errand
        await far.send_all(b"two")
        await wait_all_tasks_blocked()
        assert heard == [b"one"]  # the rest waits in TCP
        assert await reader.follow(near, take) is errand
        assert heard == [b"one", b"two"]
        await far.send_eof()
        assert await reader.follow(near, take) is None
        nursery.cancel_scope.cancel()


async def test_a_fault_is_that_of_its_connection_alone() -> None:
    reader = Intake()
    heard: list[bytes] = []

    def fail(_data: bytes) -> None:
        raise ZeroDivisionError

    async with (
        pairs(3) as [(bad, worse), (cut, cutter), (good, friend)],
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(reader.run)
        nursery.start_soon(reader.follow, good, heard.append)
        await worse.send_all(b"x")
        with pytest.raises(ZeroDivisionError):
            await reader.follow(bad, fail)
        await cut.send_all(b"unread")
        await wait_all_tasks_blocked()
        await trio.aclose_forcefully(cutter)  # what it has not read makes this a reset
        with pytest.raises(ConnectionResetError):
            await reader.follow(cut, heard.append)
        await friend.send_all(b"still here")
        await wait_all_tasks_blocked()
        assert heard == [b"still here"]
        nursery.cancel_scope.cancel()


async def test_who_is_cancelled_leaves_what_comes_to_the_next() -> None:
    reader = Intake()
    heard: list[bytes] = []
    async with pairs(1) as [(near, far)], trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        with trio.CancelScope() as scope:
            scope.cancel()
            await reader.follow(near, heard.append)
        assert scope.cancelled_caught
        await far.send_all(b"late")
        await wait_all_tasks_blocked()
        assert heard == []
        nursery.start_soon(reader.follow, near, heard.append)
        await wait_all_tasks_blocked()
        assert heard == [b"late"]
        nursery.cancel_scope.cancel()


@both_contexts
async def test_tls_is_read_in_the_same_go(asking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "GATHER", 0.0)
    goes = Goes()
    reader = Intake(goes.together)
    heard: list[bytes] = []
    async with (
        met(asking) as (one, alice, her_end),
        met(asking) as (two, bob, his_end),
        pairs(1) as [(near, far)],
        trio.open_nursery() as nursery,
    ):
        for stream in (one, two, near):
            nursery.start_soon(reader.follow, stream, heard.append)
        await her_end.send_all(alice.says(b"alice"))
        stalled = bob.says(b"bob")
        await his_end.send_all(stalled[:-1])  # and the rest does not come: nobody waits for it
        await far.send_all(b"in clear")
        await wait_all_tasks_blocked()
        nursery.start_soon(reader.run)
        await wait_all_tasks_blocked()
        assert (sorted(heard), goes.count) == ([b"alice", b"in clear"], 1)
        await his_end.send_all(stalled[-1:])
        await wait_all_tasks_blocked()
        assert heard[-1] == b"bob"
        nursery.cancel_scope.cancel()


@both_contexts
async def test_what_came_by_tls_before_it_is_followed_is_taken(asking: bool) -> None:
    heard: list[bytes] = []
    reader = Intake()
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        await far.send_all(peer.says(b"one") + peer.says(b"two") + peer.says(b"three")[:10])
        assert await stream.receive_some() == b"one"
        nursery.start_soon(reader.follow, stream, heard.append)
        await wait_all_tasks_blocked()
        assert heard == [b"two"]
        nursery.cancel_scope.cancel()


@both_contexts
async def test_a_goodbye_by_tls_is_an_end_after_what_must_be_waited_for(asking: bool) -> None:
    async def errand() -> None: ...

    def take(data: bytes) -> Errand | None:
        heard.append(data)
        return errand if data == b"wait" else None

    heard: list[bytes] = []
    reader = Intake()
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await far.send_all(peer.says(b"wait") + peer.says_goodbye())
        assert await reader.follow(stream, take) is errand
        assert await reader.follow(stream, take) is None
        assert heard == [b"wait"]
        nursery.cancel_scope.cancel()
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await far.send_all(peer.says(b"bye") + peer.says_goodbye())
        assert await reader.follow(stream, take) is None
        assert heard == [b"wait", b"bye"]
        nursery.cancel_scope.cancel()


@both_contexts
async def test_what_is_no_tls_is_a_fault_after_what_came_before(asking: bool) -> None:
    heard: list[bytes] = []
    reader = Intake()
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await far.send_all(peer.says(b"ERROR :bye") + b"and now in clear\r\n" * 10)
        with pytest.raises(trio.BrokenResourceError):
            await reader.follow(stream, heard.append)
        assert heard == [b"ERROR :bye"]
        nursery.cancel_scope.cancel()


@both_contexts
async def test_who_just_closes_a_tls_connection_has_ended(asking: bool) -> None:
    heard: list[bytes] = []
    reader = Intake()
    async with met(asking) as (stream, peer, far), trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await far.send_all(peer.says(b"QUIT") + peer.says(b"cut off")[:10])
        await far.aclose()
        assert await reader.follow(stream, heard.append) is None
        assert heard == [b"QUIT"]
        nursery.cancel_scope.cancel()


async def test_other_streams_are_read_by_their_own_task() -> None:
    near, far = memory_stream_pair()
    heard: list[bytes] = []
    await far.send_all(b"by WebSocket, say")
    await far.aclose()
    assert await Intake().follow(near, heard.append) is None  # nobody runs it
    assert b"".join(heard) == b"by WebSocket, say"
