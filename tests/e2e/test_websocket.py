"""WebSocket listeners of a running bouncer: over TLS and plain, behind a proxy, and stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, site
from tests.real.muster import PASSWORD, bouncer
from tests.real.ports import free_port
from tests.real.websocket import BOTH, websocket_peer

TERM_S = 5.0  # "TERM stops cleanly within 5 s"


def listens(port: int, *lines: str) -> str:
    more = "\n".join(lines)
    return f'[[listen]]\naddress = "127.0.0.1:{port}"\nwebsocket = true\n{more}\n'


async def test_web_clients_are_clients_like_others(tmp_path: Path) -> None:
    """Over TLS in the one, plain in the other subprotocol; a goodbye to both when it stops."""
    port, plain_port = free_port(), free_port()
    tables = listens(port) + listens(plain_port, "tls = false")
    login = f"alice/work@web:{PASSWORD}"
    async with (
        site(tmp_path, tables=tables) as here,
        websocket_peer(port, BOTH[:1], tls=True) as binary,
        websocket_peer(plain_port, BOTH[1:]) as text,
    ):
        for client in (binary, text):
            await client.register("alice", password=login)
            await client.hears("366", "alice", CHANNEL)
        await here.bob.says_bytes(b"PRIVMSG #ops :hello \xe2\x82\xac\r\n")
        for client in (binary, text):
            await client.hears("PRIVMSG", CHANNEL, "*hello €", source="bob!*")
        await text.says(f"PRIVMSG {CHANNEL} :from a page")
        await here.bob.hears("PRIVMSG", CHANNEL, "from a page", source="alice!*")
        await binary.hears("PRIVMSG", CHANNEL, "*from a page", source="alice!*")
        await text.says("PRIVMSG #ops :" + "x" * 9_000)  # as over TCP: refused, and it goes on
        await text.hears("417")
        await text.sync()
        stalled = await trio.open_tcp_stream("127.0.0.1", plain_port)
        await stalled.send_all(b"GET / HTTP/1.1\r\n")  # and never the rest
        assert await here.bouncer.program.terminate(TERM_S) < TERM_S
        assert here.bouncer.program.returncode == 0
        for client in (binary, text):
            await client.hears("ERROR", "The bouncer is stopping")
        await stalled.aclose()


@pytest.mark.parametrize(
    ("trusts", "source"), [('["127.0.0.0/8"]', "192.0.2.7"), ("[]", "127.0.0.1")]
)
async def test_an_http_proxy_is_believed_where_it_is_trusted(
    tmp_path: Path, trusts: str, source: str
) -> None:
    port = free_port()
    tables = listens(port, "tls = false", f"proxy_from = {trusts}")
    headers = [("X-Forwarded-For", "6.6.6.6, 192.0.2.7")]
    async with (
        bouncer(tmp_path, tables=tables) as here,
        websocket_peer(port, headers=headers) as client,
    ):
        await client.says("PASS nobody:wrong-password", "NICK nobody", "USER nobody 0 * :x")
        await client.hears("ERROR")
        await here.program.prints(rf"login refused.*peer={source}\b", 5)
