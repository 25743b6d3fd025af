"""A real irssi with a home of its own, in a terminal."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.real.chatclient import SERVER, Account, ChatClient, Said
from tests.real.process import found
from tests.real.terminal import terminal

# 12:34:56 <@bob> hello
_SAID = re.compile(r"^\d\d:\d\d:\d\d <[ @+%&~]?(?P<nick>[^ >]+)> (?P<text>.*)$")


class Irssi(ChatClient):
    """A running irssi."""

    def message(self, target: str, text: str) -> None:
        self.types(f"/msg -{SERVER} {target} {text}")

    def log(self, buffer: str) -> Path:
        return self.home / "logs" / f"{buffer.lower()}.log"

    def conversation(self, buffer: str) -> list[Said]:
        found_lines = (_SAID.match(line) for line in self.lines(buffer))
        # irssi pads nicks with a space where a mode symbol would stand.
        return [Said(m["nick"].strip(), m["text"]) for m in found_lines if m]


@asynccontextmanager
async def irssi(home: Path, account: Account, netns: str | None = None) -> AsyncIterator[Irssi]:
    """Start irssi in HOME; a home that exists keeps its logs, so that a person can come back."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "config").write_text(_config(home, account))
    with terminal(home / "tty", netns) as tty:
        client = Irssi(tty, home)
        await tty.open([found("irssi"), f"--home={home}"], {"HOME": str(home)})
        yield client


def _config(home: Path, account: Account) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    server = {
        "address": quoted(account.host),
        "chatnet": quoted(SERVER),
        "port": quoted(str(account.port)),
        "use_tls": '"yes"' if account.tls else '"no"',
        "tls_verify": '"no"',
        "autoconnect": '"yes"',
    }
    if account.password:
        server["password"] = quoted(account.password)
    if account.certificate:
        server["tls_cert"] = quoted(str(account.certificate.both))
    network = {"type": '"IRC"'}
    if account.sasl:
        network["sasl_mechanism"] = quoted(account.sasl_mechanism)
        network["sasl_username"] = quoted(account.sasl[0])
        network["sasl_password"] = quoted(account.sasl[1])
    elif account.certificate:
        network["sasl_mechanism"] = '"external"'
    return f"""\
servers = ( {{ {" ".join(f"{k} = {v};" for k, v in server.items())} }} );
chatnets = {{ {SERVER} = {{ {" ".join(f"{k} = {v};" for k, v in network.items())} }}; }};
settings = {{
  core = {{ nick = {quoted(account.nick)}; user_name = {quoted(account.username)};
    real_name = "A Person"; server_reconnect_time = "10min"; log_timestamp = "%H:%M:%S "; }};
  "fe-common/core" = {{ autolog = "yes"; autolog_level = "ALL"; log_server_time = "on";
    show_nickmode_empty = "no"; autolog_path = {quoted(str(home / "logs" / "$0.log"))}; }};
  "irc/core" = {{ cmds_max_at_once = "1000"; cmd_queue_speed = "1msec"; }};
}};
"""
