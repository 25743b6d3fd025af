"""The other end of a TlsStream: Python's own ssl between two buffers, and nothing of ours."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from bouncer.tls import selfsigned
from bouncer.tls.contexts import ServerTls
from bouncer.tls.stream import Context, TlsStream, shake_hands
from tests.real.needs import require

both_contexts = pytest.mark.parametrize("asking", [False, True], ids=["ssl", "pyopenssl"])
TLS13 = ssl.TLSVersion.TLSv1_3


@cache
def server_context(asking: bool) -> Context:
    with TemporaryDirectory() as folder:
        pair = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        selfsigned.make(*pair, ["irc.example.net"])
        return ServerTls(*pair).context(asking)


def client_context(version: ssl.TLSVersion = TLS13) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


class Peer:
    """A client. What it says is octets to be carried to us, and the other way round."""

    def __init__(self, version: ssl.TLSVersion = TLS13) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.talk = client_context(version).wrap_bio(self._incoming, self._outgoing)

    def shakes(self, octets: bytes) -> tuple[bytes, bool]:
        """Its part of the handshake, and whether that was the last."""
        self._incoming.write(octets)
        try:
            self.talk.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        return self._outgoing.read(), True

    def says(self, data: bytes) -> bytes:
        self.talk.write(data)
        return self._outgoing.read()

    def says_goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):  # until the other side says it too
            self.talk.unwrap()
        return self._outgoing.read()

    def hears(self, octets: bytes) -> bytes:
        self._incoming.write(octets)
        heard = b""
        try:
            while data := self.talk.read(100_000):
                heard += data
        except ssl.SSLWantReadError:
            pass
        return heard


def connected(
    asking: bool, version: ssl.TLSVersion, transport: trio.abc.Stream
) -> tuple[TlsStream, Peer]:
    """Hands shaken in memory, without a loop."""
    peer = Peer(version)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = server_context(asking).wrap_bio(incoming, outgoing, server_side=True)
    are_done = False, False
    while are_done != (True, True):
        octets, peer_is_done = peer.shakes(outgoing.read())
        incoming.write(octets)
        try:
            talk.do_handshake()
            are_done = peer_is_done, True
        except ssl.SSLWantReadError:
            are_done = peer_is_done, False
    return TlsStream(transport, talk, incoming, outgoing), peer


@asynccontextmanager
async def met(asking: bool = False) -> AsyncIterator[tuple[TlsStream, Peer, trio.SocketStream]]:
    """Our stream on a TCP connection; the peer's TLS, and its end of the connection in the raw."""
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    far = await trio.open_tcp_stream(*listener.socket.getsockname())
    near = await listener.accept()
    peer = Peer()

    async def shake() -> None:
        octets, done = peer.shakes(b"")
        while True:
            await far.send_all(octets)
            if done:
                return
            octets, done = peer.shakes(bytes(await far.receive_some()))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake)
            stream = await shake_hands(near, server_context(asking), server_side=True)
        yield stream, peer, far
    finally:
        for each in (listener, near, far):
            await trio.aclose_forcefully(each)


class OpensslClient:
    """`openssl s_client`: each line that is typed is said."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._shown = b""

    async def types(self, line: bytes) -> None:
        assert self._process.stdin
        await self._process.stdin.send_all(line)

    async def shows(self, sought: bytes) -> None:
        """Wait until it prints that."""
        assert self._process.stdout
        while sought not in self._shown:
            data = await self._process.stdout.receive_some()
            assert data, self._shown.decode()
            self._shown += data
        self._shown = self._shown.partition(sought)[2]

    async def updates_keys(self) -> None:
        """New keys for what it says, and the wish that we do the same."""
        await self.types(b"K\n")
        await self.shows(b"KEYUPDATE")


@asynccontextmanager
async def openssl_client(asking: bool) -> AsyncIterator[tuple[TlsStream, OpensslClient]]:
    """Our stream, and the program that has connected to it."""
    require("openssl")
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    pipe = subprocess.PIPE
    start = partial(
        trio.run_process, command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, check=False
    )
    async with listener, trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(start)
        near = await listener.accept()
        async with await shake_hands(near, server_context(asking), server_side=True) as stream:
            yield stream, OpensslClient(process)
        nursery.cancel_scope.cancel()
