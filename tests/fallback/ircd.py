"""A scripted public network on loopback: what a client sends is heard, what it hears is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from bouncer.irc.wire import LineReader

WAIT_S = 5.0


class Ircd:
    """One client at a time. `hears(start)` waits for a line, `says(line)` answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"irc+insecure://127.0.0.1:{port}"
        self._stream: trio.SocketStream | None = None
        self._lines_in, self._lines = trio.open_memory_channel[str](1000)
        self._connected = trio.Event()
        self._saying = trio.Lock()  # it may answer a PING just then
        self.connections = 0
        self.answers_pings = True
        self.heard: list[str] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.connections += 1
        self._connected.set()
        reader = LineReader()
        try:
            async for data in stream:
                for line in reader.feed(bytes(data)):
                    if line.startswith("PING alive"):
                        continue  # the announcer's own liveness check
                    if line.startswith("PING "):
                        if not self.answers_pings:
                            continue
                        await self.says(f":irc.test PONG irc.test {line[5:]}")
                        continue
                    self.heard.append(line)
                    await self._lines_in.send(line)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def says(self, *lines: str) -> None:
        await self._connected.wait()
        assert self._stream is not None
        async with self._saying:
            await self._stream.send_all("".join(f"{line}\r\n" for line in lines).encode())

    async def hears(self, start: str, *, within_s: float = WAIT_S) -> str:
        """The next line that begins so; others before it are passed over."""
        passed: list[str] = []
        with trio.move_on_after(within_s):
            async for line in self._lines:
                if line.startswith(start):
                    return line
                passed.append(line)
        raise AssertionError(f"no {start!r}, but {passed}")

    async def hears_nothing(self, start: str, *, for_s: float) -> None:
        """Nothing that begins so comes in this time."""
        with trio.move_on_after(for_s):
            async for line in self._lines:
                assert not line.startswith(start), line

    async def drops(self) -> None:
        assert self._stream is not None
        self._connected = trio.Event()
        await trio.aclose_forcefully(self._stream)

    async def welcomes(self, nick: str, *tokens: str) -> None:
        """From CAP LS to the end of the welcome, without SASL or capabilities."""
        await self.hears("CAP LS")
        await self.hears("USER")
        await self.says(
            ":irc.test CAP * LS :",
            f":irc.test 001 {nick} :Welcome {nick}!~fallback@192.0.2.9",
            f":irc.test 005 {nick} CHANTYPES=# PREFIX=(ov)@+ {' '.join(tokens)} :are supported",
            f":irc.test 422 {nick} :no MOTD",
        )

    async def lets_in(self, nick: str, *names: str, op: bool = False) -> None:
        """Answer the JOINs of these channels."""
        for name in names:
            await self.hears(f"JOIN {name}")
            await self.says(
                f":{nick}!~fallback@192.0.2.9 JOIN {name}",
                f":irc.test 353 {nick} = {name} :{'@' if op else ''}{nick}",
                f":irc.test 366 {nick} {name} :End",
                f":irc.test 324 {nick} {name} +nt",
            )


@asynccontextmanager
async def open_ircd() -> AsyncIterator[Ircd]:
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ircd = Ircd(listener.socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, ircd.serve, [listener])
        yield ircd
        nursery.cancel_scope.cancel()
