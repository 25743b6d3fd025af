"""The TLS link of the mesh: the bouncer dials, the voter's public key is pinned, dates ignored.

It carries the same sealed datagrams as UDP, and rosters, which are too long for one. A frame is
four octets of length, one of type, then the content. TLS proves the voter to the bouncer; the
bouncer proves itself by its first fresh datagram, before which a voter takes nothing else.
"""

from __future__ import annotations

import os
import ssl
import struct
from enum import Enum
from typing import NamedTuple

import trio

from bouncer.mesh.heartbeat import MAX_DATAGRAM
from bouncer.mesh.keys import MeshKey, PublicKey, certificate_is_of
from bouncer.mesh.roster import MAX_ROSTER

HANDSHAKE_S = 10.0
SEND_S = 10.0  # a peer that does not read for so long is gone
_HEAD = struct.Struct("!IB")


class LinkFault(OSError):
    """The link is not to be used (any more). Its text says why."""


class FrameType(Enum):
    """What a frame holds, and how long it may be."""

    DATAGRAM = 1
    ROSTER = 2

    @property
    def limit(self) -> int:
        return MAX_DATAGRAM if self is FrameType.DATAGRAM else MAX_ROSTER


class Frame(NamedTuple):
    type: FrameType
    content: bytes


class Link:
    """Frames over an open TLS stream. One task reads; any may write."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream
        self._writing = trio.Lock()
        self._rest = bytearray()

    async def send(self, type: FrameType, content: bytes) -> None:
        """Send one frame. Raises LinkFault."""
        try:
            with trio.fail_after(SEND_S):
                async with self._writing:
                    await self._stream.send_all(_HEAD.pack(len(content), type.value) + content)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            raise LinkFault(f"the link broke: {type_name(error)}") from error

    async def receive(self) -> Frame:
        """The next frame. Raises LinkFault at the end and for frames nobody may send."""
        length, code = _HEAD.unpack(await self._exactly(_HEAD.size))
        try:
            type = FrameType(code)
        except ValueError:
            raise LinkFault(f"a frame of unknown type {code}") from None
        if length > type.limit:
            raise LinkFault("a frame is too long")
        return Frame(type, await self._exactly(length))

    async def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            try:
                chunk = await self._stream.receive_some(65536)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise LinkFault("the link broke") from error
            if not chunk:
                raise LinkFault("the other end closed the link")
            self._rest += chunk
        taken = bytes(self._rest[:count])
        del self._rest[:count]
        return taken

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


def type_name(error: BaseException) -> str:
    return type(error).__name__


def server_context(key: MeshKey) -> ssl.SSLContext:
    """The voter's side: its own key in a certificate nobody looks at but for the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # load_cert_chain reads files only; the memory file keeps the key off the disk.
    with os.fdopen(os.memfd_create("mesh"), "wb") as file:
        file.write(key.certificate_pem())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context


async def dial_voter(host: str, port: int, public: PublicKey) -> Link:
    """Open the link to the voter that holds `public`. Raises LinkFault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin below decides, not dates or issuers
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        with trio.fail_after(HANDSHAKE_S):
            stream = trio.SSLStream(await trio.open_tcp_stream(host, port), context)
            try:
                await stream.do_handshake()
                shown = stream.getpeercert(binary_form=True) or b""
                if not certificate_is_of(shown, public):
                    raise LinkFault("whoever answers there holds another key")
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
    except LinkFault:
        raise
    except trio.TooSlowError:
        raise LinkFault(f"no answer within {HANDSHAKE_S:.0f} s") from None
    except (OSError, ssl.SSLError, trio.BrokenResourceError) as error:
        raise LinkFault(getattr(error, "strerror", None) or "no TLS handshake") from error
    except UnicodeError:
        raise LinkFault("its host is no name that DNS knows") from None
    return Link(stream)
