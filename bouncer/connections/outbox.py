"""A bounded queue of octets for one peer. Putting never waits; a full outbox says so at once."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from bouncer.tls.stream import TlsStream

SEND_CHUNK = 65_536  # octets handed to one send


class OutboxFull(Exception):
    """The peer reads too slowly: `limit` octets wait for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} octets are waiting to be sent")


class Outbox:
    """Octets on their way to one peer; written by many, drained by one task.

    While nothing waits, a socket is given them as they are put: to wake the task for each line of
    a trickle would cost more than all else about it. What the kernel does not take at once is the
    task's. For TLS they are sealed as they are put, and so keep their order whoever sends them.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit  # octets; full: the owner drops the peer
        self.closing = trio.Event()
        self._parts: list[bytes] = []
        self._size = 0
        self._sending = 0
        self._wake = trio.Event()
        self._drained = trio.Event()
        self._drained.set()
        self._socket: trio.socket.SocketType | None = None  # the one that takes them at once
        self._seal: Callable[[bytes], bytes] | None = None  # what is queued has been through it

    @property
    def closed(self) -> bool:
        return self.closing.is_set()

    @property
    def waiting(self) -> int:
        """Octets not yet accepted by the peer's kernel, those in the current send included."""
        return self._size + self._sending

    def put(self, data: bytes) -> None:
        """Send or queue `data`. Raises OutboxFull; after close() the data is dropped."""
        if self.closed or not data:
            return
        if self._size + len(data) > self.limit:
            raise OutboxFull(self.limit)
        if self._seal is not None:
            data = self._seal(data)
        if self._socket is not None and not self._size and not self._sending:
            sent = _send_now(self._socket, data)
            if sent == len(data):
                return
            data = data[sent:]
        self._queue(data)

    def put_last(self, data: bytes) -> None:
        """Queue a goodbye beyond the limit and close: what waits is still sent."""
        if not self.closed:
            self._queue(self._seal(data) if self._seal is not None else data)
            self.close()

    def _queue(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._drained.is_set():
            self._drained = trio.Event()
        self._wake.set()

    def close(self) -> None:
        self.closing.set()
        self._wake.set()

    async def drained(self) -> None:
        """Wait until everything put so far has been sent, or never will be."""
        await self._drained.wait()

    async def drain_into(self, stream: trio.abc.SendStream) -> None:
        """Send until closed and empty, in few large sends."""
        if isinstance(stream, TlsStream):
            self._seal, stream = stream.sealed, stream.transport
            self._parts = [self._seal(b"".join(self._parts))] if self._parts else []
            self._size = sum(map(len, self._parts))
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        try:
            await self._drain_into(stream)
        finally:
            self._socket = self._seal = None
            self._drained.set()

    async def _drain_into(self, stream: trio.abc.SendStream) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._parts:
                data = b"".join(self._parts)
                self._parts.clear()
                self._size, self._sending = 0, len(data)
                for start in range(0, len(data), SEND_CHUNK):
                    await stream.send_all(data[start : start + SEND_CHUNK])
                    self._sending = max(0, self._sending - SEND_CHUNK)
            self._sending = 0
            self._drained.set()
            if self.closed:
                return


def _send_now(socket: trio.socket.SocketType, data: bytes) -> int:
    """How many octets the kernel has taken. A socket that is broken takes none: the task finds out
    by its own send."""
    try:
        return os.write(socket.fileno(), data)
    except OSError:
        return 0
