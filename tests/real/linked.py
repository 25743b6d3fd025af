"""Two linked servers of one network, and an operator who cuts and mends the link.

Who is on the other server stays there through a split: it is the network that falls apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.real.certificates import make
from tests.real.hybrid import hybrid
from tests.real.inspircd import inspircd
from tests.real.ngircd import ngircd
from tests.real.peer import Peer, peer
from tests.real.ports import free_port

HOST = "127.0.0.1"
OURS, THEIRS = "irc1.example.net", "irc2.example.net"
OPERATOR = ("oper", "operpass")
LINK_S = 20.0


@dataclass(frozen=True, slots=True)
class Linked:
    """The ports of both servers, and what cuts and mends the link between them."""

    ours: int
    theirs: int
    operator: Peer

    async def split(self) -> None:
        """From now on neither server knows anybody of the other."""
        await self.operator.says(f"SQUIT {THEIRS} :the link is cut")
        await self._until_linked(wanted=False)

    async def rejoin(self) -> None:
        """One network again."""
        await self.operator.says(f"CONNECT {THEIRS}")
        await self._until_linked(wanted=True)

    async def _until_linked(self, *, wanted: bool) -> None:
        with trio.fail_after(LINK_S):
            while True:
                begun = len(self.operator.heard)
                await self.operator.says("LINKS")
                await self.operator.hears("365")
                links = [m.params[1] for m in self.operator.heard[begun:] if m.command == "364"]
                if (THEIRS in links) is wanted:
                    return
                await trio.sleep(0.1)


@asynccontextmanager
async def _watched(ours: int, theirs: int) -> AsyncIterator[Linked]:
    async with peer(HOST, ours) as operator:
        await operator.register("operator")
        await operator.says(f"OPER {OPERATOR[0]} {OPERATOR[1]}")
        await operator.hears("381")
        made = Linked(ours, theirs, operator)
        await made.rejoin()
        yield made


@asynccontextmanager
async def linked_inspircd(folder: Path) -> AsyncIterator[Linked]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate = make(folder, "inspircd")
    ports = free_port(), free_port()

    def link(name: str, port: int) -> str:
        return (
            f'<link name="{name}" ipaddr="{HOST}" port="{port}" allowmask="127.0.0.0/8"'
            f' recvpass="link" sendpass="link">'
        )

    def server(number: int, name: str, other: str) -> AbstractAsyncContextManager:  # type: ignore[type-arg]
        return inspircd(
            folder / name, certificate, name=name, sid=f"00{number}", link_port=ports[number - 1],
            services=False, extra=link(other, ports[2 - number]),
        )  # fmt: skip

    async with (
        server(1, OURS, THEIRS) as ours,
        server(2, THEIRS, OURS) as theirs,
        _watched(ours.port, theirs.port) as made,
    ):
        yield made


@asynccontextmanager
async def linked_ngircd(folder: Path) -> AsyncIterator[Linked]:
    ports = free_port(), free_port()

    def server(number: int, name: str, other: str) -> AbstractAsyncContextManager:  # type: ignore[type-arg]
        return ngircd(
            folder / name, name=name, port=ports[number - 1], operator=OPERATOR,
            sections=f"[Server]\n  Name = {other}\n  Host = {HOST}\n  Port = {ports[2 - number]}\n"
            "  MyPassword = link\n  PeerPassword = link\n  Passive = yes\n",
        )  # fmt: skip

    async with (
        server(1, OURS, THEIRS),
        server(2, THEIRS, OURS),
        _watched(*ports) as made,
    ):
        yield made


@asynccontextmanager
async def linked_hybrid(folder: Path) -> AsyncIterator[Linked]:
    ports = free_port(), free_port()

    def server(number: int, name: str, other: str) -> AbstractAsyncContextManager:  # type: ignore[type-arg]
        return hybrid(
            folder / name, name=name, sid=f"{number}HY", port=ports[number - 1],
            extra=f'connect {{ name = "{other}"; host = "{HOST}"; port = {ports[2 - number]};'
            ' send_password = "link"; accept_password = "link"; class = "servers"; };',
        )  # fmt: skip

    async with (
        server(1, OURS, THEIRS),
        server(2, THEIRS, OURS),
        _watched(*ports) as made,
    ):
        yield made


LINKED = {"InspIRCd": linked_inspircd, "ngIRCd": linked_ngircd, "ircd-hybrid": linked_hybrid}
