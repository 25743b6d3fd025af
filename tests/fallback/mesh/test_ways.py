"""Peers by a name of which one address leads nowhere: the bouncer and the voters try the others."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from bouncer.config import Address
from bouncer.mesh.beacon import Beacon
from bouncer.mesh.datagrams import Where
from bouncer.mesh.heartbeat import MAX_DATAGRAM, NONCE_OCTETS, Kind
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.peers import Heard, Peers
from bouncer.mesh.roster import Voter
from bouncer.mesh.ways import HEARD_S, MOST, Ways
from fallback.mesh.port import Mesh
from storage import directory
from storage.records import Agent
from storage.store import open_store
from tests.fallback.voters import until
from tests.storage.ready import ready

SITE, FRA, AMS = (MeshKey(letter * 32) for letter in (b"s", b"f", b"a"))
V6, V4 = ("2001:db8::1", 6700), ("192.0.2.1", 6700)


def test_all_addresses_are_tried_until_one_is_heard_and_again_when_it_is_silent() -> None:
    ways = Ways()
    assert ways.towards(0) == []
    ways.found([V6, V4, V6])
    assert ways.towards(0) == [V6, V4]
    ways.heard(("198.51.100.1", 6700), 1)  # not its address, whoever sent it on
    assert ways.towards(1) == [V6, V4]
    ways.heard(V4, 1)
    assert ways.towards(1) == [V4]
    ways.found([V6, V4])  # looked up again
    assert ways.towards(1) == [V4]
    assert ways.towards(1 + HEARD_S) == [V6, V4]


def test_who_is_heard_from_two_addresses_is_spoken_to_at_both() -> None:
    """It says all to all of ours, so that it does not hear us: one way may lead but one way."""
    ways = Ways()
    ways.found([V6, V4])
    ways.heard(V6, 1)
    ways.heard(V4, 1)
    assert ways.towards(2) == [V6, V4]


def test_a_name_of_very_many_addresses_is_no_flood() -> None:
    ways = Ways()
    ways.found((f"192.0.2.{number}", 6700) for number in range(100))
    assert len(ways.towards(0)) == MOST


class BrokenV6(trio.abc.HostnameResolver):
    """Every name has an address where nobody listens, and then a good one."""

    async def getaddrinfo(
        self,
        host: bytes | None,  # noqa: ARG002
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        found = []
        for address in ("::1", "127.0.0.1"):
            found += socket.getaddrinfo(address, port, family, type, proto, flags)
        return found

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@contextmanager
def broken_v6() -> Iterator[None]:
    before = trio.socket.set_custom_hostname_resolver(BrokenV6())
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(before)


@asynccontextmanager
async def a_mesh(key: MeshKey, heard: dict[str, Kind]) -> AsyncIterator[Mesh]:
    """A voter's end, on IPv4 alone; `heard` is what came by UDP last, by peer."""

    def take(one: Heard, where: Where | None) -> None:
        if where is not None:
            heard[one.peer] = one.kind

    mesh = Mesh(key, SITE.public, Address("127.0.0.1", 0), heard=take, roster=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(mesh.run)
        yield mesh
        nursery.cancel_scope.cancel()


async def test_voters_hear_each_other_by_the_address_that_works() -> None:
    at_fra: dict[str, Kind] = {}
    at_ams: dict[str, Kind] = {}
    with broken_v6():
        async with a_mesh(FRA, at_fra) as fra, a_mesh(AMS, at_ams) as ams:
            voters = [
                Voter("fra", str(FRA.public), f"fra.test:{fra.port}"),
                Voter("ams", str(AMS.public), f"ams.test:{ams.port}"),
            ]
            fra.know(voters, "fra")
            ams.know(voters, "ams")
            await until(lambda: "ams" in at_fra and "fra" in at_ams)


async def test_the_bouncer_beats_to_the_address_that_works(tmp_path: Path) -> None:
    heard: dict[str, Kind] = {}
    with broken_v6():
        async with (
            open_store(await ready(tmp_path), key=None) as store,
            a_mesh(FRA, heard) as fra,
            trio.open_nursery() as nursery,
        ):
            voter = Agent("fra", f"fra.test:{fra.port}", str(FRA.public), role="agent")
            await store.run(directory.add_agent, voter)
            await nursery.start(Beacon(store, SITE).run)
            await until(lambda: Kind.HEARTBEAT in heard.values())
            nursery.cancel_scope.cancel()


async def test_a_greeting_goes_to_all_addresses_so_that_a_way_back_is_found() -> None:
    """What AMS says by IPv6 arrives, what it is told by it is lost."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ams, broken_v6():
        ams.bind(("127.0.0.1", 0))
        ams.setblocking(False)
        port = ams.getsockname()[1]
        peers = Peers(AMS, lambda: os.urandom(NONCE_OCTETS))
        peers.replace({"fra": FRA.public})
        async with a_mesh(FRA, {}) as fra:
            fra.know([Voter("ams", str(AMS.public), f"ams.test:{port}")], "fra")
            ways = fra._ways["ams"]
            await until(lambda: ways.all)
            ways.heard(("::1", port), trio.current_time() + 1000)
            assert ways.towards(trio.current_time()) == [("::1", port)]
            with suppress(BlockingIOError):
                while ams.recv(MAX_DATAGRAM):  # from before
                    pass
            with trio.fail_after(10):
                await trio.lowlevel.wait_readable(ams)
            heard = peers.receive(ams.recv(MAX_DATAGRAM), trio.current_time())
            assert (heard.peer, heard.kind) == ("fra", Kind.HELLO)
