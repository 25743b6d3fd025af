"""Where clients come in: TCP and unix sockets, WebSocket, the TLS certificate of the moment."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog
import trio

from bouncer.address import refused
from bouncer.config import Listen
from bouncer.connections import downstream, mistaken, proxied
from bouncer.connections.downstream import Door
from bouncer.connections.strangers import TooMany
from bouncer.login.throttle import source_of
from bouncer.tls.contexts import ServerTls, peer_fingerprint
from bouncer.tls.stream import HANDSHAKE, SpokeNoTls, shake_hands

BACKLOG = 1_024  # connections the kernel holds for us: a team reconnects at once
HANDSHAKE_S = 30.0
UNIX_MODE = 0o660
UNIX_PEER = "unix"
FIRST_LOOK_S = 5.0  # for the first octet, where it shows that somebody mistook the port
LAST_WORD_S = 3.0  # for what somebody is told before the end,
LAST_CHUNK = 4_096  # and for what they still say meanwhile: unread, it would reset the connection

log = structlog.get_logger("listeners")


class ListenFault(OSError):
    """An address cannot be listened on. The text is the operator's message."""


class Arrived(NamedTuple):
    """A client that has come in by a listener; `is_known` is to be called when it has logged in."""

    listen: Listen
    door: Door
    peer: str
    is_known: Callable[[], None]


async def open_listeners(listen: Listen) -> list[trio.SocketListener]:
    """The open sockets of one `[[listen]]`. Raises ListenFault."""
    address = listen.address
    try:
        if address.path:
            return [await _open_unix(Path(address.path))]
        return await trio.open_tcp_listeners(address.port, host=address.host, backlog=BACKLOG)
    except OSError as error:
        raise ListenFault(refused(address, error)) from None


async def _open_unix(path: Path) -> trio.SocketListener:
    if path.is_socket():
        path.unlink()  # left by a run that was killed; a live one would hold the data directory
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await sock.bind(os.fspath(path))
    path.chmod(UNIX_MODE)
    sock.listen(BACKLOG)
    return trio.SocketListener(sock)


async def serve(
    listen: Listen, listeners: Sequence[trio.SocketListener], door: Door, tls: ServerTls | None
) -> None:
    """Accept clients until cancelled."""
    await trio.serve_listeners(partial(_serve_one, listen, door, tls), list(listeners))


async def _serve_one(
    listen: Listen, door: Door, tls: ServerTls | None, stream: trio.SocketStream
) -> None:
    """One client from its first octet to its last. Nothing it does reaches the others."""
    peer, at = peer_of(stream), str(listen.address)
    try:
        if is_trusted(peer, listen):
            peer = await _proxied_client(stream, listen) or peer
        source = None if is_trusted(peer, listen) else source_of(peer)
        with door.strangers.admitted(source, trio.current_time()) as is_known:
            arrived = Arrived(listen, door, peer, is_known)
            if listen.tls and tls is not None:
                await _by_tls(stream, tls, arrived)
            elif await _begins_with_tls(stream):
                log.info("a client spoke TLS where none is spoken", peer=peer, at=at)
                await _say_last(stream, mistaken.NO_TLS_HERE)
            else:
                await _hand_over(stream, arrived)
    except TooMany as crowd:
        say = log.warning if crowd.is_news else log.debug
        say("connections refused", peer=peer, at=at, reason=str(crowd))
        await trio.aclose_forcefully(stream)
    except proxied.ProxyFault as fault:
        log.warning("a proxy's connection failed", peer=peer, reason=str(fault))
        await trio.aclose_forcefully(stream)
    except SpokeNoTls as spoke:
        answer = mistaken.answer_in_clear(spoke.octets, listen.websocket)
        say = log.info if answer else log.debug  # the rest are scans
        say("a client spoke no TLS where nothing else is spoken", peer=peer, at=at)
        await _say_last(stream, answer)
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        # Whoever only connects is a voter's probe or a scan: two voters make 17,000 of them a day.
        say = log.debug if isinstance(error.__cause__, ssl.SSLEOFError) else log.info
        say("connection failed", peer=peer, reason=str(error.__cause__ or error))
        await trio.aclose_forcefully(stream)
    except Exception:  # the task's border: one client's fault must not end the others
        log.exception("a client's connection failed", peer=peer)


async def _by_tls(stream: trio.SocketStream, tls: ServerTls, arrived: Arrived) -> None:
    context = tls.context(arrived.listen.client_certs)
    with trio.move_on_after(HANDSHAKE_S) as limit:
        secure = await shake_hands(stream, context, server_side=True)
    if limit.cancelled_caught:
        await trio.aclose_forcefully(stream)
        return
    await _hand_over(secure, arrived, peer_fingerprint(secure))


async def _begins_with_tls(stream: trio.SocketStream) -> bool:
    """Whether the client begins a TLS handshake. Nothing is taken of what it says."""
    with trio.move_on_after(FIRST_LOOK_S), suppress(OSError):
        return await stream.socket.recv(len(HANDSHAKE), socket.MSG_PEEK) == HANDSHAKE
    return False


async def _say_last(stream: trio.SocketStream, octets: bytes) -> None:
    """Say it, if it is anything, and end the connection."""
    if octets:
        with trio.move_on_after(LAST_WORD_S), suppress(OSError, trio.BrokenResourceError):
            await stream.send_all(octets)
            await stream.send_eof()
            while await stream.receive_some(LAST_CHUNK):
                pass
    await trio.aclose_forcefully(stream)


async def _proxied_client(stream: trio.SocketStream, listen: Listen) -> str:
    """Who the client of a trusted proxy is; '' where the proxy does not say it here."""
    try:
        return await proxied.read_source(stream)
    except proxied.NoHeader:
        if not listen.websocket:
            raise
        return ""  # an HTTP proxy: it says so in its request


async def _hand_over(stream: trio.abc.Stream, arrived: Arrived, fingerprint: str = "") -> None:
    """Serve the client that is now at the other end of the stream."""
    listen, door, peer, is_known = arrived
    if listen.websocket:
        from bouncer.connections import websocket  # by a few servers alone: others start without it

        try:
            stream, headers = await websocket.accept(stream, listen.origins)
        except websocket.HandshakeFault as fault:
            log.info("no WebSocket", peer=peer, reason=str(fault))
            await trio.aclose_forcefully(stream)
            return
        if is_trusted(peer, listen):
            trusted = partial(is_trusted, listen=listen)
            peer = websocket.forwarded_for(headers, trusted) or peer
    await downstream.serve(stream, door, peer=peer, fingerprint=fingerprint, is_known=is_known)


def is_trusted(peer: str, listen: Listen) -> bool:
    """Whether this peer is a proxy, whose word we take for who the client is."""
    if peer == UNIX_PEER:
        return bool(listen.proxy_from)  # the socket's mode says who may connect
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in listen.proxy_from)


def peer_of(stream: trio.SocketStream) -> str:
    """The address of the other end; `unix` for a unix socket."""
    if stream.socket.family == socket.AF_UNIX:
        return UNIX_PEER
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # it has gone already
        return "gone"
