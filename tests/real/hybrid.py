"""A real ircd-hybrid: no services, none of our labels, and a nick collision kills.

As a package it conflicts with ngIRCd's; its files stand beside that well (`needs` says how).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.real.certificates import Certificate
from tests.real.ircd import Ircd, as_nobody, ports
from tests.real.process import Program, found

OPERATOR = ("oper", "operpass")


class Hybrid(Ircd):
    """A running ircd-hybrid."""


@asynccontextmanager
async def hybrid(
    folder: Path,
    *,
    name: str = "irc.public.net",
    network: str = "PublicNet",
    listen: Sequence[str] = ("127.0.0.1",),
    port: int = 0,
    certificate: Certificate | None = None,
    tls_port: int = 0,
    netns: str | None = None,
    sid: str = "1HY",
    resolver: str = "",
    extra: str = "",
) -> AsyncIterator[Hybrid]:
    """Serve in FOLDER on the addresses `listen`; port 0 takes a free one.

    Its limits are those it has by itself, but for how fast people talk and come. It asks `resolver`
    for everybody's name before it lets them in, and without an answer waits for long; '' is the
    machine's own. `extra` is configuration appended as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # where nobody serves
    port, tls_port = ports(netns, port, tls_port, certificate)
    listeners = "".join(f'host = "{a}"; flags = hidden; port = {port};\n' for a in listen)
    keys = ""
    if certificate:
        keys = f'rsa_private_key_file = "{certificate.key}";'
        keys += f' tls_certificate_file = "{certificate.certificate}";'
        listeners += "".join(f'host = "{a}"; flags = tls; port = {tls_port};\n' for a in listen)
    config = folder / "ircd.conf"
    config.write_text(f"""\
serverinfo {{
  name = "{name}"; sid = "{sid}"; description = "tests"; network_name = "{network}";
  network_description = "tests"; hub = yes; max_nick_length = 15; max_topic_length = 300; {keys}
}};
admin {{ name = "tests"; description = "tests"; email = "nobody@example.net"; }};
class {{
  name = "people"; ping_time = 90 seconds; number_per_ip_local = 100; number_per_ip_global = 100;
  max_number = 500; sendq = 1 megabyte; recvq = 2560 bytes; max_channels = 60;
}};
class {{ name = "servers"; ping_time = 90 seconds; max_number = 10; sendq = 2 megabytes; }};
listen {{
{listeners}}};
auth {{ user = "*@*"; class = "people"; flags = can_flood; }};
operator {{
  name = "{OPERATOR[0]}"; password = "{OPERATOR[1]}"; encrypted = no;
  user = "*@*"; class = "people";
  flags = connect, connect:remote, kill, kill:remote, kline, squit, squit:remote, unkline;
}};
general {{ throttle_count = 100; disable_auth = yes; specials_in_ident = 2; }};
{extra}
""")
    files = [f"-{kind}file" for kind in ("log", "pid", "kline", "dline", "xline", "resv")]
    args: list[str | Path] = [found("ircd-hybrid"), "-foreground", "-configfile", config]
    args += [word for each in files for word in (each, folder / f"ircd{each}")]
    args = as_nobody(args)
    if resolver:
        (folder / "resolv.conf").write_text(f"nameserver {resolver}\n")
        mounted = f'mount --bind {folder}/resolv.conf /etc/resolv.conf && exec "$@"'
        args = [found("unshare"), "--mount", "--", "sh", "-c", mounted, "sh", *args]
    with Program(args, log=folder / "hybrid.log", netns=netns, cwd=folder) as program:
        server = Hybrid(program, listen[0], port, tls_port, netns)
        await server.ready()
        yield server
