"""Addresses, pins and what a person is told when a network cannot be reached."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from bouncer.connections.dial import AddressError, DialError, ServerAddress, dial
from bouncer.tls.stream import TlsStream


@pytest.mark.parametrize(
    ("uri", "host", "port", "tls"),
    [
        ("ircs://irc.example.net", "irc.example.net", 6697, True),
        ("irc.example.net", "irc.example.net", 6697, True),
        ("ircs://irc.example.net:7000", "irc.example.net", 7000, True),
        ("irc+insecure://127.0.0.1", "127.0.0.1", 6667, False),
        ("ircs://[2001:db8::1]:6698", "2001:db8::1", 6698, True),
    ],
)
def test_addresses(uri: str, host: str, port: int, tls: bool) -> None:
    address = ServerAddress.parse(uri)
    assert (address.host, address.port, address.tls) == (host, port, tls)
    assert ServerAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "uri",
    [
        "irc://plain.example",
        "unix:",
        "ircs://",
        "ircs://h:99999",
        "ircs://h:0",
        "ircs://h:x",
        "http://h",
    ],
)
def test_what_is_no_address_says_how_to_write_one(uri: str) -> None:
    with pytest.raises(AddressError, match=r"unix:|ircs://|port"):
        ServerAddress.parse(uri)


def test_loopback_is_known() -> None:
    loopback = ("unix:/run/x", "localhost", "irc+insecure://127.0.0.2", "ircs://[::1]")
    assert all(ServerAddress.parse(uri).is_loopback for uri in loopback)
    assert not ServerAddress.parse("ircs://192.0.2.1").is_loopback


@asynccontextmanager
async def tls_server(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """An echo server with a certificate for `name`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def serve_one(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            pass  # the client did not like our certificate

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, ssl_context=context, host="127.0.0.1")
        listeners = await nursery.start(serve, serve_one, 0)
        yield listeners[0].transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_certificate_nobody_vouches_for_is_refused_with_advice() -> None:
    async with tls_server(trustme.CA(), "127.0.0.1") as port:
        with pytest.raises(DialError, match=r"not trusted .*pin its fingerprint"):
            await dial(ServerAddress("127.0.0.1", port, tls=True))


@pytest.mark.parametrize(("algorithm", "digits"), [("sha256", 64), ("sha512", 128)])
async def test_a_pin_stands_in_for_the_trust_store(algorithm: str, digits: int) -> None:
    async with tls_server(trustme.CA(), "somebody.else") as port:
        address = ServerAddress("127.0.0.1", port, tls=True)
        with pytest.raises(DialError, match="not the one pinned") as refused:
            await dial(address, pin=f"{algorithm}:" + "0" * digits)
        found = str(refused.value).partition(f"{algorithm}:")[2].partition(",")[0]
        for pin in (f"{algorithm}:{found}", f"{algorithm.replace('a', 'a-').upper()}:{found}"):
            stream = await dial(address, pin=pin)
            await stream.send_all(b"hello")
            assert await stream.receive_some(10) == b"hello"
            await trio.aclose_forcefully(stream)
        with pytest.raises(DialError, match="a pin is sha256:HEX"):
            await dial(address, pin="md5:" + hashlib.md5(b"").hexdigest())


async def test_connections_share_what_they_trust_until_that_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one's own trust store would take a thirtieth of a second, and most of a megabyte."""
    ours, others = trustme.CA(), trustme.CA()
    store = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    async with tls_server(ours, "127.0.0.1") as port:
        address = ServerAddress("127.0.0.1", port, tls=True)
        with pytest.raises(DialError) as refused:
            await dial(address, pin="sha256:" + "0" * 64)
        pin = str(refused.value).partition("its certificate is ")[2].partition(",")[0]
        ours.cert_pem.write_to_path(store)
        streams = [await dial(address, pin=each) for each in ("", pin, "", pin)]
        trusting, pinned, *again = [stream.talk.context for stream in streams]  # type: ignore[attr-defined]
        assert trusting is not pinned
        assert again == [trusting, pinned]
        for stream in streams:
            await trio.aclose_forcefully(stream)
        others.cert_pem.write_to_path(store)
        with pytest.raises(DialError, match="not trusted"):
            await dial(address)


async def test_a_closed_port_and_a_name_nobody_has_are_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(DialError, match=r"irc\+insecure://127.0.0.1:1: .*refused"):
        await dial(ServerAddress("127.0.0.1", 1, tls=False))
    with pytest.raises(DialError, match="no such file"):
        await dial(ServerAddress.parse(f"unix:{tmp_path}/none"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            b":irc.test NOTICE * :Looking up your hostname\r\n",
            "no TLS is spoken at that port; most",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x28", r"TLS: .*alert handshake failure$"),  # RFC 8446 6.2
    ],
    ids=["plain", "alert"],
)
async def test_an_answer_that_begins_no_tls_is_told_plainly(answer: bytes, told: str) -> None:
    async def serve_one(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.receive_some(4096)
            await stream.send_all(answer)
            await stream.receive_some(4096)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, host="127.0.0.1")
        port = (await nursery.start(serve, serve_one, 0))[0].socket.getsockname()[1]
        with pytest.raises(DialError, match=told):
            await dial(ServerAddress("127.0.0.1", port, tls=True))
        nursery.cancel_scope.cancel()


async def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with listener:  # accepts by the kernel, says nothing: no TLS handshake comes
        with pytest.raises(DialError, match="did not answer within 0 s"):
            await dial(ServerAddress("127.0.0.1", port, tls=True), timeout_s=0.2)


async def test_a_pinned_address_is_dialled_and_the_name_stays_the_certificates() -> None:
    """No look-up: nobody has that name. The certificate must hold it all the same."""
    authority = trustme.CA()
    async with tls_server(authority, "irc.pinned.test") as port:
        uri = f"ircs://irc.pinned.test:{port}?address=127.0.0.1"
        address = ServerAddress.parse(uri)
        assert str(address) == uri
        assert address.is_loopback
        with pytest.raises(DialError, match="not trusted"):
            await dial(address)
        pin = ""
        with pytest.raises(DialError) as refused:
            await dial(address, pin="sha256:" + "0" * 64)
        pin = str(refused.value).partition("its certificate is ")[2].partition(",")[0]
        stream = await dial(address, pin=pin)
        assert isinstance(stream, TlsStream)
        assert stream.talk.server_hostname == "irc.pinned.test"  # type: ignore[attr-defined]
        await trio.aclose_forcefully(stream)


async def test_the_next_pinned_address_is_tried_when_one_is_dead() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    address = ServerAddress.parse(f"irc+insecure://irc.test:{port}?address=127.0.0.9,127.0.0.1")
    stream = await dial(address)
    await stream.aclose()
    await listeners[0].aclose()


async def test_the_source_address_is_the_one_that_was_chosen() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with listener:
        address = ServerAddress("127.0.0.1", listener.socket.getsockname()[1], tls=False)
        stream = await dial(address, source="127.0.0.7")
        accepted = await listener.accept()
        assert accepted.socket.getpeername()[0] == "127.0.0.7"
        await accepted.aclose()
        await stream.aclose()


class TwoAddresses(trio.abc.HostnameResolver):
    """Every name has an IPv6 address, and an IPv4 one."""

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        if host not in ("irc.both.test", b"irc.both.test"):
            return await trio.to_thread.run_sync(socket.getaddrinfo, host, port)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    async def getnameinfo(self, *_: Any, **__: Any) -> tuple[str, str]:
        raise NotImplementedError


async def test_an_address_that_does_not_answer_does_not_hold_up_the_other() -> None:
    """RFC 8305 section 5: the next attempt begins before the one before it has ended."""
    silent = socket.socket(socket.AF_INET6)
    silent.bind(("::1", 0))
    silent.listen(0)
    port = silent.getsockname()[1]
    queued = []
    for _ in range(3):  # its queue is full: whoever comes now is answered by nobody
        waiting = socket.socket(socket.AF_INET6)
        waiting.setblocking(False)
        waiting.connect_ex(("::1", port))
        queued.append(waiting)
    listener = (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0]
    known = trio.socket.set_custom_hostname_resolver(TwoAddresses())
    try:
        async with listener:
            stream = await dial(ServerAddress("irc.both.test", port, tls=False), timeout_s=5.0)
            assert isinstance(stream, trio.SocketStream)
            assert stream.socket.getpeername()[0] == "127.0.0.1"
            await stream.aclose()
    finally:
        trio.socket.set_custom_hostname_resolver(known)
        for each in (silent, *queued):
            each.close()


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example", "\u2024.example"])
@pytest.mark.parametrize("proxied", [False, True])
async def test_a_name_that_cannot_be_looked_up_is_told_as_any_fault(
    host: str, proxied: bool
) -> None:
    server, proxy = ("192.0.2.1", f"socks5://{host}") if proxied else (host, "")
    with pytest.raises(DialError, match="no name that DNS knows"):
        await dial(ServerAddress.parse(f"ircs://{server}"), proxy=proxy)
