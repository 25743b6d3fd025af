"""TLS between two buffers: however the octets are cut, what was said is what is heard."""

from __future__ import annotations

import ssl
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair

from bouncer.connections import dial
from bouncer.tls import stream as tls_stream
from bouncer.tls.stream import shake_hands
from tests.bouncer.tls_peer import (
    TLS13,
    both_contexts,
    client_context,
    connected,
    met,
    openssl_client,
    server_context,
)

both_versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, TLS13])

words = st.lists(
    st.one_of(st.binary(min_size=1, max_size=200), st.just(b"a long line " * 3_000)), max_size=8
)
cuts = st.lists(st.integers(0, 10_000), max_size=12)


def pieces(octets: bytes, where: list[int]) -> list[bytes]:
    """The octets, cut at so many ten-thousandths of them."""
    points = [0, *sorted(len(octets) * each // 10_000 for each in where), len(octets)]
    return [octets[start:end] for start, end in pairwise(points)]


@both_contexts
@both_versions
@given(said=words, answered=words, where=cuts)
def test_however_it_is_cut_it_is_heard_whole(
    asking: bool,
    version: ssl.TLSVersion,
    said: list[bytes],
    answered: list[bytes],
    where: list[int],
) -> None:
    stream, peer = connected(asking, version, memory_stream_pair()[0])
    octets = b"".join(map(peer.says, said))
    assert b"".join(map(stream.opened, pieces(octets, where))) == b"".join(said)
    answer = b"".join(map(stream.sealed, answered))
    assert b"".join(map(peer.hears, pieces(answer, where))) == b"".join(answered)
    assert not stream.ended()
    assert stream.opened(b"".join(map(stream.opened, pieces(peer.says_goodbye(), where)))) == b""
    assert stream.ended()
    assert peer.hears(stream.sealed(b"the other way is open yet")) != b""


@both_contexts
async def test_it_is_a_stream_like_any_other(asking: bool) -> None:
    async with met(asking) as (stream, peer, far):
        await far.send_all(peer.says(b"hello") + peer.says(b"world"))
        assert await stream.receive_some(3) == b"hel"
        assert await stream.receive_some() == b"lo"
        assert await stream.receive_some() == b"world"
        await stream.send_all(b"hi")
        assert peer.hears(bytes(await far.receive_some())) == b"hi"


@both_contexts
async def test_half_a_record_is_waited_for(asking: bool) -> None:
    async with met(asking) as (stream, peer, far):
        octets = peer.says(b"slowly")
        await far.send_all(octets[:-1])
        with trio.move_on_after(0.05) as limit:
            await stream.receive_some()
        assert limit.cancelled_caught
        await far.send_all(octets[-1:])
        assert await stream.receive_some() == b"slowly"


@both_contexts
@pytest.mark.parametrize("rest", [0, 10])
async def test_who_just_closes_has_ended(asking: bool, rest: int) -> None:
    """Many IRC clients and servers say no close_notify, and some stop within a record."""
    async with met(asking) as (stream, peer, far):
        await far.send_all(peer.says(b"QUIT") + peer.says(b"cut off")[:rest])
        await far.aclose()
        assert await stream.receive_some() == b"QUIT"
        assert await stream.receive_some() == b""
        assert await stream.receive_some() == b""


@both_contexts
async def test_a_goodbye_is_an_end_though_the_connection_stays(asking: bool) -> None:
    async with met(asking) as (stream, peer, far):
        await far.send_all(peer.says(b"QUIT") + peer.says_goodbye())
        assert await stream.receive_some() == b"QUIT"
        assert await stream.receive_some() == b""


@both_contexts
@pytest.mark.parametrize("unread", [b"", b"PING 1"])
async def test_it_says_goodbye_and_hears_what_comes_still(asking: bool, unread: bytes) -> None:
    """RFC 8446 section 6.1: "Each party MUST send a 'close_notify' alert before closing its write
    side of the connection"."""
    async with met(asking) as (stream, peer, far):
        await stream.send_all(b"ERROR :bye")
        if unread:
            await far.send_all(peer.says(unread))
            assert await stream.receive_some(4) == b"PING"
        await stream.send_eof()
        octets = b""
        while more := await far.receive_some():
            octets += more
        assert peer.hears(octets) == b"ERROR :bye"
        assert peer.hears(b"") == b"", "the goodbye: else it would wait for more"
        await far.send_all(peer.says(b"QUIT"))
        await far.aclose()
        heard = b""
        while more := await stream.receive_some():
            heard += more
        assert heard == unread[4:] + b"QUIT"


@both_contexts
async def test_what_is_no_tls_breaks_it_after_what_came_before(asking: bool) -> None:
    async with met(asking) as (stream, peer, far):
        await far.send_all(peer.says(b"ERROR :bye") + b"and now in clear\r\n" * 10)
        assert await stream.receive_some() == b"ERROR :bye"
        with pytest.raises(trio.BrokenResourceError) as broken:
            await stream.receive_some()
        assert isinstance(broken.value.__cause__, ssl.SSLError)
        assert stream.sealed(b"secret") == b""
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"secret")


@both_contexts
async def test_a_record_that_was_meddled_with_is_not_heard(asking: bool) -> None:
    async with met(asking) as (stream, peer, far):
        octets = bytearray(peer.says(b"JOIN 0"))
        octets[-1] ^= 1
        await far.send_all(octets)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_a_send_that_was_cut_off_is_not_followed_by_another() -> None:
    async with met() as (stream, _, _):
        with trio.move_on_after(0.05) as limit:
            await stream.send_all(bytes(50_000_000))
        assert limit.cancelled_caught
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"more")


@both_contexts
async def test_who_shakes_hands_and_goes_has_not_reset_the_connection(asking: bool) -> None:
    """Unread tickets would make its close a reset: they wait for our first words."""
    async with met(asking) as (stream, _, far):
        await far.aclose()
        assert await stream.receive_some() == b""


@both_contexts
async def test_who_vanishes_in_the_handshake_is_told_apart(asking: bool) -> None:
    near, far = memory_stream_pair()
    await far.aclose()
    with pytest.raises(trio.BrokenResourceError) as broken:
        await shake_hands(near, server_context(asking), server_side=True)
    assert isinstance(broken.value.__cause__, ssl.SSLEOFError)


async def test_a_certificate_is_verified_where_the_context_says_so() -> None:
    near, far = memory_stream_pair()
    context = client_context()
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await shake_hands(far, server_context(False), server_side=True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(trio.BrokenResourceError) as broken:
            await shake_hands(near, context, server_hostname="irc.example.net")
        assert isinstance(broken.value.__cause__, ssl.SSLCertVerificationError)
        await near.aclose()


@both_contexts
async def test_keys_are_updated_at_the_peer_s_wish(asking: bool) -> None:
    """RFC 8446 section 4.6.3: "If the request_update field is set to "update_requested", then the
    receiver MUST send a KeyUpdate of its own with request_update set to "update_not_requested"
    prior to sending its next Application Data record.\""""
    async with openssl_client(asking) as (stream, client):
        for number in range(3):
            said = b"after %d updates\n" % number
            await client.types(said)
            assert await stream.receive_some() == said
            await stream.send_all(b"heard %d\n" % number)
            await client.shows(b"heard %d\n" % number)
            await client.updates_keys()


@both_contexts
async def test_who_wants_keys_updated_without_end_is_cut_off(
    asking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_stream, "OWED", 1_000)
    async with openssl_client(asking) as (stream, client), trio.open_nursery() as nursery:

        async def update() -> None:
            while True:
                await client.updates_keys()

        nursery.start_soon(update)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        nursery.cancel_scope.cancel()


def test_nobody_renegotiates() -> None:
    """Else reading could make us owe an answer at once, and writing have to wait for one."""
    contexts = (server_context(False), dial.client_context(pinned=True),
                dial.client_context(pinned=False))  # fmt: skip
    for context in contexts:
        assert isinstance(context, ssl.SSLContext)
        assert context.options & ssl.OP_NO_RENEGOTIATION
