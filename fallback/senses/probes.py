"""What a voter sees of the primary's client port, without proving anything to it.

A TCP accept or refusal, a TLS handshake, CAP LS and a PING answered before registration: something
of the primary answers (class B). Only configured addresses are probed, for others too.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
import trio
from cryptography import x509

from bouncer.connections.dial import ServerAddress
from bouncer.irc.wire import LineReader, Message, ProtocolError

TCP_EVERY_S = 10.0
TLS_EVERY_S = 60.0
CERTIFICATE_FRESH_S = 3 * TLS_EVERY_S
BURST_EVERY_S = 0.5
CONNECT_S = 3.0
DIALOGUE_S = 10.0
MAX_OPEN = 4  # connects under way per address in a burst; more would only queue at the switch

log = structlog.get_logger("probes")


@dataclass
class Seen:
    """What one address showed last, on the voter's clock."""

    answered_at: float = float("-inf")
    greeted_at: float = float("-inf")  # CAP LS or PING was answered
    certificate_ends: datetime | None = None
    certificate_at: float = float("-inf")
    error: str = ""


class Probes:
    """One set of tasks per address. `answered(at)` is called for each class B evidence."""

    def __init__(
        self,
        addresses: Sequence[ServerAddress],
        now: Callable[[], float],
        answered: Callable[[float], None],
    ) -> None:
        self._now = now
        self._answered = answered
        self._bursting = False
        self._wake = trio.Event()
        self.seen: dict[ServerAddress, Seen] = {address: Seen() for address in addresses}

    def burst(self) -> None:
        """Two connects a second to every address from here on."""
        if not self._bursting:
            self._bursting = True
            self._wake.set()

    def calm(self) -> None:
        if self._bursting:  # else who sleeps now would not be woken for the next burst
            self._bursting = False
            self._wake = trio.Event()

    def ask_now(self) -> None:
        """One connect to every address at once, for another voter."""
        self._wake.set()
        if not self._bursting:
            self._wake = trio.Event()

    @property
    def answered_at(self) -> float:
        return max(seen.answered_at for seen in self.seen.values())

    @property
    def certificate_ends(self) -> datetime | None:
        """The earliest end of the certificates served now: what is silent serves none."""
        since = self._now() - CERTIFICATE_FRESH_S
        served = [seen for seen in self.seen.values() if seen.certificate_at >= since]
        ends = [seen.certificate_ends for seen in served if seen.certificate_ends]
        return min(ends, default=None)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for address, seen in self.seen.items():
                nursery.start_soon(self._connect_often, address, seen)
                nursery.start_soon(self._greet_often, address, seen)

    async def _connect_often(self, address: ServerAddress, seen: Seen) -> None:
        limit = trio.CapacityLimiter(MAX_OPEN)
        async with trio.open_nursery() as nursery:
            while True:
                if limit.available_tokens >= 1:
                    nursery.start_soon(self._connect, address, seen, limit)
                if self._bursting:
                    await trio.sleep(BURST_EVERY_S)
                else:
                    with trio.move_on_after(TCP_EVERY_S):
                        await self._wake.wait()

    async def _connect(
        self, address: ServerAddress, seen: Seen, limit: trio.CapacityLimiter
    ) -> None:
        async with limit:
            try:
                with trio.fail_after(CONNECT_S):
                    stream = await trio.open_tcp_stream(address.host, address.port)
            except trio.TooSlowError:
                seen.error = "no answer"
                return
            except OSError as error:
                seen.error = str(error)
                if refused(error):
                    self._note(seen)  # somebody is there to refuse
                return
            seen.error = ""
            self._note(seen)
            await trio.aclose_forcefully(stream)

    async def _greet_often(self, address: ServerAddress, seen: Seen) -> None:
        while True:
            try:
                with trio.fail_after(DIALOGUE_S):
                    await self._greet(address, seen)
            except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError) as error:
                log.debug("the primary did not greet", address=str(address), error=str(error))
            await trio.sleep(TLS_EVERY_S)

    async def _greet(self, address: ServerAddress, seen: Seen) -> None:
        stream: trio.abc.Stream = await trio.open_tcp_stream(address.host, address.port)
        async with stream:
            if address.tls:
                stream = trio.SSLStream(
                    stream, _look_only(), server_hostname=address.host, https_compatible=True
                )
                await stream.do_handshake()
                seen.certificate_at = self._now()
                seen.certificate_ends = ends_of(stream.getpeercert(binary_form=True) or b"")
                self._note(seen)
            await stream.send_all(b"CAP LS 302\r\nPING :muster\r\n")
            reader = LineReader()
            while True:
                data = await stream.receive_some(4096)
                if not data:
                    return
                for line in reader.feed(bytes(data)):
                    try:
                        message = Message.parse(line)
                    except ProtocolError:
                        continue
                    if message.command in ("CAP", "PONG"):
                        seen.greeted_at = self._now()
                        self._note(seen)
                    if message.command == "PONG":
                        await stream.send_all(b"QUIT\r\n")
                        return

    def _note(self, seen: Seen) -> None:
        seen.answered_at = self._now()
        self._answered(seen.answered_at)


def refused(error: BaseException) -> bool:
    """Whether a failed connect was refused, looking into what trio gathered of each address."""
    if isinstance(error, ConnectionRefusedError | ConnectionResetError):
        return True
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return any(refused(each) for each in cause.exceptions)
    return cause is not None and refused(cause)


def ends_of(certificate_der: bytes) -> datetime | None:
    """When a served certificate ends, or None when it cannot be read."""
    try:
        return x509.load_der_x509_certificate(certificate_der).not_valid_after_utc.astimezone(UTC)
    except ValueError:
        return None


async def served_certificate(address: ServerAddress) -> datetime | None:
    """Connect once and say when the served certificate ends; None without TLS.

    Raises OSError, ssl.SSLError or trio.BrokenResourceError; the caller sets the time limit.
    """
    stream: trio.abc.Stream = await trio.open_tcp_stream(address.host, address.port)
    try:
        if not address.tls:
            return None
        tls = trio.SSLStream(stream, _look_only(), server_hostname=address.host)
        await tls.do_handshake()
        return ends_of(tls.getpeercert(binary_form=True) or b"")
    finally:
        await trio.aclose_forcefully(stream)


def _look_only() -> ssl.SSLContext:
    """Accepts every certificate: an expired one is reported as such, never as "down"."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
