"""Killed, and the nick taken meanwhile: "the wanted nick is regained by services or MONITOR".

The bouncer comes back under another nick at once, is in its channels under it, and gets its own
back when services take it from the impostor, or when the impostor lets it go.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.public import COMES_S, HOST, public
from tests.e2e.site import CHANNEL, site
from tests.real.peer import Peer, peer

pytestmark = pytest.mark.outage

OPERATOR = ("oper", "operpass")


async def taken(bob: Peer, impostor: Peer, port: int) -> str:
    """An operator kills alice, and the impostor takes her nick before she is back; her new nick."""
    async with peer(HOST, port) as operator:
        await operator.register("operator")
        await operator.says(f"OPER {OPERATOR[0]} {OPERATOR[1]}")
        await operator.hears("381")
        await operator.says("KILL alice :by mistake")
        await bob.hears("QUIT", source="alice!*")
        await impostor.says("NICK alice")
        await impostor.hears("NICK", "alice")
    joined = await bob.hears("JOIN", CHANNEL, source="alice*", within_s=COMES_S)
    assert joined.nick != "alice"
    return joined.nick


async def test_services_take_it_back_from_an_impostor(tmp_path: Path) -> None:
    async with public(tmp_path, "alice") as here:
        await here.enters("plain")
        await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        async with (
            here.bouncer.attached("alice/work@laptop") as alice,
            peer(HOST, here.server.port) as impostor,
        ):
            await impostor.register("mallory")
            other = await taken(here.bob, impostor, here.server.port)
            await here.bob.hears("NICK", "alice", source=f"{other}!*", within_s=30)
            await alice.has_heard("NICK", "alice", source=f"{other}!*")
            await alice.says("PRIVMSG bob :it is I")
            said = await here.bob.hears("PRIVMSG", "bob", "it is I", source="alice!*")
            assert said.tags["account"] == "alice"
            assert impostor.closed or impostor.nick != "alice"
            # "Nobody hears of our tries but by the NICK that succeeds"
            assert not alice.all("433")
            assert not alice.all("401|311|318|330")


async def test_it_is_taken_when_the_impostor_lets_it_go(tmp_path: Path) -> None:
    """Without an account, by MONITOR: at once, though they share no channel."""
    async with public(tmp_path) as here:
        await here.enters()
        await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        async with (
            here.bouncer.attached("alice/work@laptop") as alice,
            peer(HOST, here.server.port) as impostor,
        ):
            await impostor.register("mallory")
            other = await taken(here.bob, impostor, here.server.port)
            await alice.says(f"PRIVMSG {CHANNEL} :somebody has my nick")
            await here.bob.hears("PRIVMSG", CHANNEL, source=f"{other}!*")
            await impostor.says("NICK mallory")
            await here.bob.hears("NICK", "alice", source=f"{other}!*")
            await alice.has_heard("NICK", "alice", source=f"{other}!*")
            assert not alice.all("433")


async def test_it_is_taken_where_there_is_no_monitor(tmp_path: Path) -> None:
    """ngIRCd has neither services nor MONITOR: whoever leaves before our eyes is seen at once."""
    async with (
        site(tmp_path) as here,
        here.bouncer.attached("alice/work@laptop") as alice,
        peer(HOST, here.server.port) as impostor,
    ):
        await impostor.register("mallory")
        await impostor.join(CHANNEL)
        other = await taken(here.bob, impostor, here.server.port)
        await alice.has_heard("NICK", other)  # it is told what it is called now
        await impostor.says("QUIT :bye")
        await here.bob.hears("NICK", "alice", source=f"{other}!*")
        await alice.has_heard("NICK", "alice", source=f"{other}!*")
        assert not alice.all("433")
