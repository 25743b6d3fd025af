"""The WebSocket transport: dialogues with a client of another library, and what no client says."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, memory_stream_pair
from websockets.frames import Frame, Opcode
from wsproto.events import Request

from bouncer.address import Address
from bouncer.config import Listen
from bouncer.connections.listeners import is_trusted
from bouncer.connections.websocket import (
    CLOSE_S,
    HANDSHAKE_S,
    MAX_MESSAGE,
    HandshakeFault,
    WebSocketStream,
    accept,
    forwarded_for,
    is_allowed,
)
from tests.real.websocket import BOTH, WebSocketClient

BINARY, TEXT = BOTH
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: irc.example.net\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def connected(
    subprotocols: Sequence[str] = BOTH,
) -> AsyncIterator[tuple[WebSocketClient, WebSocketStream]]:
    """A client and the bouncer's end, hands shaken."""
    far, near = memory_stream_pair()
    client = WebSocketClient(far, subprotocols)
    served: list[WebSocketStream] = []

    async def serve() -> None:
        served.append((await accept(near))[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        assert (await client.shake_hands()).status_code == 101
    with trio.fail_after(10):
        yield client, served[0]


async def read_all(stream: WebSocketStream) -> None:
    while await stream.receive_some(16_384):
        pass


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([BINARY], BINARY),
        ([TEXT], TEXT),
        ([TEXT, BINARY], TEXT),
        ([BINARY, TEXT], BINARY),
        (["v9.example.net", TEXT], TEXT),
        (["v9.example.net"], None),
        ([], None),
    ],
)
async def test_the_clients_order_of_subprotocols_counts(
    offered: list[str], chosen: str | None
) -> None:
    """ "The server MUST accept any subprotocol it supports, respecting the client's order of
    preference. If no subprotocol can be agreed on, the server MAY continue connection
    establishment without sending the `Sec-WebSocket-Protocol` header."""
    async with connected(offered) as (client, stream):
        assert client.protocol.subprotocol == chosen
        await stream.send_all(b"PING :x\r\n")
        kind, _ = await client.hears()
        # "If `binary.ircv3.net` is negotiated, then client and server will exchange binary
        # messages; if `text.ircv3.net` is negotiated, then they will exchange text messages."
        assert kind is (Opcode.BINARY if chosen == BINARY else Opcode.TEXT)


@pytest.mark.parametrize("subprotocol", BOTH)
async def test_a_message_is_a_line_without_its_end(subprotocol: str) -> None:
    """ "each message MUST consist of a single IRC line, except that servers and clients MUST NOT
    include trailing `\\r` or `\\n` characters in the message."""
    async with connected([subprotocol]) as (client, stream):
        await client.says(b"NICK alice", b"USER alice 0 * :\xc3\xa4")
        assert await stream.receive_some() == "NICK alice\r\nUSER alice 0 * :ä\r\n".encode()
        await stream.send_all(b":a 001 alice :hel")
        await stream.send_all(b"lo\r\n:a 002 alice :you\r")
        await stream.send_all(b"\n")
        lines = [(await client.hears())[1] for _ in range(2)]
        assert lines == [b":a 001 alice :hello", b":a 002 alice :you"]


async def test_what_is_no_utf8_is_replaced_in_text_messages() -> None:
    """ "Servers MUST NOT relay non-UTF-8 content to clients using text messages […] Servers MAY
    replace non-UTF-8 bytes with the UTF-8 encoding of the Unicode replacement character"."""
    line = b":bob PRIVMSG #ops :caf\xe9 \xff"
    async with connected([TEXT]) as (client, stream):
        await stream.send_all(line + b"\r\n")
        assert (await client.hears())[1] == ":bob PRIVMSG #ops :caf� �".encode()
    async with connected([BINARY]) as (client, stream):
        await stream.send_all(line + b"\r\n")
        assert (await client.hears())[1] == line
        await client.says(line)
        assert await stream.receive_some() == line + b"\r\n"


async def test_compression_is_not_taken_up() -> None:
    async with connected() as (client, _):
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


async def test_a_message_may_come_in_pieces() -> None:
    async with connected() as (client, stream):
        client.protocol.send_binary(b"PRIVMSG #ops ", fin=False)
        client.protocol.send_ping(b"between")
        client.protocol.send_continuation(b":hello", fin=True)
        await client.flush()
        assert await stream.receive_some() == b"PRIVMSG #ops :hello\r\n"
        await stream.send_all(b"PING :x\r\n")
        await client.hears()
        assert client.pongs == [b"between"]


FRAMES = {
    "a message that is too long": (
        [Frame(Opcode.BINARY, b"x" * 9_000, fin=False)]
        + [Frame(Opcode.CONT, b"x" * 9_000, fin=False)] * (MAX_MESSAGE // 9_000),
        1009,
    ),
    "one frame that is too long": ([Frame(Opcode.BINARY, b"x" * (MAX_MESSAGE + 1))], 1009),
    "text that is none": ([Frame(Opcode.TEXT, b"\xff\xfe")], 1007),
    "the rest of nothing": ([Frame(Opcode.CONT, b"x")], 1002),
}


@pytest.mark.parametrize(("frames", "code"), FRAMES.values(), ids=FRAMES)
async def test_what_breaks_the_protocol_ends_with_its_code(frames: list[Frame], code: int) -> None:
    """RFC 6455 section 7.4.1. The end is no clean one: it confirms nothing."""
    async with connected() as (client, stream):
        for frame in frames:
            await client.transport.send_all(frame.serialize(mask=True, extensions=[]))
        with pytest.raises(trio.BrokenResourceError):
            await read_all(stream)
        await stream.aclose()
        assert await client.is_closed() == code
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"too late\r\n")


@pytest.mark.parametrize(
    "frame", [b"\x82\x01x", b"\xc2\x81\0\0\0\0x", b"\x83\x80\0\0\0\0"],
    ids=["not masked", "compressed", "of an unknown kind"],
)  # fmt: skip
async def test_a_frame_that_must_not_be_ends_it(frame: bytes) -> None:
    """ "a server MUST close the connection upon receiving a frame that is not masked"."""
    async with connected() as (client, stream):
        await client.transport.send_all(frame)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        await stream.aclose()
        assert await client.is_closed() == 1002


async def test_a_close_frame_is_a_clean_end_and_is_answered() -> None:
    async with connected() as (client, stream):
        client.protocol.send_close(1001)
        await client.flush()
        assert await stream.receive_some() == b""
        assert await stream.receive_some() == b""
        await stream.send_eof()  # nothing to wait for
        await stream.aclose()
        assert await client.is_closed() == 1001


async def test_an_end_without_a_close_frame_is_a_broken_one() -> None:
    """RFC 6455 section 7.1.5: "considered to be 1006"; so it must not move a cursor."""
    async with connected() as (client, stream):
        await client.transport.aclose()
        with pytest.raises(trio.BrokenResourceError, match="without a Close frame"):
            await stream.receive_some()


async def test_our_end_is_a_close_frame_and_waits_for_the_answer(
    mock_clock: MockClock,
) -> None:
    async with connected() as (client, stream):
        ended = trio.Event()

        async def end() -> None:
            await stream.send_eof()
            ended.set()
            await stream.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            await trio.testing.wait_all_tasks_blocked()
            assert not ended.is_set()
            nursery.start_soon(stream.receive_some)
            assert await client.is_closed() == 1000
    async with connected() as (_, stream), trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_eof)  # this one's client answers nothing
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(CLOSE_S)


async def test_a_ping_is_answered_by_whoever_sends() -> None:
    """A reader that waited for a stalled writer would be deaf; "the endpoint MAY elect to send a
    Pong frame for only the most recently processed Ping frame"."""
    async with connected() as (client, stream), trio.open_nursery() as nursery:
        assert isinstance(client.transport, trio.StapledStream)
        held = stream._transport.send_stream.send_all_hook  # type: ignore[attr-defined]
        free = trio.Event()
        stream._transport.send_stream.send_all_hook = free.wait  # type: ignore[attr-defined]
        nursery.start_soon(stream.send_all, b"a long backlog\r\n")
        await trio.testing.wait_all_tasks_blocked()
        for token in (b"one", b"two"):
            client.protocol.send_ping(token)
        await client.says(b"PRIVMSG #ops :not deaf")
        assert await stream.receive_some() == b"PRIVMSG #ops :not deaf\r\n"
        stream._transport.send_stream.send_all_hook = held  # type: ignore[attr-defined]
        free.set()
        assert (await client.hears())[1] == b"a long backlog"
        while not client.pongs:
            await client._read()
        assert client.pongs == [b"two"]


# --- the handshake ---


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_handshake_has_its_time(begun: bytes, mock_clock: MockClock) -> None:
    far, near = memory_stream_pair()
    await far.send_all(begun)
    mock_clock.autojump_threshold = 0
    started = trio.current_time()
    with pytest.raises(HandshakeFault, match="within"):
        await accept(near)
    assert trio.current_time() - started == pytest.approx(HANDSHAKE_S)


BAD_REQUESTS = {
    "irc": (b"CAP LS 302\r\nNICK alice\r\n\r\n", b"400"),
    "no upgrade": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    "a post": (REQUEST.replace(b"GET", b"POST"), b"400"),
    "an old version": (REQUEST.replace(b"13", b"8"), b"426"),
    "no key": (REQUEST.replace(b"Sec-WebSocket-Key", b"X-Key"), b"400"),
    "endless": (b"GET /" + b"x" * 40_000, b"400"),
    "a host that is none": (REQUEST.replace(b"irc.example", b"xn--\xff"), b"400"),
    "a connection that is none": (REQUEST.replace(b": Upgrade", b": \xff"), b"400"),
}


@pytest.mark.parametrize(("request_", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_what_is_no_handshake_is_refused_in_http(request_: bytes, status: bytes) -> None:
    far, near = memory_stream_pair()
    await far.send_all(request_)
    with pytest.raises(HandshakeFault):
        await accept(near)
    assert (await far.receive_some()).startswith(b"HTTP/1.1 " + status)


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: REQUEST[:200] + rest))
def test_any_octets_for_a_handshake_are_refused_or_waited_for(data: bytes) -> None:
    async def shake() -> None:
        far, near = memory_stream_pair()
        await far.send_all(data)
        await far.aclose()
        with pytest.raises((HandshakeFault, trio.BrokenResourceError)):
            await accept(near)

    trio.run(shake)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_octets_after_it_are_lines_or_an_end(chunks: list[bytes]) -> None:
    async def talk() -> None:
        far, near = memory_stream_pair()
        await far.send_all(REQUEST)
        stream, _ = await accept(near)
        for chunk in chunks:
            await far.send_all(chunk)
        await far.aclose()
        with suppress(trio.BrokenResourceError):
            await read_all(stream)

    trio.run(talk)


@pytest.mark.parametrize(
    ("origin", "origins", "allowed"),
    [
        (None, (), True),
        ("https://irc.example.net", (), True),
        ("https://IRC.example.net", (), True),
        ("https://evil.example", (), False),
        ("https://irc.example.net.evil.example", (), False),
        ("null", (), False),
        ("https://[", (), False),
        ("https://chat.example.net", ("https://chat.example.net",), True),
        ("http://chat.example.net", ("https://chat.example.net",), False),
        ("https://evil.example", ("*",), True),
    ],
)
def test_pages_of_other_origins_stay_out(
    origin: str | None, origins: Collection[str], allowed: bool
) -> None:
    """RFC 6455 section 10.2: "Servers that are not intended to process input from any web page but
    only for certain sites SHOULD verify the |Origin| field"."""
    headers = [(b"origin", origin.encode())] if origin else []
    request = Request(host="irc.example.net", target="/", extra_headers=headers)
    assert is_allowed(request, origins) == allowed


async def test_a_page_of_another_origin_hears_403() -> None:
    far, near = memory_stream_pair()
    client = WebSocketClient(far, origin="https://evil.example")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.shake_hands)
        with pytest.raises(HandshakeFault, match="origin"):
            await accept(near)
    assert client.response is not None
    assert client.response.status_code == 403


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),  # the first is the client's own word
        (["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        (["192.0.2.7", "10.0.0.2"], "192.0.2.7"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # somebody inside
        (["192.0.2.7, nobody"], ""),
        (["nobody"], ""),
        ([], ""),
    ],
)
def test_a_trusted_proxy_is_believed_about_its_own_client(values: list[str], client: str) -> None:
    trusted = (ipaddress.ip_network("10.0.0.0/8"),)
    listen = Listen(address=Address("0.0.0.0", 443), proxy_from=trusted)
    headers = [(b"x-forwarded-for", value.encode()) for value in values]
    assert forwarded_for(headers, partial(is_trusted, listen=listen)) == client
