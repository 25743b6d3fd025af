"""`fallback run` as its operator runs it: a folder, a paired fallback.toml, one namespace."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from tests.real.muster import BIN, Bouncer, command
from tests.real.process import Program

READY_S = 30.0
MESH_PORT = 7777


def toml(tables: Mapping[str, Any]) -> str:
    """TOML text of scalars, lists, tables and lists of tables (one level, as our files are)."""
    plain, nested = [], []
    for name, value in tables.items():
        if isinstance(value, Mapping):
            nested.append(f"[{name}]\n{toml(value)}")
        elif isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            nested += [f"[[{name}]]\n{toml(each)}" for each in value]
        else:
            plain.append(f"{name} = {_scalar(value)}\n")
    return "".join(plain + nested)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@dataclass
class Voter:
    """One agent or witness. `stopped` and started again it keeps its folder."""

    name: str
    folder: Path
    netns: str | None
    program: Program
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "fallback.toml"

    async def start(self) -> None:
        self.program.start()
        await self.answers()

    async def answers(self, within_s: float = READY_S) -> None:
        """Wait until `fallback status` has an answer."""
        await self.program.listens(self._connected, within_s)
        await self.command_status()

    def _connected(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(str(self.folder / "data" / "fallback.sock"))
        except OSError:  # a killed one leaves its file
            made.close()
            raise
        return made

    async def status(self) -> str:
        """What its socket says now: the text of `fallback status` without a process for it."""
        return await self._asks("status")

    async def findings(self) -> str:
        """The running voter's part of `fallback check`."""
        return await self._asks("check")

    async def _asks(self, word: str) -> str:
        stream = await trio.open_unix_socket(str(self.folder / "data" / "fallback.sock"))
        async with stream:
            await stream.send_all(word.encode() + b"\n")
            return b"".join([bytes(chunk) async for chunk in stream]).decode()

    async def command_status(self) -> str:
        """`fallback status` as an operator types it."""
        return await command(
            "fallback",
            "status",
            "--config",
            self.config,
            cwd=self.folder,
            netns=self.netns,
            env=self.env,
        )

    async def reports(self, part: str, within_s: float = READY_S) -> str:
        """Wait until `fallback status` contains `part`; returns the whole status."""
        status = ""
        with trio.move_on_after(within_s):
            while True:
                status = await self.status()
                if part in status:
                    return status
                await trio.sleep(0.5)
        raise AssertionError(
            f"{self.name} did not report {part!r} within {within_s:g} s, but:\n{status}"
            f"\n{self.program.output[-3000:]}"
        )


@asynccontextmanager
async def voter(
    folder: Path,
    name: str,
    muster: Bouncer,
    address: str,
    *,
    role: str = "agent",
    netns: str | None = None,
    networks: Sequence[Mapping[str, Any]] = (),
    landmarks: Sequence[Mapping[str, Any]] = (),
    timings: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    start: bool = True,
) -> AsyncIterator[Voter]:
    """Pair with the bouncer as the specification says, and run; `address` is host:port of ours.

    `fallback key` makes the key, `bouncer agent add` prints the file, to which the place to meet,
    the landmarks and changed timings are added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "fallback.toml"
    made = await command("fallback", "key", "--data-dir", folder / "data", cwd=folder, netns=netns)
    key = made.strip().splitlines()[-1].split()[-1]
    printed = await muster.cli("agent", "add", name, address, key, "--role", role)
    tables: dict[str, Any] = tomllib.loads(printed)
    tables["data_dir"] = str(folder / "data")
    tables["landmark"] = list(landmarks)
    tables.pop("network", None)
    if networks:
        tables["network"] = list(networks)
    if timings:
        tables["timings"] = dict(timings)
    config.write_text(toml(tables))
    words: list[str | Path] = [BIN / "fallback", "run", "--config", config]
    program = Program(words, log=folder / f"{name}.log", netns=netns, cwd=folder, env=env)
    result = Voter(name, folder, netns, program, env or {})
    try:
        if start:
            await result.start()
        yield result
    finally:
        program.kill()
