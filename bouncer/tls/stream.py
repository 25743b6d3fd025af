"""TLS over a connection, for whoever reads and writes its octets: `ssl` works between two buffers
in memory, so that what came can be read, and what is to be said be sealed, without waiting.

Nobody renegotiates, so reading never makes us owe the peer an answer at once: what TLS 1.3 wants
said (an answer to a KeyUpdate, RFC 8446 section 4.6.3) leaves before our next words.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Literal, Protocol

import trio

HANDSHAKE = b"\x16"  # what every TLS connection begins with: RFC 8446 section 5.1
RECORD = 16_384  # octets; no TLS record holds more
WIRE_CHUNK = 32_768  # octets of one read
# What a peer may make us owe before we speak. More would be a flood of KeyUpdates.
OWED = 65_536


class SpokeNoTls(trio.BrokenResourceError):
    """Who connected speaks something else than TLS, and began with `octets`; the transport is still
    good for a word."""

    def __init__(self, octets: bytes) -> None:
        super().__init__("it speaks no TLS")
        self.octets = octets


class Talk(Protocol):
    """The part of ssl.SSLObject that is used."""

    def do_handshake(self) -> None: ...
    def read(self, len: int, /) -> bytes: ...
    def pending(self) -> int: ...
    def write(self, data: bytes, /) -> int: ...
    def unwrap(self) -> object: ...
    def version(self) -> str | None: ...
    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...


class Context(Protocol):
    """The part of ssl.SSLContext that is used."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> Talk: ...


async def shake_hands(
    transport: trio.abc.Stream,
    context: Context,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
) -> TlsStream:
    """Speak TLS from now on. Raises trio.BrokenResourceError, its cause what `ssl` says; a server
    raises SpokeNoTls of who begins otherwise.

    When it raises or is cancelled, the transport is of no more use: close it.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(
        incoming, outgoing, server_side=server_side, server_hostname=server_hostname
    )
    done = heard = False
    while not done:
        try:
            talk.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await transport.send_all(outgoing.read())  # the alert, which tells the peer why
            raise trio.BrokenResourceError from error
        # A server's last octets are tickets, by which a client might come back: one that has gone
        # without reading them would have them answered by a reset. They leave with our first words.
        if outgoing.pending and not (done and server_side and talk.version() == "TLSv1.3"):
            await transport.send_all(outgoing.read())
        if not done:
            octets = await transport.receive_some(WIRE_CHUNK)
            if not octets:
                reason = "the peer vanished in the handshake"
                raise trio.BrokenResourceError from ssl.SSLEOFError(ssl.SSL_ERROR_EOF, reason)
            if server_side and not heard and not octets.startswith(HANDSHAKE):
                raise SpokeNoTls(bytes(octets))
            heard = True
            incoming.write(octets)
    return TlsStream(transport, talk, incoming, outgoing)


class TlsStream(trio.abc.HalfCloseableStream):
    """An open TLS connection. Its end is that of the transport, said (close_notify) or not: many
    IRC servers and clients just close.

    Read either by `receive_some` or by `opened`, write either by `send_all` or by `sealed`.
    """

    __slots__ = ("_broken", "_ended", "_incoming", "_left", "_outgoing", "talk", "transport")

    def __init__(
        self,
        transport: trio.abc.Stream,
        talk: Talk,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        self.transport = transport
        self.talk = talk
        self._incoming = incoming
        self._outgoing = outgoing
        self._broken: BaseException | None = None
        self._ended = False
        self._left = b""  # what was read with our goodbye

    # --- without waiting ---

    def opened(self, octets: bytes = b"") -> bytes:
        """All that the peer has said up to these octets of its; b"" when the rest of a record is
        to come, and after the end: see `ended`."""
        self._incoming.write(octets)
        parts = []
        while data := self._read(RECORD):
            parts.append(data)
            if not self._incoming.pending and not self.talk.pending():
                break  # to read on would end in an exception, which costs more than the rest
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def ended(self) -> bool:
        """Whether the peer has said its goodbye. Raises trio.BrokenResourceError once something is
        wrong; what came before that can be had."""
        if self._broken is not None:
            raise trio.BrokenResourceError from self._broken
        return self._ended

    def sealed(self, data: bytes) -> bytes:
        """The octets that say `data`, to be sent in just this order. b"" once something is wrong:
        who reads finds out what."""
        if self._broken is None:
            try:
                self.talk.write(data)
                return self._outgoing.read()
            except ssl.SSLError as error:
                self._broken = error
        return b""

    def _read(self, limit: int) -> bytes:
        if self._broken is not None or self._ended:
            return b""
        try:
            data = self.talk.read(limit)
            self._ended = not data
        except ssl.SSLWantReadError:
            data = b""
        except ssl.SSLError as error:
            self._broken, data = error, b""
        if self._outgoing.pending > OWED:
            self._broken = ssl.SSLError(ssl.SSL_ERROR_SSL, "the peer wants too many answers")
        return data

    # --- as any stream ---

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._left:
            data, self._left = self._left, b""
            return data
        while not (data := self._read(max_bytes or RECORD)) and not self.ended():
            octets = await self.transport.receive_some(WIRE_CHUNK)
            if not octets:
                return b""
            self._incoming.write(octets)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        octets = self.sealed(bytes(data)) if data else b""
        self.ended()  # raises
        try:
            await self.transport.send_all(octets)
        except BaseException as error:  # half a record may have left: nothing can follow it
            self._broken = error
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self.transport.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say close_notify, and nothing after it: a client that misses it warns of being cut off.
        The peer's own is not waited for."""
        self._left += self.opened()  # else `ssl` would take it for a fault
        if self._broken is None:
            with suppress(ssl.SSLError):
                self.talk.unwrap()
            await self.transport.send_all(self._outgoing.read())
        if isinstance(self.transport, trio.abc.HalfCloseableStream):
            await self.transport.send_eof()

    async def aclose(self) -> None:
        await self.transport.aclose()
