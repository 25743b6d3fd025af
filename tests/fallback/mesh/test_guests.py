"""Who may dial a voter's port: the bounds, and what is kept for the bouncer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio

from bouncer.config import Address
from bouncer.mesh.heartbeat import Kind
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.link import FrameType, LinkFault, dial_voter
from bouncer.mesh.peers import Peers
from fallback.mesh import port
from fallback.mesh.guests import A_SECOND, AT_FIRST, AT_ONCE, PER_SOURCE, TELL_EVERY_S, Guests
from fallback.mesh.port import Mesh
from tests.fallback.voters import until

SITE, FRA = (MeshKey(letter * 32) for letter in (b"s", b"f"))


def admitted(guests: Guests, hosts: list[str], now: float = 0.0) -> int:
    return sum(guests.admit(host, now) for host in hosts)


def test_one_address_gets_few_places_and_gets_them_back() -> None:
    guests = Guests()
    assert admitted(guests, ["192.0.2.1"] * 9) == PER_SOURCE
    assert guests.refused["from one address"] == 9 - PER_SOURCE
    guests.release("192.0.2.1")
    assert admitted(guests, ["192.0.2.1"] * 2) == 1
    assert admitted(guests, [f"2001:db8::{n}" for n in range(9)]) == PER_SOURCE, "one /64"


def test_all_together_get_few_places_but_the_bouncer_has_its_own() -> None:
    guests = Guests()
    guests.expect("::ffff:198.51.100.7")  # as a socket for both families writes it
    many = [f"192.0.2.{n}" for n in range(AT_ONCE + 3)]
    assert admitted(guests, many) == AT_ONCE
    assert guests.refused["at once"] == 3
    assert admitted(guests, ["198.51.100.7"] * 9) == PER_SOURCE
    guests.release("192.0.2.0")
    assert admitted(guests, ["192.0.2.99"] * 2) == 1, "the bouncer takes no place of theirs"


def test_handshakes_one_after_another_are_few_a_second() -> None:
    guests = Guests()

    def one_after_another(count: int, now: float) -> int:
        done = 0
        for n in range(count):
            host = f"192.0.2.{n % 250}"
            if guests.admit(host, now):
                guests.release(host)
                done += 1
        return done

    assert one_after_another(1000, 0.0) == AT_FIRST
    assert one_after_another(1000, 1.0) == A_SECOND
    guests.expect("198.51.100.7")
    assert guests.admit("198.51.100.7", 1.0)


def test_the_log_is_told_at_most_once_a_minute_and_how_many() -> None:
    guests = Guests()
    assert guests.news(0.0) == 0
    admitted(guests, ["192.0.2.1"] * (PER_SOURCE + 5))
    assert guests.news(0.0) == 5
    admitted(guests, ["192.0.2.1"] * 7)
    assert guests.news(TELL_EVERY_S - 1) == 0
    assert guests.news(TELL_EVERY_S) == 7
    assert guests.news(3 * TELL_EVERY_S) == 0


@contextmanager
def dialled(host: str, to: tuple[str, int], count: int) -> Iterator[list[socket.socket]]:
    """Connections that say nothing."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(to, source_address=(host, 0)))
            one.setblocking(False)
            made.append(one)
        yield made


async def ended(connections: list[socket.socket], count: int) -> None:
    """Wait until so many have been closed at the other end."""
    gone: set[socket.socket] = set()
    with trio.fail_after(20):
        while len(gone) < count:
            for one in connections:
                try:
                    if one not in gone and not one.recv(1):
                        gone.add(one)
                except BlockingIOError:
                    continue
                except OSError:
                    gone.add(one)
            await trio.sleep(0.01)
    assert len(gone) == count


async def test_the_bouncer_gets_in_among_many_who_say_nothing(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """And their time ends."""
    monkeypatch.setattr(port, "HANDSHAKE_S", 5.0)
    listen = Address("127.0.0.1", 0)
    rosters: list[bytes] = []
    mesh = Mesh(FRA, SITE.public, listen, heard=lambda _one, _where: None, roster=rosters.append)
    await nursery.start(mesh.run)
    here = ("127.0.0.1", mesh.port)
    site = Peers(SITE, lambda: os.urandom(8))
    site.replace({"fra": FRA.public})
    with ExitStack() as stack:
        crowd = [
            one
            for n in range(2, 2 + AT_ONCE // PER_SOURCE)
            for one in stack.enter_context(dialled(f"127.0.0.{n}", here, PER_SOURCE))
        ]
        more = stack.enter_context(dialled("127.0.0.99", here, 3))
        await ended(more, 3)
        assert mesh.guests.refused == {"at once": 3}
        with pytest.raises(LinkFault):
            await dial_voter(*here, FRA.public)
        mesh.guests.expect("127.0.0.1")
        link = await dial_voter(*here, FRA.public)
        await link.send(FrameType.DATAGRAM, site.seal("fra", Kind.HELLO))
        site.receive((await link.receive()).content, trio.current_time())
        await link.send(FrameType.DATAGRAM, site.seal("fra", Kind.HELLO))
        await link.send(FrameType.ROSTER, b"roster")
        await until(lambda: rosters)
        assert mesh.linked
        await ended(crowd, len(crowd))
        assert mesh.linked
        again = await dial_voter(*here, FRA.public)
        await again.aclose()
        await link.aclose()
        await until(lambda: not mesh.linked)


async def test_who_replays_what_the_bouncer_once_said_keeps_no_place(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """It carries the tag, but no nonce of ours: from the handshake on there is one time for all."""
    monkeypatch.setattr(port, "PROOF_S", 1.0)
    listen = Address("127.0.0.1", 0)
    mesh = Mesh(FRA, SITE.public, listen, heard=lambda _one, _where: None, roster=lambda _: None)
    await nursery.start(mesh.run)
    site = Peers(SITE, lambda: os.urandom(8))
    site.replace({"fra": FRA.public})
    recorded = site.seal("fra", Kind.HELLO)
    link = await dial_voter("127.0.0.1", mesh.port, FRA.public)

    async def replays() -> None:
        while True:
            await link.send(FrameType.DATAGRAM, recorded)
            await link.receive()
            await trio.sleep(0.1)

    with trio.fail_after(10), pytest.raises(LinkFault):
        await replays()
    await link.aclose()
    assert not mesh.linked
