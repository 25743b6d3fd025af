"""IRC over WebSocket as a stream of lines, so that nothing else knows of it.

One message is one line without CRLF. wsproto does the protocol; here are the bounds and the two
directions, which a reading and a writing task use at the same time. Sources: IRCv3 websocket,
RFC 6455.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

BINARY, TEXT = "binary.ircv3.net", "text.ircv3.net"
HANDSHAKE_S = 10.0  # for the HTTP request, which h11 bounds to 16 KiB
HANDSHAKE_CHUNK = 4_096
MAX_MESSAGE = 65_536  # octets; a longer one ends the connection. The line reader has its own limit
ANSWER_S = 1.0  # for a PONG or Close frame to leave
CLOSE_S = 1.0  # for the client's answer to our Close frame

Headers = Iterable[tuple[bytes, bytes]]


class HandshakeFault(Exception):
    """It is no WebSocket client, or none that we take. The text says why."""


async def accept(
    transport: trio.abc.Stream, origins: Collection[str] = ()
) -> tuple[WebSocketStream, Headers]:
    """The opening handshake (RFC 6455 section 4.2); with the stream come the request's headers.

    Raises HandshakeFault when the client has been refused, or took too long.
    """
    protocol = WSConnection(ConnectionType.SERVER)
    with trio.move_on_after(HANDSHAKE_S):
        request = await _read_request(transport, protocol)
        if not is_allowed(request, origins):
            refusal = RejectConnection(status_code=403)
            await transport.send_all(protocol.send(refusal))
            raise HandshakeFault("a page of another origin; `origins` names those that may")
        # "The server MUST accept any subprotocol it supports, respecting the client's order"
        offered = (each for each in request.subprotocols if each in (BINARY, TEXT))
        chosen = next(offered, None)
        # No extensions: a compressed message could be a thousand times what it seems.
        await transport.send_all(protocol.send(AcceptConnection(subprotocol=chosen)))
        return WebSocketStream(transport, protocol, text=chosen != BINARY), request.extra_headers
    raise HandshakeFault(f"no whole request within {HANDSHAKE_S:.0f} s")


async def _read_request(transport: trio.abc.Stream, protocol: WSConnection) -> Request:
    try:
        while data := await transport.receive_some(HANDSHAKE_CHUNK):
            protocol.receive_data(bytes(data))
            for event in protocol.events():
                if isinstance(event, Request):
                    return event
    except (RemoteProtocolError, UnicodeError) as error:  # wsproto decodes headers as they are
        hint: Event | None = getattr(error, "event_hint", None)
        await transport.send_all(protocol.send(hint or RejectConnection()))
        raise HandshakeFault(f"no WebSocket request: {error}") from None
    raise HandshakeFault("it ended before its request was whole")


def is_allowed(request: Request, origins: Collection[str]) -> bool:
    """Whether the page that opens this connection may: those from our own host, and `origins`.

    Programs that are no browser send no Origin. A browser presents its user's certificate for any
    page, and so pages of others must be kept out (RFC 6455 section 10.2).
    """
    said = [value.decode("latin-1").lower() for name, value in request.extra_headers
            if name == b"origin"]  # fmt: skip
    return all(
        "*" in origins or each in origins or _host_of(each) == request.host.lower() for each in said
    )


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def forwarded_for(headers: Headers, is_trusted: Callable[[str], bool]) -> str:
    """Who the client of a trusted proxy is: the last address in X-Forwarded-For that is no trusted
    proxy's, for everything before it may be the client's own invention. '' where there is none."""
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    client = ""
    for word in reversed(said.decode("latin-1").split(",")):
        try:
            client = str(ipaddress.ip_address(word.strip()))
        except ValueError:
            break
        if not is_trusted(client):
            break
    return client


class WebSocketStream(trio.abc.HalfCloseableStream):
    """Lines with CRLF in both directions. The end of what is received is the client's Close frame;
    a connection that ends without one is broken. `text`: what we send are text messages."""

    def __init__(self, transport: trio.abc.Stream, protocol: WSConnection, *, text: bool) -> None:
        self._transport = transport
        self._protocol = protocol
        self._text = text
        self._line = b""  # the beginning of a line whose rest send_all has not been given yet
        self._message_size = 0  # of the message that is coming in, so far
        self._owed = b""  # an answer to a frame: the newest PONG alone is owed, section 5.5.3
        self._sending = trio.Lock()
        self._ended = trio.Event()

    # --- to the client ---

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        async with self._sending:
            if self._protocol.state is not ConnectionState.OPEN:
                raise trio.BrokenResourceError("the WebSocket is closed")
            *lines, self._line = (self._line + bytes(data)).split(b"\r\n")
            await self._transport.send_all(b"".join(map(self._frame, lines)))
            while self._owed:
                await self._send_owed()

    def _frame(self, line: bytes) -> bytes:
        if self._text:
            # "Servers MUST NOT relay non-UTF-8 content to clients using text messages"
            return self._protocol.send(TextMessage(data=line.decode("utf-8", "replace")))
        return self._protocol.send(BytesMessage(data=line))

    async def _send_owed(self) -> None:
        owed, self._owed = self._owed, b""
        await self._transport.send_all(owed)

    async def wait_send_all_might_not_block(self) -> None:
        await self._transport.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """The closing handshake, as far as the client joins in."""
        async with self._sending:
            if self._protocol.state is ConnectionState.OPEN:
                close = CloseConnection(code=CloseReason.NORMAL_CLOSURE)
                await self._transport.send_all(self._protocol.send(close))
        with trio.move_on_after(CLOSE_S):
            await self._ended.wait()

    async def aclose(self) -> None:
        await self._transport.aclose()

    # --- from the client ---

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What the client has said; b"" after its Close frame. Raises trio.BrokenResourceError."""
        said = b""
        while not said and not self._ended.is_set():
            data = await self._transport.receive_some(max_bytes)
            if not data:
                self._ended.set()
                raise trio.BrokenResourceError("it ended without a Close frame")
            self._protocol.receive_data(bytes(data))
            fault = ""
            for event in self._protocol.events():
                match event:
                    case TextMessage() | BytesMessage():
                        said += self._take(event)
                        if self._message_size > MAX_MESSAGE:
                            fault = f"a message of more than {MAX_MESSAGE} octets"
                            self._close(CloseReason.MESSAGE_TOO_BIG)
                            break
                    case Ping():
                        self._owed = self._protocol.send(event.response())
                    case CloseConnection():
                        if self._protocol.state is ConnectionState.OPEN:  # no peer's: a parser's
                            fault = event.reason or "no WebSocket frame"
                        self._close(event.code)
                        break
            await self._answer()
            if fault:
                raise trio.BrokenResourceError(fault)
        return said

    def _take(self, message: TextMessage | BytesMessage) -> bytes:
        """A piece of a message as it goes on to the line reader: nothing is gathered here."""
        piece = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
        self._message_size += len(piece)
        if not message.message_finished:
            return piece
        if self._message_size <= MAX_MESSAGE:
            self._message_size = 0
        return piece + b"\r\n"

    def _close(self, code: int) -> None:
        """Both sides have said what they had to say."""
        self._ended.set()
        if self._protocol.state is not ConnectionState.CLOSED:
            self._owed = self._protocol.send(CloseConnection(code=code))

    async def _answer(self) -> None:
        """Send what is owed; where the other task is sending, it does so itself."""
        if not self._owed or self._sending.locked():
            return
        # Shielded: half a frame would spoil the stream for whoever sends next.
        with trio.CancelScope(deadline=trio.current_time() + ANSWER_S, shield=True) as limit:
            async with self._sending:
                await self._send_owed()
        if limit.cancelled_caught:
            raise trio.BrokenResourceError("it does not read")
