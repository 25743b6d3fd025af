"""The voter's port in a flood: what the kernel drops, and that peers are heard all the same."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import trio

from bouncer.config import Address
from bouncer.mesh.heartbeat import ECHO_AT, MAX_DATAGRAM, VERSION, Kind
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.peers import Heard, Peers
from bouncer.mesh.roster import Voter
from fallback.mesh.port import Mesh

SITE, FRA, AMS = (MeshKey(letter * 32) for letter in (b"s", b"f", b"a"))
WITHIN_S = 20.0
BURST = 300


async def becomes(true: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
    with trio.fail_after(WITHIN_S):
        while not true():
            meanwhile()
            await trio.sleep(0.01)


async def test_a_peer_is_heard_through_a_flood_in_its_name() -> None:
    heard: list[Heard] = []
    mesh = Mesh(
        FRA,
        SITE.public,
        Address("127.0.0.1", 0),
        heard=lambda one, _where: heard.append(one),
        roster=lambda _document: None,
    )
    mesh.know([Voter("ams", str(AMS.public), "127.0.0.1:9")], "fra")
    ams = Peers(AMS, lambda: os.urandom(8))
    ams.replace({"fra": FRA.public})
    head = bytes((VERSION, Kind.VOTE)) + AMS.public.key_id
    bad = [head + os.urandom(180), os.urandom(180), b"x", os.urandom(MAX_DATAGRAM + 1)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        async with trio.open_nursery() as nursery:
            await nursery.start(mesh.run)
            here = ("127.0.0.1", mesh.port)

            def floods() -> None:
                for number in range(BURST):
                    sender.sendto(bad[number % len(bad)], here)

            def says_and_hears() -> None:
                """AMS greets, and learns our nonce from what comes back."""
                sender.sendto(ams.seal("fra", Kind.HELLO), here)
                try:
                    ams.receive(sender.recv(MAX_DATAGRAM), trio.current_time())
                except BlockingIOError:
                    return

            await becomes(lambda: bool(heard), says_and_hears)
            await becomes(lambda: mesh.flooded, floods)
            assert mesh.refused["tag"]
            heard.clear()
            for number in range(20):
                floods()
                sender.sendto(ams.seal("fra", Kind.VOTE, bytes((number,))), here)
            await becomes(lambda: len(heard) == 20, lambda: None)
            assert [one.body for one in heard] == [bytes((number,)) for number in range(20)]
            # Who starts in the flood is heard as well: one in some comes through.
            ams = Peers(AMS, lambda: os.urandom(8))
            ams.replace({"fra": FRA.public})
            heard.clear()
            await becomes(lambda: bool(heard), says_and_hears)
            await becomes(lambda: not mesh.flooded, lambda: None)
            nursery.cancel_scope.cancel()
    assert ECHO_AT == 34  # where the filter looks: the table of `heartbeat`
