"""From an address to an open stream: IPv6 and IPv4 raced, TLS verified by trust store or pin."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import urlsplit

import trio

from bouncer.address import is_ip
from bouncer.connections.socks import Proxy
from bouncer.connections.socks import connect as socks_connect
from bouncer.tls.stream import TlsStream, shake_hands

TLS_PORT = 6697
PLAIN_PORT = 6667
# What OpenSSL says of an answer that is none of TLS.
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
DIAL_TIMEOUT_S = 30.0
PINNED_S = 8.0  # for each but the last of several pinned addresses


class AddressError(ValueError):
    """A network address that cannot be read. Its text is the user's message."""


class DialError(OSError):
    """No stream could be had. Its text says what was tried and what went wrong."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where an IRC server listens: `host` and `port`, or `path` for a unix socket.

    With `addresses` the host is not looked up: it is only the name that the certificate must hold.
    """

    host: str
    port: int
    tls: bool
    path: str = ""
    addresses: tuple[str, ...] = ()

    @classmethod
    def parse(cls, uri: str) -> ServerAddress:
        """Read `ircs://host[:port]`, `irc+insecure://host[:port]` or `unix:path`; the first two
        may end with `?address=IP[,IP]`."""
        if uri.startswith("unix:"):
            path = uri.removeprefix("unix:")
            if not path:
                raise AddressError("unix: needs a path, as in unix:/run/ircd.sock")
            return cls("", 0, False, path)
        try:
            parts = urlsplit(uri if "://" in uri else f"ircs://{uri}")
        except ValueError:  # a bracket is not closed
            raise AddressError(f"{uri!r}: write an IPv6 address as ircs://[2001:db8::1]") from None
        if parts.scheme not in ("ircs", "irc+insecure"):
            raise AddressError(
                f"{uri!r}: write ircs://host[:port] for TLS, irc+insecure://host[:port] "
                "for plain text, or unix:path"
            )
        try:
            port = parts.port
            if port == 0:
                raise ValueError
        except ValueError:
            raise AddressError(f"{uri!r}: the port must be a number from 1 to 65535") from None
        if not parts.hostname or parts.path not in ("", "/"):
            raise AddressError(f"{uri!r} names no host; write ircs://irc.example.net:6697")
        tls = parts.scheme == "ircs"
        port = port or (TLS_PORT if tls else PLAIN_PORT)
        return cls(parts.hostname, port, tls, addresses=_pinned_addresses(parts.query, uri))

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        pinned = f"?address={','.join(self.addresses)}" if self.addresses else ""
        return f"{'ircs' if self.tls else 'irc+insecure'}://{host}:{self.port}{pinned}"

    @property
    def is_loopback(self) -> bool:
        """True where connecting costs nobody anything, so that no gate is needed."""
        if self.path or self.host == "localhost":
            return True
        try:
            hosts = self.addresses or (self.host,)
            return all(ipaddress.ip_address(host).is_loopback for host in hosts)
        except ValueError:
            return False


def _pinned_addresses(query: str, uri: str) -> tuple[str, ...]:
    if not query:
        return ()
    name, _, value = query.partition("=")
    try:
        if name != "address":
            raise ValueError
        return tuple(str(ipaddress.ip_address(each)) for each in value.split(","))
    except ValueError:
        raise AddressError(f"{uri!r}: after the ? write address=IP[,IP]") from None


async def dial(
    address: ServerAddress,
    *,
    source: str | None = None,
    pin: str = "",
    client_certificate: str = "",
    proxy: str = "",
    timeout_s: float = DIAL_TIMEOUT_S,
) -> trio.abc.Stream:
    """Open a stream to `address`, TLS handshake done. Raises DialError.

    `pin` is `sha256:hex` or `sha512:hex` of the server's certificate and replaces the system's
    trust store; `client_certificate` is PEM text, certificate and key together; `proxy` is
    `socks5://[user:password@]host[:port]` and looks the host up itself.
    """
    try:
        with trio.fail_after(timeout_s):
            stream = await _open(address, source, proxy)
            if not address.tls:
                return stream
            return await _start_tls(stream, address, pin, client_certificate)
    except trio.TooSlowError:
        raise DialError(f"{address} did not answer within {timeout_s:.0f} s") from None
    except (OSError, ssl.SSLError, trio.BrokenResourceError) as error:
        if isinstance(error, DialError):
            raise
        raise DialError(f"{address}: {describe(error)}") from error
    except ValueError:  # UnicodeError of a lookup, and what TLS does not take for a host
        raise DialError(f"{address}: the host, or its proxy's, is no name that DNS knows") from None


def describe(error: BaseException) -> str:
    """The reason of a failed connection in a person's words."""
    cause = error.__cause__
    if isinstance(error, trio.BrokenResourceError) and cause is not None:
        return describe(cause)  # trio's streams wrap what ssl says
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return f"its certificate is not trusted ({why}); if that is expected, pin its fingerprint"
    if isinstance(error, ssl.SSLError) and error.reason:
        if error.reason in NO_TLS:
            return "no TLS is spoken at that port; mostly it is at 6697, and plain text at 6667"
        return f"TLS: {error.reason.lower().replace('_', ' ')}"
    if isinstance(cause, BaseExceptionGroup) and cause.exceptions:
        return describe(cause.exceptions[0])
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if text.startswith("Error connecting to "):  # trio's words; who tells it names the address
            text = text.rpartition(": ")[2]
        return text.lower()
    return str(error) or type(error).__name__


async def _open(address: ServerAddress, source: str | None, proxy: str) -> trio.SocketStream:
    if address.path:
        return await trio.open_unix_socket(address.path)
    hosts = address.addresses or (address.host,)
    for host in hosts[:-1]:
        with suppress(OSError), trio.move_on_after(PINNED_S):
            return await _open_one(host, address.port, source, proxy)
    return await _open_one(hosts[-1], address.port, source, proxy)


async def _open_one(host: str, port: int, source: str | None, proxy: str) -> trio.SocketStream:
    """Directly, IPv6 and IPv4 raced, or through a proxy."""
    if not proxy:
        if source is None and is_ip(host):
            return await _open_address(host, port)
        return await trio.open_tcp_stream(host, port, local_address=source)
    try:
        through = Proxy.parse(proxy)
    except ValueError as error:
        raise DialError(str(error)) from None
    try:
        stream = await trio.open_tcp_stream(through.host, through.port, local_address=source)
    except OSError as error:
        where = f"{through.host}:{through.port}"
        raise DialError(f"the proxy {where}: {describe(error)}") from error
    try:
        await socks_connect(stream, through, host, port)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _open_address(host: str, port: int) -> trio.SocketStream:
    """There is nothing to look up, and nothing to race."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


async def _start_tls(
    stream: trio.SocketStream, address: ServerAddress, pin: str, client_certificate: str
) -> TlsStream:
    try:
        context = await _context(bool(pin), client_certificate)
        tls = await shake_hands(stream, context, server_hostname=address.host)
        if pin:
            check_pin(tls.talk.getpeercert(binary_form=True) or b"", pin, address)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return tls


async def _context(pinned: bool, client_certificate: str) -> ssl.SSLContext:
    """To read the trust store takes long, and to keep it room: who shows no certificate shares."""
    if client_certificate:
        make = partial(client_context, pinned=pinned, client_certificate=client_certificate)
        return await trio.to_thread.run_sync(make)
    return _shared(pinned, () if pinned else _trust_store())


@lru_cache(maxsize=2)
def _shared(pinned: bool, _trust: tuple[int, ...]) -> ssl.SSLContext:
    return client_context(pinned=pinned)


def _trust_store() -> tuple[int, ...]:
    """Another value when the system's trust store is another."""
    paths = ssl.get_default_verify_paths()
    return tuple(os.stat(path).st_mtime_ns for path in (paths.cafile, paths.capath) if path)


def client_context(*, pinned: bool, client_certificate: str = "") -> ssl.SSLContext:
    """A context that verifies by the system's trust store, or leaves it to the pin."""
    if pinned:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
    context.options |= ssl.OP_NO_RENEGOTIATION
    if client_certificate:
        # load_cert_chain reads files only; the memory file keeps the key off the disk.
        with os.fdopen(os.memfd_create("client-certificate"), "wb") as file:
            file.write(client_certificate.encode())
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context


def check_pin(certificate: bytes, pin: str, address: ServerAddress) -> None:
    """Raise DialError unless the DER `certificate` has the fingerprint `pin`."""
    algorithm, _, wanted = pin.lower().replace("-", "").partition(":")
    wanted = wanted.replace(":", "")
    if algorithm not in ("sha256", "sha512"):
        raise DialError(f"{address}: a pin is sha256:HEX or sha512:HEX, not {pin!r}")
    found = hashlib.new(algorithm, certificate).hexdigest()
    if found != wanted:
        raise DialError(f"{address}: its certificate is {algorithm}:{found}, not the one pinned")
