"""A real ngIRCd with a generated configuration, ready when it answers, dead at the block's end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.real.certificates import Certificate
from tests.real.ircd import Ircd, as_nobody, ports
from tests.real.process import Program, found


class Ngircd(Ircd):
    """A running ngIRCd."""


@asynccontextmanager
async def ngircd(
    folder: Path,
    *,
    name: str = "irc.example.net",
    network: str = "ExampleNet",
    listen: Sequence[str] = ("127.0.0.1", "::1"),
    port: int = 0,
    certificate: Certificate | None = None,
    tls_port: int = 0,
    netns: str | None = None,
    operator: tuple[str, str] | None = ("oper", "operpass"),
    max_nick: int = 16,
    ping_s: int = 120,
    extra: str = "",
    sections: str = "",
) -> AsyncIterator[Ngircd]:
    """Serve in FOLDER on the addresses `listen`; port 0 takes a free one.

    `extra` is appended to the [Limits] section of the configuration, `sections` to all of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, tls_port = ports(netns, port, tls_port, certificate)
    config = folder / "ngircd.conf"
    text = f"""\
[Global]
  Name = {name}
  Network = {network}
  Info = a server of the tests
  AdminInfo1 = tests
  AdminInfo2 = nowhere
  AdminEMail = nobody@example.net
  Listen = {",".join(listen)}
  Ports = {port}
  MotdPhrase = "served by the tests"
[Limits]
  ConnectRetry = 5
  MaxConnections = 0
  MaxConnectionsIP = 0
  MaxJoins = 0
  MaxNickLength = {max_nick}
  MaxPenaltyTime = 0
  PingTimeout = {ping_s}
  PongTimeout = 20
{extra}
[Options]
  AllowRemoteOper = no
  DNS = no
  Ident = no
  PAM = no
  MorePrivacy = no
  OperCanUseMode = yes
  SyslogFacility = local0
"""
    if certificate:
        text += f"""\
[SSL]
  CertFile = {certificate.certificate}
  KeyFile = {certificate.key}
  Ports = {tls_port}
"""
    if operator:
        text += f"[Operator]\n  Name = {operator[0]}\n  Password = {operator[1]}\n"
    config.write_text(text + sections)
    args: list[str | Path] = [found("ngircd"), "--nodaemon", "--config", config]
    args = as_nobody(args)
    with Program(args, log=folder / "ngircd.log", netns=netns) as program:
        server = Ngircd(program, listen[0], port, tls_port, netns)
        await server.ready()
        yield server
