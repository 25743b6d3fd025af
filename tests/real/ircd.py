"""What is alike in all real IRC servers of the tests: where they listen, and as whom they run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.real import needs
from tests.real.certificates import Certificate
from tests.real.netns import connected
from tests.real.ports import free_port
from tests.real.process import Program, found


@dataclass(frozen=True, slots=True)
class Ircd:
    """A running server. `tls_port` is 0 without a certificate."""

    program: Program
    host: str
    port: int
    tls_port: int
    netns: str | None

    def kill(self) -> None:
        """kill -9; connections of its clients are reset by the kernel."""
        self.program.kill()

    async def start(self) -> None:
        """Start it again after `kill`, and wait until it answers."""
        self.program.start()
        await self.ready()

    async def ready(self) -> None:
        for port in filter(None, (self.port, self.tls_port)):
            await self.program.listens(partial(connected, self.host, port, self.netns, 1))


def ports(
    netns: str | None, port: int, tls_port: int, certificate: Certificate | None
) -> tuple[int, int]:
    """The plain port and that of TLS: given, or free, or in a namespace the usual ones."""
    port = port or (free_port() if netns is None else 6667)
    tls_port = tls_port or (free_port() if netns is None else 6697) if certificate else 0
    return port, tls_port


def as_nobody(args: list[str | Path]) -> list[str | Path]:
    """What runs a server that would not serve as root, or would become nobody: that may not exist
    here, and would free it from PDEATHSIG. Called nobody from the beginning it stays as it was
    started."""
    if not needs.user_namespaces_work():
        return args
    renamed = [found("unshare"), "--user", "--map-user=65534", "--map-group=65534", "--"]
    return [*renamed, found("setpriv"), "--pdeathsig", "KILL", "--", *args]
