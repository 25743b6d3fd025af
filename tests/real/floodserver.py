"""A server that welcomes anyone and then says numbered lines as fast as they are taken.

It stands in for a network in full flood: no real server sends this much to one client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from bouncer.irc.wire import LineReader, Message

CHUNK_LINES = 50
NAME = "flood.example.net"


@dataclass
class FloodServer:
    """`said` counts the lines handed to the kernel since the server began, over all connections."""

    port: int
    channel: str = "#flood"
    said: int = 0
    flooding: trio.Event = field(default_factory=trio.Event)
    joined: trio.Event = field(default_factory=trio.Event)
    most: int = 1_000_000
    padding: str = ""  # at the end of each line
    chunk_s: float = 0.0  # between chunks; 0: as fast as they are taken
    lines_per_s: float = 0.0  # kept up whatever a chunk takes; 0: as chunk_s says
    connections: int = 0
    raw: list[bytes] = field(default_factory=list)  # said as they are when the channel is joined

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        nick = "me"
        reader = LineReader(8192)
        async with trio.open_nursery() as nursery:
            try:
                while chunk := await stream.receive_some(65536):
                    for line in reader.feed(bytes(chunk)):
                        if not line:
                            continue
                        message = Message.parse(line)
                        answer = self._answer(message, nick)
                        if message.command == "NICK":
                            nick = message.params[0]
                        if answer:
                            await stream.send_all(answer.encode())
                        if message.command == "JOIN":
                            self.joined.set()
                            for data in self.raw:
                                await stream.send_all(data)
                            nursery.start_soon(self._flood, stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the bouncer was killed: what the tests are for
            nursery.cancel_scope.cancel()

    def _answer(self, message: Message, nick: str) -> str:
        match message.command:
            case "CAP" if message.params[0] == "LS":
                return f":{NAME} CAP * LS :\r\n"
            case "USER":
                lines = [f"00{n} {nick} :welcome" for n in (1, 2, 3)]
                lines += [
                    f"004 {nick} {NAME} flood-1 i b",
                    f"005 {nick} CHANTYPES=# :are supported",
                ]
                lines += [f"422 {nick} :no motd"]
                return "".join(f":{NAME} {line}\r\n" for line in lines)
            case "JOIN":
                return (
                    f":{nick}!me@flood.example.net JOIN {self.channel}\r\n"
                    f":{NAME} 353 {nick} = {self.channel} :{nick} loud\r\n"
                    f":{NAME} 366 {nick} {self.channel} :end\r\n"
                )
            case "PING":
                return f":{NAME} PONG {NAME} :{message.params[0]}\r\n"
        return ""

    async def _flood(self, stream: trio.SocketStream) -> None:
        await self.flooding.wait()
        due = trio.current_time()
        try:
            while self.said < self.most:
                count = min(CHUNK_LINES, self.most - self.said)
                numbers = range(self.said, self.said + count)
                self.said += count
                lines = "".join(
                    f":loud!loud@example.net PRIVMSG {self.channel} :line {n:07d}{self.padding}\r\n"
                    for n in numbers
                )
                await stream.send_all(lines.encode())
                if self.lines_per_s:
                    due += count / self.lines_per_s
                    await trio.sleep_until(due)
                else:
                    await trio.sleep(self.chunk_s)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


@asynccontextmanager
async def flood_server(host: str = "127.0.0.1") -> AsyncIterator[FloodServer]:
    """Serve on a free port in this process; it floods once `flooding` is set."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=host)
        server = FloodServer(listeners[0].socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
