"""Muster, configured through its contract: `bouncer.toml` and the admin socket."""

from __future__ import annotations

import compileall
import importlib.util
import shlex
import socket
import sys
import time
from pathlib import Path

from tests.bench.process import ROOT, Failed
from tests.bench.subjects.subject import NETWORK, Account, Missing, Subject

ANSWER_S = 120.0
_CONFIG = """\
server_name = "muster.bench"
data_dir = "{data}"

[[listen]]
address = "127.0.0.1:{port}"
{tls}

[limits]
upstream_lines_per_s = 0
connects_per_min = 0
login_per_min = 0
"""
_TLS = """\
client_certs = {asking}

[tls]
certificate = "{certificate}"
key = "{key}"
"""


class Muster(Subject):
    name = "Muster"

    @classmethod
    def check(cls) -> None:
        if importlib.util.find_spec("bouncer.cli") is None:
            raise Missing("this tree has no command line for it yet")

    def prepare(self) -> None:
        """Users and networks are added to a running bouncer, which is stopped again.

        What pip installs is compiled; a checkout is not, where PYTHONDONTWRITEBYTECODE is set.
        """
        for package in ("bouncer", "storage"):
            compileall.compile_dir(ROOT / package, quiet=1)
        self.data().mkdir()
        tls = "tls = false"
        if self.pair:
            tls = _TLS.format(
                asking=str(self.pair.asking).lower(),
                certificate=self.pair.certificate,
                key=self.pair.key,
            )
        self._config().write_text(_CONFIG.format(data=self.data(), port=self.port, tls=tls))
        self.start()
        try:
            with AdminSocket(self.data() / "bouncer.sock") as admin:
                for account in self.accounts:
                    self._add(admin, account)
        finally:
            self.stop()

    def _add(self, admin: AdminSocket, account: Account) -> None:
        scheme = "ircs" if self.pair else "irc+insecure"
        uri = f"{scheme}://127.0.0.1:{self.network_port}"
        channels = ",".join(account.channels)
        admin.do("user", "add", account.name, "--password", account.password)
        options = ["--nick", account.nick, "--join", channels]
        if self.pair:
            options += ["--pin", f"sha256:{self.pair.fingerprint}"]
        admin.do("network", "add", account.name, NETWORK, uri, *options)

    def command(self) -> list[str]:
        script = Path(sys.executable).with_name("bouncer")
        return [str(script), "run", "--config", str(self._config())]

    def _config(self) -> Path:
        return self.folder / "bouncer.toml"

    def data(self) -> Path:
        return self.folder / "data"


class AdminSocket:
    """Control commands, many on one connection."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(ANSWER_S)
        while True:
            try:
                self._sock.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > deadline:
                    raise Failed(f"no admin socket at {path}: {error}") from None
                time.sleep(0.02)
        self._answers = self._sock.makefile("r", encoding="utf-8")

    def __enter__(self) -> AdminSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._sock.close()

    def do(self, *words: str) -> list[str]:
        """One command; its reply lines. Raises Failed with the bouncer's own text."""
        self._sock.sendall(shlex.join(words).encode() + b"\n")
        reply: list[str] = []
        for line in self._answers:
            if line.rstrip("\n") == "OK":
                return reply
            if line.startswith("ERROR"):
                raise Failed(f"{' '.join(words[:2])}: {line.strip()}")
            reply.append(line.rstrip("\n"))
        raise Failed("the admin socket closed")
