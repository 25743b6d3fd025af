"""Who of our users a connection to a network belongs to, for the network to ask: RFC 1413.

On an address that many users share, a ban for one then need not be a ban for all. Only connections
that are open, and only the server at their other end, are told about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import structlog
import trio

from bouncer.tls.stream import TlsStream

LONGEST_QUERY = 64  # octets; "6193, 23" is typical
QUERY_S = 10.0  # from the connection to its question
UNKNOWN_S = 5.0  # a server may ask before our own side has finished opening
_QUERY = re.compile(rb"\s*(\d{1,5})\s*,\s*(\d{1,5})\s*$")

log = structlog.get_logger("identd")


class Connection(NamedTuple):
    """One of our connections: our port, the server's port and address."""

    local_port: int
    remote_port: int
    remote_host: str


class Idents:
    """The connections that are open now, and the ident of each."""

    def __init__(self) -> None:
        self._known: dict[Connection, str] = {}
        self._changed = trio.Event()

    @contextmanager
    def known(self, stream: trio.abc.Stream, ident: str) -> Iterator[None]:
        """Tell whoever asks about `stream`, for as long as this lasts."""
        connection = _connection(stream)
        if connection is None:
            yield
            return
        self._known[connection] = ident
        self._changed.set()
        self._changed = trio.Event()
        try:
            yield
        finally:
            self._known.pop(connection, None)

    async def of(self, connection: Connection) -> str | None:
        """The ident; None where the connection does not turn up in time."""
        with trio.move_on_after(UNKNOWN_S):
            while connection not in self._known:
                await self._changed.wait()
        return self._known.get(connection)


def _connection(stream: trio.abc.Stream) -> Connection | None:
    inner = stream.transport if isinstance(stream, TlsStream) else stream
    if not isinstance(inner, trio.SocketStream):
        return None
    try:
        local, remote = inner.socket.getsockname(), inner.socket.getpeername()
    except OSError:
        return None
    if not isinstance(remote, tuple):
        return None  # a unix socket
    return Connection(local[1], remote[1], _plain(remote[0]))


def _plain(host: str) -> str:
    return host.removeprefix("::ffff:")


async def serve(listeners: Sequence[trio.SocketListener], idents: Idents) -> None:
    """Answer until cancelled."""
    await trio.serve_listeners(partial(_answer, idents), list(listeners))


async def _answer(idents: Idents, stream: trio.SocketStream) -> None:
    try:
        async with stream:
            with trio.move_on_after(QUERY_S):
                query = await _line(stream)
                peer = stream.socket.getpeername()
                await stream.send_all(await _reply(idents, query, _plain(peer[0])))
    except (OSError, trio.BrokenResourceError):
        return  # whoever asked is gone


async def _line(stream: trio.SocketStream) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < LONGEST_QUERY:
        more = await stream.receive_some(LONGEST_QUERY - len(data))
        if not more:
            break
        data += more
    return data.partition(b"\n")[0].rstrip(b"\r")


async def _reply(idents: Idents, query: bytes, peer: str) -> bytes:
    found = _QUERY.fullmatch(query)
    if found is None:
        return b"0 , 0 : ERROR : INVALID-PORT\r\n"
    local, remote = int(found[1]), int(found[2])
    asked = f"{local} , {remote}"
    if not (0 < local < 65_536 and 0 < remote < 65_536):
        return f"{asked} : ERROR : INVALID-PORT\r\n".encode()
    ident = await idents.of(Connection(local, remote, peer))
    log.info("asked", peer=peer, known=ident is not None)
    if ident is None:
        return f"{asked} : ERROR : NO-USER\r\n".encode()
    return f"{asked} : USERID : UNIX : {ident}\r\n".encode()
