"""A desk for control commands in tests: a real store, and a bouncer that only notes things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bouncer import config
from bouncer.control.actors import Actor
from bouncer.control.command import Desk
from bouncer.control.live import Live, NetworkStatus
from bouncer.login.passwords import Hasher
from bouncer.mesh.beacon import Beacon, VoterStatus
from bouncer.mesh.keys import MeshKey
from bouncer.tls.certificates import DAY_S, Certificate, Standing
from storage.store import open_store
from tests.storage.ready import ready

NOW = 1_800_000_000.0
SERVED = Certificate(Path("/etc/irc.pem"), "aa", NOW - 13 * DAY_S, NOW + 51 * DAY_S, ())
GOOD = Standing(SERVED, SERVED)


@dataclass
class Noted:
    """A running bouncer that does nothing: what it was told stands in its lists."""

    refreshed: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    acks: list[str] = field(default_factory=list)
    quoted: list[tuple[str, str, str]] = field(default_factory=list)
    networks: dict[str, list[NetworkStatus]] = field(default_factory=dict)
    attached: dict[str, list[str]] = field(default_factory=dict)
    shown: set[tuple[str, str]] = field(default_factory=set)
    debugged: list[str | None] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    long: list[tuple[str, str]] = field(default_factory=list)  # commands, and who gave them
    rosters: int = 0
    reloads: int = 0
    fault: str = ""
    mesh: str = ""
    not_reloaded: str = ""
    uptime_s: float = 41.5 * DAY_S
    beacon: Beacon | None = None  # open_desk gives it one, with nobody to tell

    async def beside(
        self, name: str, actor: Actor, work: Callable[[], Awaitable[list[str]]]
    ) -> list[str]:
        self.long.append((name, actor.name))
        return await work()

    async def refresh(self, user_name: str) -> None:
        self.refreshed.append(user_name)

    async def roster_changed(self) -> None:
        self.rosters += 1

    async def reload(self) -> list[str]:
        if self.fault:
            raise ValueError(self.fault)
        self.reloads += 1
        return []

    async def quote(self, user_name: str, network: str, line: str) -> bool:
        self.quoted.append((user_name, network, line))
        return True

    def policy_dropped(self, host: str) -> None:
        self.policies.append(host)

    def debug(self, user_name: str | None) -> None:
        self.debugged.append(user_name)

    async def notice(self, text: str) -> None:
        self.notices.append(text)

    def network_status(self, user_name: str) -> list[NetworkStatus]:
        return self.networks.get(user_name, [])

    def clients(self, user_name: str) -> list[str]:
        return self.attached.get(user_name, [])

    def shows(self, user_name: str, fingerprint: str) -> bool:
        return (user_name, fingerprint) in self.shown

    def mesh_status(self) -> str:
        return self.mesh

    def voters(self) -> list[VoterStatus]:
        return [VoterStatus("fra", "agent", "WATCHING", 0.4, "", 3, True, "")] if self.mesh else []

    def acknowledge(self, who: str) -> str:
        self.acks.append(who)
        return "certificate urgent" if self.fault else ""

    def certificate(self) -> Standing | None:
        return replace(GOOD, fault=self.fault)


@asynccontextmanager
async def open_desk(
    folder: Path, live: Live | None = None, **tables: object
) -> AsyncIterator[Desk]:
    """A desk over a fresh SQLite store in `folder`; `tables` go into its configuration."""
    settings = config.parse({"data_dir": str(folder), **tables}, folder / "bouncer.toml")
    folder.mkdir(parents=True, exist_ok=True)
    url = settings.database.url if "database" in tables else await ready(folder)
    async with open_store(url) as store:
        if isinstance(live, Noted):
            live.beacon = Beacon(store, MeshKey(b"b" * 32), wall=lambda: NOW)
        yield Desk(store, settings, Hasher(), live, wall=lambda: NOW)
