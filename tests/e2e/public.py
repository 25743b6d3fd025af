"""A public network (real InspIRCd and Atheme), and a bouncer that holds alice's connection."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.site import CHANNEL, NETWORK
from tests.real.certificates import make
from tests.real.inspircd import Inspircd, inspircd
from tests.real.muster import Bouncer, bouncer
from tests.real.needs import require
from tests.real.peer import Peer, peer

HOST = "127.0.0.1"
SECRET = "sesame99"  # of every account of the network
ACCOUNT_CAPS = ["account-notify", "account-tag", "extended-join"]
COMES_S = 45.0  # what the bouncer may take to be in a channel


@dataclass(frozen=True, slots=True)
class Public:
    """`bob` is logged in and in the channel, and so hears what alice does."""

    server: Inspircd
    bouncer: Bouncer
    bob: Peer

    async def enters(self, login: str = "", *, channels: str = CHANNEL) -> None:
        """Alice's bouncer goes there, with this way of logging in ("plain", "external", "")."""
        words = ["--nick", "alice", "--join", channels]
        uri = f"ircs://{HOST}:{self.server.tls_port}"
        pin = ("--pin", f"sha256:{self.pin}")
        if login == "plain":
            words += ["--sasl-plain", "alice", "--password-stdin"]
        add = ("network", "add", "alice", NETWORK, uri, *pin, *words)
        if login != "external":
            await self.bouncer.cli(*add, stdin=SECRET + "\n")
            return
        await self.bouncer.cli(*add, "--enabled", "false")
        made = await self.bouncer.cli("certfp", "generate", "alice", NETWORK)
        fingerprint = re.search(r"SHA-256 (\w+)", made)
        assert fingerprint is not None
        await self.server.account("alice", SECRET, fingerprint[1])
        await self.bouncer.cli("network", "set", "alice", NETWORK, "--enabled", "true")

    @property
    def pin(self) -> str:
        return self.server.certificate.sha256


@asynccontextmanager
async def public(folder: Path, *accounts: str) -> AsyncIterator[Public]:
    """Ready for alice; bob and `accounts` are registered with the services."""
    require("inspircd", "atheme-services")
    certificate = make(folder, "inspircd")
    async with (
        inspircd(folder / "i", certificate) as server,
        bouncer(folder / "b") as muster,
        peer(HOST, server.port) as bob,
    ):
        for name in ("bob", *accounts):
            await server.account(name, SECRET)
        await bob.register("bob", caps=ACCOUNT_CAPS, plain=("bob", SECRET))
        await bob.join(CHANNEL)
        await muster.add_user("alice")
        yield Public(server, muster, bob)
