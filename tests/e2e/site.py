"""A company at work: a real ngIRCd, a bouncer that holds alice's connection to it, and bob."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.certificates import Certificate, make
from tests.real.muster import Bouncer, bouncer
from tests.real.needs import require
from tests.real.ngircd import Ngircd, ngircd
from tests.real.peer import Peer, peer
from tests.real.ports import free_port

CHANNEL = "#ops"
NETWORK = "work"
HELD_S = 30.0

_STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")


@dataclass(frozen=True, slots=True)
class Site:
    """`bob` is on the server by himself, in the channel, and so hears what alice does."""

    server: Ngircd
    bouncer: Bouncer
    bob: Peer

    async def bob_says(self, *texts: str, target: str = CHANNEL) -> None:
        await self.bob.says(*(f"PRIVMSG {target} :{text}" for text in texts))
        await self.bob.sync()

    async def held(self, nick: str = "alice") -> None:
        """Wait until bob sees the bouncer's connection join."""
        await self.bob.hears("JOIN", CHANNEL, source=f"{nick}!*", within_s=HELD_S)


def unstamped(texts: Iterable[str]) -> list[str]:
    """Texts without the time that clients without server-time get in front of the backlog."""
    return [_STAMP.sub("", text) for text in texts]


@asynccontextmanager
async def site(
    folder: Path,
    *,
    tls: bool = False,
    host: str = "127.0.0.1",
    settings: str = "",
    tables: str = "",
) -> AsyncIterator[Site]:
    """Ready when the bouncer holds alice in the channel. `tls` and `host` are the upstream's."""
    require("ngircd")
    certificate: Certificate = make(folder, "company")
    # The bouncer trusts the company's certificate as an operator would arrange it.
    env = {"SSL_CERT_FILE": str(certificate.certificate)}
    port = free_port(host)
    async with (
        ngircd(
            folder / "ngircd", certificate=certificate, port=port, listen=_first(host)
        ) as server,
        bouncer(folder / "bouncer", env=env, settings=settings, tables=tables) as muster,
        peer(host, server.port) as bob,
    ):
        await bob.register("bob")
        await bob.join(CHANNEL)
        shown = f"[{host}]" if ":" in host else host
        uri = (
            f"ircs://{shown}:{server.tls_port}" if tls else f"irc+insecure://{shown}:{server.port}"
        )
        await muster.add_user("alice")
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice", "--join", CHANNEL)
        made = Site(server, muster, bob)
        await made.held()
        yield made


def _first(host: str) -> tuple[str, ...]:
    return (host, *(h for h in ("127.0.0.1", "::1") if h != host))
