"""Muster's own programs as an operator runs them: by their console scripts, in a folder of theirs.

Nothing is imported from the programs but the reading of the store's file.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from storage import accounts
from storage.messages import Row, since
from storage.store import open_store
from tests.real.needs import SEARCH_PATH
from tests.real.netns import connected
from tests.real.peer import Peer, peer
from tests.real.ports import free_port
from tests.real.process import Program, until

BIN = Path(sys.executable).parent
READY_S = 30.0
COMMAND_S = 60.0
ALL_ROWS = 10_000_000
PASSWORD = "correct-horse-9"  # of every user in tests, by login name


class CommandFailed(AssertionError):
    """A command ended with another exit code than 0; the text holds what it printed."""


async def command(
    *words: str | Path,
    cwd: Path,
    stdin: str = "",
    netns: str | None = None,
    env: Mapping[str, str] | None = None,
    expect: int = 0,
) -> str:
    """Run one of our scripts to its end and return what it printed (both streams).

    Raises CommandFailed unless it ends with `expect`.
    """
    line = [str(BIN / str(words[0])), *map(str, words[1:])]
    if netns:
        line = ["nsenter", f"--net=/run/netns/{netns}", "--", *line]
    run = partial(
        subprocess.run,
        line,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**_environment(), **(env or {})},
        timeout=COMMAND_S,
        check=False,
    )
    done = await trio.to_thread.run_sync(run)
    if done.returncode != expect:
        shown = " ".join(map(str, words))
        raise CommandFailed(f"{shown}: exit {done.returncode}, not {expect}:\n{done.stdout}")
    return str(done.stdout)


def _environment() -> dict[str, str]:
    environment = dict(os.environ, PATH=SEARCH_PATH, COLUMNS="200", NO_COLOR="1")
    environment.pop("MUSTER_CONFIG", None)
    return environment


@dataclass
class Bouncer:
    """`bouncer run` in `folder`, with a configuration file, listening on TLS and plain."""

    program: Program
    folder: Path
    host: str
    tls_port: int
    port: int
    netns: str | None
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "bouncer.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def start(self) -> None:
        """Start it (again) and wait until it serves."""
        self.program.start()
        await self.ready()

    async def ready(self, within_s: float = READY_S) -> None:
        for port in (self.tls_port, self.port):
            await self.program.listens(partial(connected, self.host, port, self.netns, 1), within_s)
        await until(
            (self.data / "bouncer.sock").exists, within_s, f"admin socket\n{self.program.output}"
        )

    def kill(self) -> None:
        """kill -9."""
        self.program.kill()

    def reload(self) -> None:
        self.program.send(signal.SIGHUP)

    async def cli(self, *words: str, stdin: str = "", expect: int = 0) -> str:
        """`bouncer WORDS…` with this configuration."""
        return await command(
            "bouncer",
            *words,
            "--config",
            self.config,
            cwd=self.folder,
            stdin=stdin,
            netns=self.netns,
            env=self.env,
            expect=expect,
        )

    async def ctl(self, *words: str, expect: int = 0) -> str:
        """`bouncer ctl WORDS…`: a control command over the admin socket."""
        return await command(
            "bouncer", "ctl", "--config", self.config, *words, cwd=self.folder, expect=expect
        )

    async def add_user(self, name: str, *words: str, password: str = PASSWORD) -> None:
        await self.cli("user", "add", name, "--password-stdin", *words, stdin=password + "\n")

    async def add_network(self, user: str, name: str, uri: str, *words: str) -> None:
        await self.cli("network", "add", user, name, uri, *words)

    def connect(
        self, *, tls: bool = True, host: str | None = None, netns: str | None = None
    ) -> AbstractAsyncContextManager[Peer]:
        """A client of the bouncer, not registered yet."""
        port = self.tls_port if tls else self.port
        return peer(host or self.host, port, tls=tls, netns=netns or self.netns)

    @asynccontextmanager
    async def attached(
        self,
        login: str,
        *,
        nick: str = "",
        caps: Sequence[str] = (),
        tls: bool = True,
        netns: str | None = None,
        password: str = PASSWORD,
    ) -> AsyncIterator[Peer]:
        """A registered client; `login` is user/network@client. With caps by SASL, else by PASS."""
        name = nick or re.split(r"[/@]", login)[0]
        async with self.connect(tls=tls, netns=netns) as client:
            if caps:
                await client.register(name, caps=caps, plain=(login, password))
            else:
                await client.register(name, password=f"{login}:{password}")
            yield client

    async def history(self, user: str, network: str) -> list[Row]:
        """Everything kept for one network, by id, read from the file with the storage package."""
        async with open_store(f"sqlite:///{self.data / 'muster.db'}", key=self._key()) as store:
            found = await store.read(accounts.get_user, user)
            kept = await store.read(accounts.get_network, found.id, network)
            return await store.read(since, kept.id, -(1 << 62), ALL_ROWS)

    def _key(self) -> bytes | None:
        path = self.data / "secrets.key"
        return path.read_bytes() if path.exists() else None


@asynccontextmanager
async def bouncer(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    netns: str | None = None,
    env: Mapping[str, str] | None = None,
    settings: str = "",
    tables: str = "",
    start: bool = True,
) -> AsyncIterator[Bouncer]:
    """Serve from FOLDER; killed at the block's end.

    `settings` are top-level lines of bouncer.toml, `tables` whole tables after ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tls_port, port = (free_port(), free_port()) if netns is None else (6697, 6667)
    if netns is not None:
        port = 6600  # 6667 is the company's own server beside it
    shown = f"[{host}]" if ":" in host else host
    (folder / "bouncer.toml").write_text(f"""\
server_name = "muster.example.net"
data_dir = "data"
{settings}
[[listen]]
address = "{shown}:{tls_port}"
tls = true
[[listen]]
address = "{shown}:{port}"
tls = false
{tables}
""")
    words: list[str | Path] = [BIN / "bouncer", "run", "--config", folder / "bouncer.toml"]
    program = Program(words, log=folder / "bouncer.log", netns=netns, cwd=folder, env=env)
    made = Bouncer(program, folder, host, tls_port, port, netns, env or {})
    try:
        if start:
            await made.start()
        yield made
    finally:
        program.kill()
