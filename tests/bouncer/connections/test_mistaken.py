"""Who comes to a port that speaks otherwise is told so, and the log says it kindly."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs

from bouncer import config
from bouncer.connections import listeners, mistaken
from bouncer.connections.downstream import Door
from bouncer.login.auth import Authenticator
from bouncer.tls import contexts as tls
from tests.complaints.venue import Muster, running_bouncer, running_network

PATIENCE_S = 10.0
LATE = [{"tls": True, "websocket": True}, {"tls": True, "client_certs": True}, {"tls": True}]


@asynccontextmanager
async def connected(
    folder: Path, listen: dict[str, Any], muster: Muster | None = None
) -> AsyncIterator[trio.SocketStream]:
    """Somebody at one listener; afterwards it has let go of them."""
    tables = {"data_dir": str(folder), "listen": [{"address": "127.0.0.1:6697", **listen}]}
    conf = config.parse(tables, folder / "bouncer.toml")
    server = tls.server_tls(conf)
    nobody = cast(Authenticator, None)  # it is not let in
    door = muster.door if muster else Door("muster.test", nobody, {}.get, dict)
    near, far = trio.socket.socketpair()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            client, serving = trio.SocketStream(near), trio.SocketStream(far)
            nursery.start_soon(listeners._serve_one, conf.listen[0], door, server, serving)
            yield client
            await client.aclose()


async def heard(client: trio.SocketStream) -> bytes:
    return b"".join([bytes(octets) async for octets in client])


@pytest.mark.parametrize("listen", LATE[1:], ids=["asking", "plain"])
@pytest.mark.parametrize("begin", ["CAP LS 302", "NICK al", "pass x:y", "USER a 0 * :a", "QUIT"])
async def test_irc_without_tls_is_told(begin: str, listen: dict[str, Any], tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with connected(tmp_path, listen) as client:
            await client.send_all(f"{begin}\r\n".encode())
            assert await heard(client) == mistaken.ONLY_TLS
    (line,) = logged
    assert line["event"] == "a client spoke no TLS where nothing else is spoken"
    assert (line["log_level"], line["at"]) == ("info", "127.0.0.1:6697")


async def test_who_goes_on_speaking_hears_the_answer_all_the_same(tmp_path: Path) -> None:
    """To close a socket with unread octets resets the connection: the answer would be lost."""
    async with connected(tmp_path, {"tls": True}) as client:
        await client.send_all(b"CAP LS 302\r\n")
        await client.send_all(b"NICK alice\r\nUSER alice 0 * :alice\r\n" * 4_000)
        assert await heard(client) == mistaken.ONLY_TLS


async def test_a_browser_without_tls_is_told_in_http(tmp_path: Path) -> None:
    async with connected(tmp_path, LATE[0]) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        said = await heard(client)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"wss://" in body


@pytest.mark.parametrize("listen", LATE, ids=["websocket", "asking", "plain"])
@pytest.mark.parametrize("begin", [b"\x00\x01", b"SSH-2.0-x\r\n", b"\r\n"])
async def test_a_scan_gets_no_answer(begin: bytes, listen: dict[str, Any], tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with connected(tmp_path, listen) as client:
            await client.send_all(begin)
            assert await heard(client) == b""
    assert [line["log_level"] for line in logged] == ["debug"]


@pytest.mark.parametrize("websocket", [True, False])
async def test_tls_where_none_is_spoken_ends_with_an_alert(websocket: bool, tmp_path: Path) -> None:
    trusting = ssl.create_default_context()
    with capture_logs() as logged:
        async with connected(tmp_path, {"tls": False, "websocket": websocket}) as client:
            secure = trio.SSLStream(client, trusting, server_hostname="muster.test")
            with pytest.raises(trio.BrokenResourceError) as broken:
                await secure.do_handshake()
    assert "ALERT_HANDSHAKE_FAILURE" in str(broken.value.__cause__).upper().replace(" ", "_")
    (line,) = logged
    assert line["event"] == "a client spoke TLS where none is spoken"
    assert (line["log_level"], line["at"]) == ("info", "127.0.0.1:6697")


async def test_who_speaks_as_the_port_does_loses_nothing(tmp_path: Path) -> None:
    """The look at the first octet takes nothing."""
    async with (
        running_network() as network,
        running_bouncer(tmp_path / "m", network) as muster,
        connected(tmp_path, {"tls": False}, muster) as client,
    ):
        await client.send_all(b"CAP LS 302\r\n")
        said = b""
        while b"CAP * LS" not in said:
            said += await client.receive_some()
