"""SASL SCRAM-SHA-256 towards a network, through the whole bouncer: both sides prove themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK
from tests.real.muster import Bouncer, bouncer
from tests.real.scramserver import ScramServer, scram_server

pytestmark = pytest.mark.outage

SECRET = "péncil, and more"
SEEN_S = 30.0


@asynccontextmanager
async def dialling(
    folder: Path, *words: str, knows: str = SECRET, lies: bool = False
) -> AsyncIterator[tuple[ScramServer, Bouncer]]:
    async with scram_server(knows, lies=lies) as server, bouncer(folder) as muster:
        await muster.add_user("alice")
        await muster.cli(
            *("network", "add", "alice", NETWORK, f"irc+insecure://127.0.0.1:{server.port}"),
            *("--nick", "alice", "--join", CHANNEL, "--sasl-scram", "al=ice,", *words),
            "--password-stdin",
            stdin=SECRET + "\n",
        )
        yield server, muster


async def listed(muster: Bouncer, text: str) -> None:
    with trio.fail_after(SEEN_S):
        while True:
            shown = await muster.cli("network", "list", "alice")
            if text in shown:
                return
            await trio.sleep(0.5)


async def test_the_bouncer_proves_that_it_has_the_password(tmp_path: Path) -> None:
    async with dialling(tmp_path) as (server, _muster):
        with trio.fail_after(SEEN_S):
            await server.joined.wait()
        [exchange] = server.peers
        assert (exchange.user, exchange.verified) == ("al=ice,", True)
        # the login is over before it joins
        assert server.heard.index("CAP END") < server.heard.index(f"JOIN {CHANNEL}")
        assert not any(line.startswith("AUTHENTICATE PLAIN") for line in server.heard)


async def test_a_server_that_does_not_have_it_is_not_believed(tmp_path: Path) -> None:
    """RFC 5802 5: "the client verifies the ServerSignature": a liar is told nothing more, and where
    the login is required it is left."""
    async with dialling(tmp_path, "--sasl-required", "true", lies=True) as (server, muster):
        await listed(muster, "SCRAM-SHA-256 failed")
        [exchange, *_] = server.peers
        assert exchange.verified  # it had the proof, and could not sign
        assert "CAP END" not in server.heard
        assert not server.joined.is_set()


async def test_a_wrong_password_is_not_hammered_with(tmp_path: Path) -> None:
    async with dialling(tmp_path, "--sasl-required", "true", knows="other") as (server, muster):
        await listed(muster, "stopped (SASL authentication failed)")
        assert [exchange.verified for exchange in server.peers] == [False]
        assert not server.joined.is_set()
