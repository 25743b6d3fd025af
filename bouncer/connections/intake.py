"""What comes on connections. Sockets, with TLS or without, are read by one task, all that are ready
in one go: to wake a task for each line of a trickle costs more than all else about it.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import NamedTuple

import outcome
import trio

from bouncer.hub.errands import Errand
from bouncer.tls.stream import TlsStream

READ_CHUNK = 32_768  # octets of one read; a connection's flood may do no more before others' turn
CROWD_CHUNK = 8_192  # the same where others speak as well,
CROWD_S = 0.02  # for so long after one has spoken between two others
SLICE_S = 0.002  # of reading, before other tasks have their turn
# After a go in a crowd that brought little from each, more may gather for GATHER times as long as
# it took, at most for GATHER_S: what a wake-up, a commit and a send cost is then shared by more
# lines. Who speaks alone may be waiting for an answer before they say more.
SMALL = 1024  # octets, of one read
GATHER = 3.0
GATHER_S = 0.008

Take = Callable[[bytes], Errand | None]
Follow = Callable[[trio.abc.ReceiveStream, Take], Awaitable[Errand | None]]


async def alone(stream: trio.abc.ReceiveStream, take: Take) -> Errand | None:
    """Give `take` what comes on the stream, chunk by chunk, until it names something that must be
    waited for before the next. None at the end of the stream; raises what reading raises."""
    while data := await stream.receive_some(READ_CHUNK):
        if (errand := take(bytes(data))) is not None:
            return errand
    return None


class _End(Enum):
    END = auto()


END = _End.END
_TakeOctets = Callable[[bytes], Errand | _End | None]


class _Follower(NamedTuple):
    take: _TakeOctets
    task: trio.lowlevel.Task


def _opening(stream: TlsStream, take: Take) -> _TakeOctets:
    """What comes by TLS, given to `take` in clear."""

    def take_octets(octets: bytes) -> Errand | _End | None:
        data = stream.opened(octets)
        errand = take(data) if data else None
        if errand is None and stream.ended():
            return END
        return errand

    return take_octets


class Intake:
    """`together` is entered for each go: what is stored in it may share a commit.

    Every socket is level-triggered in an epoll of its own, which is itself one thing that trio
    waits for. What `take` raises is raised in the task that follows.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._together = together
        self._epoll = select.epoll()
        self._followers: dict[int, _Follower] = {}  # by their sockets' numbers
        self._octets = 0  # of this go
        self._last = -1  # who was read last
        self._crowd_until = 0.0

    async def follow(self, stream: trio.abc.ReceiveStream, take: Take) -> Errand | None:
        """The same as `alone`. Nobody may close the stream meanwhile."""
        wire = stream.transport if isinstance(stream, TlsStream) else stream
        if not isinstance(wire, trio.SocketStream):
            return await alone(stream, take)
        take_octets: _TakeOctets = take
        if isinstance(stream, TlsStream):
            take_octets = _opening(stream, take)
            if (met := take_octets(b"")) is not None:  # what came before it was followed
                return None if met is END else met
        fd = wire.socket.fileno()
        self._followers[fd] = _Follower(take_octets, trio.lowlevel.current_task())
        self._epoll.register(fd, select.EPOLLIN)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._forget(fd)
            return trio.lowlevel.Abort.SUCCEEDED

        errand: Errand | None = await trio.lowlevel.wait_task_rescheduled(abort)
        return errand

    def is_crowded(self) -> bool:
        """Whether several have spoken lately: then a flood must do less before others' turn."""
        return time.perf_counter() < self._crowd_until

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            began = time.perf_counter()
            ready = [fd for fd, _ in self._epoll.poll(0)]
            reads, self._octets = len(ready), 0
            while ready:
                with self._together():
                    ready = self._read(ready)
                if ready:
                    await trio.lowlevel.checkpoint()
            if self.is_crowded() and self._octets < SMALL * reads:
                await trio.sleep(min(GATHER * (time.perf_counter() - began), GATHER_S))

    def _read(self, ready: list[int]) -> list[int]:
        """Read each once; those for whom there was no time."""
        until = time.perf_counter() + SLICE_S
        for index, fd in enumerate(ready, 1):
            if (follower := self._followers.get(fd)) is not None:
                self._read_one(fd, follower)
            if time.perf_counter() > until:
                return ready[index:]
        return []

    def _read_one(self, fd: int, follower: _Follower) -> None:
        try:
            if fd != self._last:
                self._last, self._crowd_until = fd, time.perf_counter() + CROWD_S
            data = os.read(fd, CROWD_CHUNK if self.is_crowded() else READ_CHUNK)
            self._octets += len(data)
            met = follower.take(data) if data else END
        except BlockingIOError:
            return  # somebody else follows by this number now
        except Exception as error:
            self._forget(fd)
            trio.lowlevel.reschedule(follower.task, outcome.Error(error))
            return
        if met is not None:
            self._forget(fd)
            trio.lowlevel.reschedule(follower.task, outcome.Value(None if met is END else met))

    def _forget(self, fd: int) -> None:
        del self._followers[fd]
        self._epoll.unregister(fd)
