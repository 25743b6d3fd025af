"""HTTPS to hosts that somebody else named: public addresses alone, no redirects, all bounded.

A name is looked up once; when every address of it is public one of them is connected to, so that a
name cannot mean something else a moment later (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import urlsplit

import httpcore
import trio

LOOKUP_S = 5.0
MAX_ADDRESSES = 4  # of a name that are tried

Resolve = Callable[[str, int], Awaitable[list[str]]]


class PostFault(Exception):
    """The request could not be made, or was not answered. The text says why, and names no path."""


class NotPublic(PostFault):
    """The host has an address that is not public; trying again is of no use."""


def is_public(text: str) -> bool:
    """Whether everybody reaches the same host at this address, also when it wraps an IPv4 one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a scope, or no address at all
        return False
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address.teredo:
            wrapped = address.teredo[1]
        elif address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 section 2.1


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, or the address itself. Raises OSError."""
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Outside(httpcore.AsyncNetworkBackend):
    """Connects to public hosts. `resolve_name` and `network` are other ones in tests."""

    def __init__(
        self,
        resolve_name: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._resolve = resolve_name
        self._network = network or httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self.checked(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault

    async def checked(self, host: str, port: int) -> list[str]:
        """Addresses of the host, all of them public. Raises NotPublic, httpcore.ConnectError."""
        try:
            with trio.fail_after(LOOKUP_S):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError, trio.TooSlowError):
            raise httpcore.ConnectError(f"{host} was not found") from None
        if not all(map(is_public, found)):
            raise NotPublic(f"{host} has an address that is not public")
        return found[:MAX_ADDRESSES]


class _Once(httpcore.AsyncNetworkBackend):
    """One request's way out: what it opened is closed with it, also by a cancellation in the middle
    of a TLS handshake, where httpcore leaves the socket to the garbage collector."""

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        self._network = network
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        self._opened.append(stream)
        return stream

    async def __aenter__(self) -> _Once:
        return self

    async def __aexit__(self, *_error: object) -> None:
        with trio.CancelScope(shield=True):  # closing TCP does not wait
            for stream in self._opened:
                await stream.aclose()


class _Body:
    """A body in one piece. httpcore's own is a generator, left unfinished by a cancellation."""

    def __init__(self, body: bytes) -> None:
        self._parts = iter([body])

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration


async def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    network: httpcore.AsyncNetworkBackend,
    context: ssl.SSLContext,
    within_s: float,
) -> int:
    """POST once; the status of the answer, whose body is not read. Raises PostFault."""
    host = urlsplit(url).hostname
    fields = [*headers.items(), ("Content-Length", str(len(body)))]
    try:
        with trio.fail_after(within_s):
            async with (
                _Once(network) as once,
                httpcore.AsyncConnectionPool(ssl_context=context, network_backend=once) as pool,
                pool.stream("POST", url, headers=fields, content=_Body(body)) as response,
            ):
                return int(response.status)
    except trio.TooSlowError:
        raise PostFault(f"{host} did not answer within {within_s:.0f} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise PostFault(f"{host}: {error or type(error).__name__}") from None
