"""Under a flood the kernel drops what does not echo our nonce; what peers say comes through."""

from __future__ import annotations

import os
from contextlib import aclosing

import pytest

from bouncer.mesh.datagrams import Port
from bouncer.mesh.heartbeat import Kind, seal
from bouncer.mesh.sieve import FLOOD_PER_S, LOOK_S, SAMPLE, Sieve, program

NONCE, OTHER = b"\x00\x01\x02\xff\xfe\xfd\x80\x7f", os.urandom(8)
MANY = 400


def datagram(echo: bytes, body: bytes = b"") -> bytes:
    return seal(b"k" * 32, b"sender00", Kind.VOTE, nonce=OTHER, echo=echo, sequence=1, body=body)


async def received(port: Port, data: bytes, count: int = MANY) -> int:
    """How many of so many come through; the last one, which echoes our nonce, ends the reading."""
    last = datagram(NONCE, b"last")
    for _ in range(count):
        port.send(data, ("127.0.0.1", port.number))
    port.send(last, ("127.0.0.1", port.number))
    came = 0
    async with aclosing(port.batches()) as batches:
        async for batch in batches:
            came += len(batch)
            if batch[-1][0] == last:
                break
    return came - 1


@pytest.fixture
def port() -> Port:
    return Port("127.0.0.1", 0)


async def test_what_echoes_our_nonce_comes_through_and_of_the_rest_a_sample(port: Port) -> None:
    port.sift(program(NONCE))
    assert await received(port, datagram(NONCE)) == MANY
    for forged in (
        datagram(OTHER),
        datagram(NONCE[:4] + OTHER[4:]),
        datagram(OTHER[:4] + NONCE[4:]),
    ):
        assert 1 <= await received(port, forged) <= 4 * MANY / SAMPLE
    assert await received(port, b"short") == 0
    port.sift(program(OTHER))  # another nonce is ours now
    port.sift(None)
    assert await received(port, datagram(OTHER)) == MANY
    port.close()


def flood(sieve: Sieve, begins: float, per_s: float, seconds: float) -> list[bool]:
    return [sieve.refused(begins + n / per_s) for n in range(int(per_s * seconds))]


def test_peers_do_not_close_it() -> None:
    """Five voters that start at once, repeat and are refused for a while, all together."""
    sieve = Sieve()
    assert not any(flood(sieve, 0, FLOOD_PER_S / 2, 20))
    assert not sieve.closed


def test_a_flood_closes_it_within_a_second_and_its_end_opens_it() -> None:
    sieve = Sieve()
    assert flood(sieve, 0, FLOOD_PER_S * 50, LOOK_S).count(True) == 1
    assert sieve.closed
    now = LOOK_S
    for _ in range(5):  # the flood goes on: this much of it still comes through
        flood(sieve, now, FLOOD_PER_S * 50 / SAMPLE, LOOK_S)
        now += LOOK_S
        assert not sieve.look(now)
    now += LOOK_S
    assert sieve.look(now)
    assert not sieve.closed
    assert not any(flood(sieve, now, FLOOD_PER_S / 2, 5))


def test_it_is_judged_by_whole_seconds() -> None:
    """A look that comes at once after the closing has seen nothing yet."""
    sieve = Sieve()
    flood(sieve, 0, FLOOD_PER_S * 50, LOOK_S)
    assert not sieve.look(0.1)
    assert sieve.closed


def test_time_that_passed_in_between_makes_no_flood() -> None:
    sieve = Sieve()
    for second in range(50):
        assert not any(flood(sieve, second * 10, FLOOD_PER_S, LOOK_S * 0.9))
    assert not sieve.closed
