"""A real WeeChat with a home of its own, in a terminal."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from tests.real.chatclient import SERVER, Account, ChatClient, Said
from tests.real.process import found
from tests.real.terminal import terminal

# What stands in place of a nick where nobody speaks: join, quit, network, error, action.
_MARKS = {"", "-->", "<--", "--", "=!=", " *", "*"}


class WeeChat(ChatClient):
    """A running WeeChat."""

    def message(self, target: str, text: str) -> None:
        self.types(f"/msg -server {SERVER} {target} {text}")

    def log(self, buffer: str) -> Path:
        return self.home / "logs" / f"irc.{SERVER}.{buffer.lower()}.weechatlog"

    def conversation(self, buffer: str) -> list[Said]:
        rows = (line.split("\t", 2) for line in self.lines(buffer))
        said = [Said(row[1].lstrip("@+%&~"), row[2]) for row in rows if len(row) == 3]
        return [s for s in said if s.nick not in _MARKS]


@asynccontextmanager
async def weechat(home: Path, account: Account, netns: str | None = None) -> AsyncIterator[WeeChat]:
    """Start WeeChat in HOME; a home that exists keeps its logs, so that a person can come back."""
    home.mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = [found("weechat"), "--dir", home / "weechat"]
    for command in _commands(home, account):
        words += ["--run-command", command]
    with terminal(home / "tty", netns) as tty:
        client = WeeChat(tty, home)
        await tty.open(words, {"HOME": str(home), "LC_ALL": "C.UTF-8"})
        yield client


def _commands(home: Path, account: Account) -> list[str]:
    tls = "tls" if _version() >= (4, 0) else "ssl"
    server = f"irc.server.{SERVER}"
    commands = [
        f"/set logger.file.path {home / 'logs'}",
        "/set logger.file.flush_delay 0",
        "/set logger.look.backlog 0",
        "/set irc.look.smart_filter off",
        "/set irc.look.new_channel_position none",
        "/set irc.look.server_buffer independent",
        f"/server add {SERVER} {account.host}/{account.port}",
        f"/set {server}.{tls} {'on' if account.tls else 'off'}",
        f"/set {server}.{tls}_verify off",
        f"/set {server}.nicks {account.nick}",
        f"/set {server}.username {account.username}",
        f"/set {server}.anti_flood_prio_high 0",
        f"/set {server}.anti_flood_prio_low 0",
        f"/set {server}.capabilities *",
        f"/set {server}.autoreconnect off",
    ]
    if account.password:
        commands.append(f"/set {server}.password {account.password}")
    if account.sasl:
        commands += [
            f"/set {server}.sasl_mechanism {account.sasl_mechanism}",
            f"/set {server}.sasl_username {account.sasl[0]}",
            f"/set {server}.sasl_password {account.sasl[1]}",
        ]
    if account.certificate:
        commands.append(f"/set {server}.{tls}_cert {account.certificate.both}")
        if not account.sasl:
            commands.append(f"/set {server}.sasl_mechanism external")
    return [*commands, f"/connect {SERVER}"]


@cache
def _version() -> tuple[int, ...]:
    said = subprocess.run(
        [found("weechat"), "--version"], capture_output=True, text=True, check=True, timeout=10
    )
    return tuple(int(part) for part in said.stdout.strip().split(".")[:2])
