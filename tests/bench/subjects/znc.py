"""ZNC, the Debian package, with its log module and its buffers on and every brake off."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar

from tests.bench.corpus import NUMBER
from tests.bench.subjects.subject import NETWORK, Account, Missing, Subject

BUFFER_LINES = 500  # per channel
_HEAD = """\
Version = 1.8.2
ConnectDelay = 1
ServerThrottle = 0
AnonIPLimit = 100000
MaxBufferSize = 100000
{files}<Listener bench>
    Host = 127.0.0.1
    Port = {port}
    IPv4 = true
    IPv6 = false
    SSL = {ssl}
    AllowIRC = true
    AllowWeb = false
</Listener>
"""
_USER = """\
<User {name}>
    Admin = true
    Pass = plain#{password}
    Nick = {nick}
    Ident = {name}
    RealName = bench
    Buffer = {buffer}
    AutoClearChanBuffer = true
    MultiClients = true
    JoinTries = 10
    MaxJoins = 0
    LoadModule = log
    <Network {network}>
        Server = 127.0.0.1 {server}
        TrustAllCerts = true
        FloodBurst = 1000
        FloodRate = 1000.00
        JoinDelay = 0
{channels}
    </Network>
</User>
"""


class Znc(Subject):
    name = "ZNC"
    # As root it waits 30 seconds before it starts, to make us think.
    run_as: ClassVar[str | None] = "nobody" if os.geteuid() == 0 else None

    @classmethod
    def check(cls) -> None:
        if not shutil.which("znc"):
            raise Missing("ZNC is not here; on Debian: apt install znc")

    def prepare(self) -> None:
        configs = self.folder / "configs"
        configs.mkdir()
        users = "".join(self._user(account) for account in self.accounts)
        files = ""
        if self.pair:
            files = f"SSLCertFile = {self.pair.certificate}\nSSLKeyFile = {self.pair.key}\n"
        head = _HEAD.format(port=self.port, ssl=str(self.pair is not None).lower(), files=files)
        (configs / "znc.conf").write_text(head + users)
        if self.run_as:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self.run_as)

    def _user(self, account: Account) -> str:
        channels = "\n".join(f"        <Chan {name}>\n        </Chan>" for name in account.channels)
        return _USER.format(
            name=account.name,
            password=account.password,
            nick=account.nick,
            buffer=BUFFER_LINES,
            network=NETWORK,
            server=f"{'+' if self.pair else ''}{self.network_port}",
            channels=channels,
        )

    def command(self) -> list[str]:
        return ["znc", "--foreground", "--datadir", str(self.folder)]

    def data(self) -> Path:
        return self.folder / "users"

    def stored_numbers(self) -> list[int] | None:
        logs = sorted(self.data().rglob("*.log"))
        return [int(number) for path in logs for number in NUMBER.findall(path.read_bytes())]
