"""The floor: a bare trio relay that registers, stores, copies and reads pages, and no more.

What no bouncer written in Python can undercut: bytes split by `partition`, one group commit for
all that wait, durable before shown, one send per client and chunk. Its clients must negotiate the
capabilities that it negotiated with the network. `python -m tests.bench.floor_relay CONFIG`
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import trio

from tests.bench import floor_pages
from tests.bench.floor_pages import Pages
from tests.bench.secure import Pair, client_context

CAPS = b"server-time message-tags account-tag"
CHUNK_OCTETS = 1 << 16
WAITING = 64  # chunks on their way to the writer, of all users  # full: networks wait in TCP
OUTBOX = 256  # chunks on their way to one client  # full: the network waits
Row = tuple[bytes, bytes, bytes, bytes, bytes]


class Store:
    """One writer; whoever waits shares its commit."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute(
            "create table if not exists line (id integer primary key, user text, tags blob,"
            " source blob, target blob, text blob)"
        )
        self._send, self._receive = trio.open_memory_channel[tuple[list[Row], trio.Event]](WAITING)

    async def append(self, rows: list[Row]) -> None:
        done = trio.Event()
        await self._send.send((rows, done))
        await done.wait()

    async def run(self) -> None:
        async for rows, done in self._receive:
            batch, waiting = list(rows), [done]
            while True:
                try:
                    more, also = self._receive.receive_nowait()
                except trio.WouldBlock:
                    break
                batch += more
                waiting.append(also)
            await trio.to_thread.run_sync(self._commit, batch)
            for event in waiting:
                event.set()

    def _commit(self, batch: list[Row]) -> None:
        self._db.execute("begin")
        self._db.executemany(
            "insert into line (user, tags, source, target, text) values (?, ?, ?, ?, ?)", batch
        )
        self._db.execute("commit")


class User:
    """One user, one network, any number of clients."""

    def __init__(self, account: dict[str, Any], store: Store, pages: Pages) -> None:
        self.name = account["name"].encode()
        self.nick = account["nick"].encode()
        self.channels = [name.encode() for name in account["channels"]]
        self.store = store
        self.pages = pages
        self.state: list[bytes] = []  # the lines that tell a client where we are
        self.outboxes: set[trio.MemorySendChannel[bytes]] = set()

    async def run(self, port: int, tls: bool) -> None:
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port)
        if tls:
            stream = trio.SSLStream(stream, client_context(), https_compatible=True)
        await stream.send_all(
            b"CAP REQ :%b\r\nCAP END\r\nNICK %b\r\nUSER %b 0 * :floor\r\n"
            % (CAPS, self.nick, self.name)
        )
        rest = b""
        while data := await stream.receive_some(CHUNK_OCTETS):
            data = rest + data
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            rows: list[Row] = []
            said: list[bytes] = []
            for line in data[:cut].split(b"\r\n"):
                tags, body = line[1:].split(b" ", 1) if line[:1] == b"@" else (b"", line)
                source, _, tail = body.partition(b" ")
                command, _, params = tail.partition(b" ")
                if command == b"PRIVMSG":
                    target, _, text = params.partition(b" :")
                    rows.append((self.name, tags, source, target, text))
                    said.append(line)
                elif line:
                    await self._other(stream, source, command, line)
            if rows:
                await self.store.append(rows)
                said.append(b"")
                chunk = b"\r\n".join(said)
                for outbox in tuple(self.outboxes):
                    await outbox.send(chunk)

    async def _other(
        self, stream: trio.abc.Stream, source: bytes, command: bytes, line: bytes
    ) -> None:
        if source == b"PING":
            await stream.send_all(b"PONG" + line[4:] + b"\r\n")
        elif command == b"422":
            for start in range(0, len(self.channels), 20):
                await stream.send_all(b"JOIN %b\r\n" % b",".join(self.channels[start : start + 20]))
        elif command in (b"JOIN", b"332", b"333", b"353", b"366"):
            self.state.append(line)
            for outbox in tuple(self.outboxes):
                await outbox.send(line + b"\r\n")

    async def serve(self, stream: trio.abc.Stream) -> None:
        burst = [b":floor 001 %b :Welcome" % self.nick, *self.state, b""]
        outbox, chunks = trio.open_memory_channel[bytes](OUTBOX)
        self.outboxes.add(outbox)  # before the burst goes out: nothing is missed meanwhile
        try:
            await stream.send_all(b"\r\n".join(burst))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, chunks)
                while data := await stream.receive_some(CHUNK_OCTETS):
                    if data.startswith(b"CHATHISTORY "):
                        await outbox.send(await self.pages.answer(self.name, data))
                nursery.cancel_scope.cancel()
        finally:
            self.outboxes.discard(outbox)

    async def _write(
        self, stream: trio.abc.Stream, chunks: trio.MemoryReceiveChannel[bytes]
    ) -> None:
        async for chunk in chunks:
            parts = [chunk]
            try:
                while True:
                    parts.append(chunks.receive_nowait())
            except trio.WouldBlock:
                pass
            await stream.send_all(b"".join(parts))


async def heard(stream: trio.abc.Stream, word: bytes) -> bytes:
    """Read until the client has said a word and ended the line. Raises when it goes first."""
    data = b""
    while word not in data or not data.endswith(b"\r\n"):
        more = await stream.receive_some(CHUNK_OCTETS)
        if not more:
            raise trio.BrokenResourceError("the client went")
        data += more
    return data


async def welcome(users: dict[bytes, User], stream: trio.abc.Stream) -> None:
    """A client's handshake, just enough of it; then serve."""
    async with stream:
        try:
            hello = await heard(stream, b"USER ")
            await stream.send_all(b":floor CAP * LS :%b %b\r\n" % (CAPS, floor_pages.CAPS))
            await heard(stream, b"CAP REQ")
            await stream.send_all(b":floor CAP * ACK :%b\r\n" % CAPS)
            await heard(stream, b"CAP END")
            name = hello.partition(b"USER ")[2].partition(b"@")[0]
            await users[name].serve(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone


async def main(config: dict[str, Any]) -> None:
    store, pages = Store(Path(config["database"])), Pages(Path(config["database"]))
    pair = config["pair"]
    context = Pair(*map(Path, pair)).context() if pair else None
    users = {
        account["name"].encode(): User(account, store, pages) for account in config["accounts"]
    }
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run)
        for user in users.values():
            nursery.start_soon(user.run, config["network_port"], pair is not None)

        async def handle(stream: trio.abc.Stream) -> None:
            if context:
                stream = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            await welcome(users, stream)

        nursery.start_soon(trio.serve_tcp, handle, config["port"])
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, json.loads(Path(sys.argv[1]).read_text()))
