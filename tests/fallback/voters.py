"""A bouncer's beacon and real voters in one event loop, on loopback, with shortened waits."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from bouncer.mesh.beacon import Beacon, Site
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.proofs import code_hash, new_codes
from fallback.app import Voter
from fallback.config import Config, parse
from storage import directory
from storage.records import Agent, Staff
from storage.store import Store, open_store
from tests.fallback.ircd import Ircd
from tests.real.ports import free_port
from tests.storage.ready import ready

WAITS = {
    "heartbeat": 0.4,
    "suspect": 2,
    "declare": 4,
    "service_down": 4,
    "primary_back_notice": 2,
    "auto_standdown": 5,
    "solo_after": 3,
    "speaker_lease": 1,
    "rank_stagger": 0.5,
}


async def until(holds: Callable[[], object], *, within_s: float = 15.0) -> None:
    """Wait for something that no event tells."""
    with trio.move_on_after(within_s):
        while not holds():  # noqa: ASYNC110 - the states are pure and have no events
            await trio.sleep(0.02)
        return
    raise AssertionError(f"not within {within_s} s")


@dataclass
class Site_:
    """The primary: its store, a port that answers (class B), and a beacon that can be stopped."""

    store: Store
    key: MeshKey
    port: int
    nursery: trio.Nursery
    tmp_path: Path
    landmark: int
    told: list[str] = field(default_factory=list)
    home: str = "up"
    beacon: Beacon | None = None
    scope: trio.CancelScope | None = None

    async def beats(self) -> Beacon:
        beacon = Beacon(
            self.store, self.key, site=lambda: Site(self.home), tell_ops=self.told.append
        )
        self.beacon = beacon

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            with trio.CancelScope() as self.scope:
                await beacon.run(task_status=task_status)

        await self.nursery.start(run)
        return beacon

    def is_cut(self) -> None:
        """From here on no heartbeat; the port goes on answering, as after a crash."""
        assert self.scope is not None
        self.scope.cancel()

    async def pairs(self, name: str, *, role: str = "agent", ircd: Ircd | None = None) -> Config:
        """Pair one voter; its finished configuration."""
        folder = self.tmp_path / name
        key = MeshKey.load_or_make(folder / "mesh.key")
        port = free_port()
        await self.store.run(
            directory.add_agent, Agent(name, f"127.0.0.1:{port}", str(key.public), role=role)
        )
        waits = "\n".join(f"{known} = {value}" for known, value in WAITS.items())
        text = f"""
            name = "{name}"
            role = "{role}"
            data_dir = "{folder}"
            primary = ["irc+insecure://127.0.0.1:{self.port}"]
            primary_key = "{self.key.public}"
            mesh = "127.0.0.1:{port}"
            landmarks = 1
            landmark = [{{ kind = "tcp", address = "127.0.0.1:{self.landmark}" }}]
            [timings]
            {waits}
        """
        if ircd is not None:
            text += f"""
            [[network]]
            name = "pub"
            addresses = ["{ircd.address}"]
            nick = "fb-{name}"
            lobby = "#lobby"
            room = "#room"
            """
        file = folder / "fallback.toml"
        file.write_text(text)  # for one that runs in a process of its own
        return parse(tomllib.loads(text), file)

    async def employs(
        self, handle: str, *, more: tuple[tuple[str, str], ...] = (), **details: object
    ) -> list[str]:
        """Enrol a person, with `more` keys; their recovery codes."""
        codes = new_codes(3)
        keys = tuple(("recovery", code_hash(code)) for code in codes) + more
        await self.store.run(
            directory.add_staff,
            Staff(handle, keys=keys, **details),  # type: ignore[arg-type]
        )
        return codes

    async def starts(self, config: Config) -> Voter:
        voter = Voter(config)
        for announcer in voter.announcers.values():
            announcer.outgoing.every_s = 0.05
        voter.reception.fellows.every_s = WAITS["heartbeat"]
        await self.nursery.start(voter.run)
        return voter


@asynccontextmanager
async def open_site(tmp_path: Path) -> AsyncIterator[Site_]:
    async def accepts(stream: trio.SocketStream) -> None:
        await stream.aclose()

    url = await ready(tmp_path)
    async with open_store(url, key=None) as store, trio.open_nursery() as nursery:
        ports = []
        for _ in range(2):
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            ports.append(listener.socket.getsockname()[1])
            nursery.start_soon(trio.serve_listeners, accepts, [listener])
        yield Site_(store, MeshKey.generate(), ports[0], nursery, tmp_path, ports[1])
        nursery.cancel_scope.cancel()
