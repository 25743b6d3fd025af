"""A WebSocket client for tests, of another library than the bouncer's, as a stream of lines."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import trio
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from tests.real.certificates import trusting_all
from tests.real.peer import Peer

BOTH = ("binary.ircv3.net", "text.ircv3.net")
URI = "ws://irc.example.net/"


class WebSocketClient(trio.abc.Stream):
    """`response` is the answer to the handshake, `messages` are those not read as lines yet."""

    def __init__(
        self,
        transport: trio.abc.Stream,
        subprotocols: Sequence[str] = BOTH,
        *,
        origin: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.transport = transport
        self.protocol = ClientProtocol(
            parse_uri(URI),
            origin=Origin(origin) if origin else None,
            extensions=[ClientPerMessageDeflateFactory()],  # as browsers do
            subprotocols=[Subprotocol(each) for each in subprotocols] or None,
        )
        self.headers = headers
        self.response: Response | None = None
        self.messages: deque[tuple[Opcode, bytes]] = deque()
        self.pongs: list[bytes] = []

    @property
    def binary(self) -> bool:
        return self.protocol.subprotocol == BOTH[0]

    async def shake_hands(self) -> Response:
        request = self.protocol.connect()
        for name, value in self.headers:
            request.headers[name] = value
        self.protocol.send_request(request)
        await self.flush()
        while self.response is None:
            await self._read()
        return self.response

    async def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                await self.transport.send_all(data)
            else:
                await self.transport.aclose()

    async def says(self, *lines: bytes) -> None:
        """One message each."""
        for line in lines:
            if self.binary:
                self.protocol.send_binary(line)
            else:
                self.protocol.send_text(line)
        await self.flush()

    async def hears(self) -> tuple[Opcode, bytes]:
        """The next message."""
        while not self.messages:
            await self._read()
        return self.messages.popleft()

    async def is_closed(self) -> int | None:
        """Wait for the end; the code of the Close frame, 1006 where none came."""
        while self.protocol.state is not State.CLOSED:
            with suppress(trio.BrokenResourceError):
                await self._read()
        return self.protocol.close_code

    async def _read(self) -> None:
        data = await self.transport.receive_some(65_536)
        if data:
            self.protocol.receive_data(bytes(data))
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                assert event.fin
                self.messages.append((event.opcode, bytes(event.data)))
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.pongs.append(bytes(event.data))
        with suppress(trio.BrokenResourceError):  # it is gone and hears no answer
            await self.flush()
        if not data:
            raise trio.BrokenResourceError(f"closed with {self.protocol.close_code}")

    # --- as a stream of lines ---

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.says(*bytes(data).split(b"\r\n")[:-1])

    async def receive_some(self, _max_bytes: int | None = None) -> bytes:
        _, message = await self.hears()
        return message + b"\r\n"

    async def wait_send_all_might_not_block(self) -> None:
        await self.transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.transport.aclose()


@asynccontextmanager
async def websocket_peer(
    port: int,
    subprotocols: Sequence[str] = BOTH,
    *,
    tls: bool = False,
    headers: Sequence[tuple[str, str]] = (),
) -> AsyncIterator[Peer]:
    """A client of a WebSocket listener on 127.0.0.1, not registered yet."""
    stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port)
    if tls:
        stream = trio.SSLStream(stream, trusting_all(), https_compatible=True)
    client = WebSocketClient(stream, subprotocols, headers=headers)
    assert (await client.shake_hands()).status_code == 101
    made = Peer(client)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run_reader)
        try:
            yield made
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
