"""A stream through a SOCKS5 proxy, which also looks the name up: RFC 1928, with the user name and
password of RFC 1929."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import trio

DEFAULT_PORT = 1080
VERSION = 5
NO_AUTHENTICATION, PASSWORD, NOTHING_ACCEPTABLE = 0x00, 0x02, 0xFF
CONNECT = 1
IPV4, NAME, IPV6 = 1, 3, 4
MAX_FIELD = 255  # octets of a name, user or password: their length is one octet
# RFC 1928 section 6: reply field.
_REPLIES = {
    1: "the proxy failed",
    2: "the proxy does not allow it",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "the TTL expired",
    7: "the proxy cannot connect",
    8: "the proxy does not know this kind of address",
}


class ProxyError(OSError):
    """The proxy did not give us the connection. Its text says why."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens, and who we are to it."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, uri: str) -> Proxy:
        """Read `socks5://[user:password@]host[:port]`. Raises ValueError that says what to do."""
        parts = urlsplit(uri)
        try:
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if not port:
            raise ValueError("the proxy's port must be a number from 1 to 65535")
        if parts.scheme not in ("socks5", "socks5h") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("write socks5://[user:password@]host[:port]")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if max(len(user.encode()), len(password.encode())) > MAX_FIELD:
            raise ValueError(f"a proxy takes at most {MAX_FIELD} octets of user or password")
        return cls(parts.hostname, port, user, password)


async def connect(stream: trio.abc.Stream, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end of `stream` for a connection. Raises ProxyError."""
    methods = [NO_AUTHENTICATION, PASSWORD] if proxy.user else [NO_AUTHENTICATION]
    await stream.send_all(bytes([VERSION, len(methods), *methods]))
    version, method = await _exactly(stream, 2)
    if version != VERSION:
        raise ProxyError("what answers there is no SOCKS5 proxy")
    if method == PASSWORD and proxy.user:
        await _log_in(stream, proxy)
    elif method != NO_AUTHENTICATION:
        raise ProxyError("the proxy wants another login")
    request = bytes([VERSION, CONNECT, 0]) + _address(host) + struct.pack("!H", port)
    await stream.send_all(request)
    version, reply, _, kind = await _exactly(stream, 4)
    if version != VERSION or reply != 0:
        raise ProxyError(_REPLIES.get(reply, f"the proxy answered {reply}"))
    sizes = {IPV4: 4, IPV6: 16}
    size = sizes[kind] if kind in sizes else (await _exactly(stream, 1))[0]
    await _exactly(stream, size + 2)  # the address it connects from: nothing to us


async def _log_in(stream: trio.abc.Stream, proxy: Proxy) -> None:
    user, password = proxy.user.encode(), proxy.password.encode()
    said = bytes([1, len(user)]) + user + bytes([len(password)]) + password
    await stream.send_all(said)
    _, status = await _exactly(stream, 2)
    if status != 0:
        raise ProxyError("the proxy does not take the user name and password")


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        if len(name) > MAX_FIELD:
            raise ProxyError("the host's name is too long") from None
        return bytes([NAME, len(name)]) + name
    return bytes([IPV4 if address.version == 4 else IPV6]) + address.packed


async def _exactly(stream: trio.abc.Stream, count: int) -> bytes:
    """Octet by octet as needed: what follows belongs to the connection itself."""
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        if not more:
            raise ProxyError("the proxy closed the connection")
        data += more
    return data
