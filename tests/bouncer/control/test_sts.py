"""What hosts have asked for by IRCv3 sts, shown and dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bouncer.connections.dial import ServerAddress
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.command import Desk
from bouncer.control.grammar import ControlError
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from bouncer.tls.policies import Policies
from tests.bouncer.control.cases import ALICE
from tests.bouncer.desks import NOW, Noted, open_desk

PLAIN = "network add alice home irc+insecure://IRC.home.example"
SHOWS = (
    "home: irc.home.example has asked for TLS alone (IRCv3 sts): until 2027-01-15 09:00Z it is "
    "gone to by TLS on port 7000 or not at all, whatever the address says; "
    "administrators drop that by `--drop irc.home.example`"
)
ALICES = Actor(Door.SERVICE, user="alice")


@asynccontextmanager
async def asked_for(folder: Path, live: Noted, *lines: str) -> AsyncIterator[Desk]:
    """A desk where irc.home.example has asked for TLS alone, for an hour from now."""
    async with open_desk(folder, live) as desk:
        for line in (ALICE, *lines):
            await dispatch(line, OPERATOR, desk)
        policies = Policies(desk.store, desk.wall)
        await policies.keep(ServerAddress.parse("ircs://irc.home.example:7000"), 3600)
        live.refreshed.clear()
        yield desk


async def test_it_is_shown_to_whose_network_it_is_until_it_ends(tmp_path: Path) -> None:
    async with asked_for(tmp_path, Noted(), PLAIN) as desk:
        assert await dispatch("network sts alice home", OPERATOR, desk) == [SHOWS]
        assert await dispatch("network sts home", ALICES, desk) == [SHOWS]
        later = Desk(desk.store, desk.config, desk.hasher, wall=lambda: NOW + 3600)
        [said] = await dispatch("network sts alice home", OPERATOR, later)
        assert said == "home: irc.home.example has not asked for TLS alone, or no longer"


async def test_an_administrator_drops_it_with_a_warning(tmp_path: Path) -> None:
    """ "Deleting [...] should be a very deliberate and well-considered act" """
    live = Noted()
    async with asked_for(tmp_path, live, PLAIN) as desk:
        said = await dispatch("network sts alice home --drop IRC.home.example", OPERATOR, desk)
        assert [line.split()[0] for line in said] == ["irc.home.example", "WARNING:"]
        assert all(len(line) < 400 for line in said), "must fit into one line of IRC"
        assert live.policies == ["irc.home.example"]
        [said] = await dispatch("network sts alice home", OPERATOR, desk)
        assert "has not asked" in said


@pytest.mark.parametrize(
    ("line", "actor", "complaint"),
    [
        ("network sts home --drop irc.home.example", ALICES, "--drop is for administrators"),
        ("network sts alice home --drop home.example", OPERATOR, "home is at irc.home.example, no"),
        ("network sts alice here --drop irc.home.example", OPERATOR, "here is at unix:/run/ircd"),
    ],
)
async def test_what_is_not_dropped(line: str, actor: Actor, complaint: str, tmp_path: Path) -> None:
    live = Noted()
    async with asked_for(tmp_path, live, PLAIN, "network add alice here unix:/run/ircd") as desk:
        with pytest.raises(ControlError, match=complaint):
            await dispatch(line, actor, desk)
        assert await dispatch("network sts alice home", OPERATOR, desk) == [SHOWS]
    assert not live.policies


@pytest.mark.parametrize(
    ("uri", "state", "also"),
    [
        ("ircs://irc.home.example", "waiting", "home is gone to by TLS still: its address ircs://"),
        ("irc+insecure://irc.home.example", "connected", "home is connected by TLS now, and asks"),
    ],
)
async def test_where_dropping_it_is_not_enough(
    uri: str, state: str, also: str, tmp_path: Path
) -> None:
    live = Noted(networks={"alice": [NetworkStatus("home", state)]})
    async with asked_for(tmp_path, live, f"network add alice home {uri}") as desk:
        said = await dispatch("network sts Alice home --drop irc.home.example", OPERATOR, desk)
        assert said[2].startswith(also)
