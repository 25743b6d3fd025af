"""A real InspIRCd 3 with Atheme services: accounts, SASL, CertFP, account-tag, MONITOR.

ChanServ, NickServ and SaslServ as on a public network; nothing is stored but in FOLDER.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.real.certificates import Certificate
from tests.real.ircd import Ircd
from tests.real.peer import Peer, peer
from tests.real.ports import free_port
from tests.real.process import Program, found

SERVICES = "services.example.net"
LINK_PASSWORD = "linkpassword"
LINK_S = 20.0
OPERATOR = ("oper", "operpass")

# Beyond the core: what a public network of today has loaded.
_MODULES = """
services_account banexception botmode cap chghost deaf globops hidechans ircv3
ircv3_accounttag ircv3_batch ircv3_capnotify ircv3_chghost ircv3_ctctags ircv3_echomessage
ircv3_invitenotify ircv3_labeledresponse ircv3_msgid ircv3_servertime monitor muteban namesx
uhnames sasl setname sha256 spanningtree ssl_gnutls sslinfo svshold alias userip samode sakick
"""

_ATHEME_MODULES = """
protocol/inspircd backend/opensex crypto/pbkdf2v2 nickserv/main nickserv/cert nickserv/ghost
nickserv/regain nickserv/group nickserv/identify nickserv/info nickserv/logout nickserv/register
nickserv/release nickserv/enforce nickserv/set_core nickserv/set_password nickserv/set_enforcetime
saslserv/main saslserv/plain saslserv/external chanserv/main chanserv/register chanserv/access
chanserv/flags chanserv/op chanserv/voice chanserv/invite chanserv/set_core chanserv/set_mlock
chanserv/set_secure chanserv/info operserv/main
"""
MODULES = tuple(_MODULES.split())


@dataclass(frozen=True, slots=True)
class Inspircd(Ircd):
    """A running network of one server and its services."""

    services: Program | None
    certificate: Certificate

    async def account(self, name: str, password: str, *fingerprints: str) -> None:
        """Register an account, its nick equal to its name, with certificate fingerprints."""
        async with peer(self.host, self.port, netns=self.netns) as person:
            await person.register(name)
            await person.says(f"PRIVMSG NickServ :REGISTER {password} {name}@example.net")
            await person.hears("900|NOTICE", "*", "*", source="*", within_s=LINK_S)
            await self._logged_in(person)
            for fingerprint in fingerprints:
                await person.says(f"PRIVMSG NickServ :CERT ADD {fingerprint}")
                await person.hears("NOTICE", "*", "*fingerprint*", source="NickServ!*")
            await person.says("QUIT :done")
            await person.is_closed()

    async def channel(self, name: str, account: str, password: str, mlock: str = "") -> None:
        """Register a channel to an account, with the modes ChanServ holds."""
        async with peer(self.host, self.port, netns=self.netns) as person:
            await person.register(f"{account}-setup", plain=(account, password))
            await person.join(name)
            await person.says(f"PRIVMSG ChanServ :REGISTER {name}")
            await person.hears("NOTICE", "*", "*registered*", source="ChanServ!*")
            if mlock:
                await person.says(f"PRIVMSG ChanServ :SET {name} MLOCK {mlock}")
                await person.hears("NOTICE", "*", "*MLOCK*", source="ChanServ!*")
            await person.says("QUIT :done")
            await person.is_closed()

    async def _logged_in(self, person: Peer) -> None:
        with trio.fail_after(LINK_S):
            while True:
                await person.says(f"WHOIS {person.nick}")
                await person.hears("318")
                if person.all("330"):
                    return
                await trio.sleep(0.2)

    async def stop_services(self) -> None:
        """Services go away, saving their accounts."""
        assert self.services is not None
        await self.services.terminate()

    async def start_services(self) -> None:
        assert self.services is not None
        self.services.start()
        await self.linked()

    async def linked(self) -> None:
        """Wait until the services are linked."""
        async with peer(self.host, self.port, netns=self.netns) as person:
            await person.register(f"probe{os.urandom(3).hex()}")
            with trio.fail_after(LINK_S):
                while True:
                    await person.says("WHOIS NickServ")
                    await person.hears("318")
                    if person.all("312", "*", "NickServ"):
                        return
                    await trio.sleep(0.2)


@asynccontextmanager
async def inspircd(
    folder: Path,
    certificate: Certificate,
    *,
    name: str = "irc.public.net",
    network: str = "PublicNet",
    listen: Sequence[str] = ("127.0.0.1", "::1"),
    port: int = 0,
    tls_port: int = 0,
    link_port: int = 0,
    netns: str | None = None,
    services: bool = True,
    sid: str = "00B",
    modules: Sequence[str] = MODULES,
    extra: str = "",
) -> AsyncIterator[Inspircd]:
    """Serve in FOLDER on `listen`, plain and TLS; port 0 takes a free one.

    `extra` is configuration appended as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or (free_port() if netns is None else 6667)
    tls_port = tls_port or (free_port() if netns is None else 6697)
    link_port = link_port or (free_port() if netns is None else 7000)
    lines = [
        f'<server name="{name}" description="tests" network="{network}" id="{sid}">',
        '<admin name="tests" nick="tests" email="nobody@example.net">',
        '<connect name="people" allow="*" timeout="30" pingfreq="120" hardsendq="16777216"',
        ' softsendq="16777216" recvq="65536" threshold="100000" commandrate="10000000"',
        ' fakelag="no" resolvehostnames="no" localmax="5000" globalmax="5000" maxchans="500"',
        ' modes="">',
        '<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*">',
        '<type name="NetAdmin" classes="all">',
        f'<oper name="{OPERATOR[0]}" password="{OPERATOR[1]}" host="*@*" type="NetAdmin">',
        '<channels opers="500" users="500">',
        '<dns server="127.0.0.1" timeout="1">',
        f'<pid file="{folder}/inspircd.pid">',
        f'<path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}">',
        '<options prefixquit="Quit: " splitwhois="no" moronbanner="banned" nosnoticestack="yes">',
        '<performance softlimit="10000" somaxconn="128" quietbursts="yes">',
        '<security hideserver="" maxtargets="20" announceinvites="dynamic">',
        '<limits maxnick="30" maxchan="64" maxmodes="20" maxident="11" maxhost="64" maxquit="255"',
        ' maxtopic="307" maxkick="255" maxreal="128" maxaway="200">',
        '<whowas groupsize="10" maxgroups="1000" maxkeep="3d">',
        f'<sslprofile name="people" provider="gnutls" certfile="{certificate.certificate}"',
        f' keyfile="{certificate.key}" hash="sha256" requestclientcert="yes">',
        f'<sasl target="{SERVICES}">',
        f'<uline server="{SERVICES}" silent="yes">',
        f'<link name="{SERVICES}" ipaddr="127.0.0.1" port="{link_port}" allowmask="127.0.0.0/8"',
        f' recvpass="{LINK_PASSWORD}" sendpass="{LINK_PASSWORD}">',
        f'<bind address="127.0.0.1" port="{link_port}" type="servers">',
        *(f'<bind address="{a}" port="{port}" type="clients">' for a in listen),
        *(
            f'<bind address="{a}" port="{tls_port}" type="clients" sslprofile="people">'
            for a in listen
        ),
        *(f'<module name="{module}">' for module in modules),
        extra,
    ]
    config = folder / "inspircd.conf"
    config.write_text("\n".join(lines) + "\n")
    words: list[str | Path] = [found("inspircd"), "--config", config]
    words += ["--nofork", "--nopid", "--runasroot"]
    with Program(words, log=folder / "inspircd.out", netns=netns, cwd=folder) as program:
        if not services:
            server = Inspircd(program, listen[0], port, tls_port, netns, None, certificate)
            await server.ready()
            yield server
            return
        with _atheme(folder / "atheme", name, link_port, netns) as atheme:
            server = Inspircd(program, listen[0], port, tls_port, netns, atheme, certificate)
            await server.ready()
            await server.linked()
            yield server


def _atheme(folder: Path, uplink: str, port: int, netns: str | None) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    modules = "\n".join(f'loadmodule "modules/{name}";' for name in _ATHEME_MODULES.split())
    services = "\n".join(
        f'{kind} {{ nick = "{nick}"; user = "{nick}"; host = "{SERVICES}"; {more} }};'
        for kind, nick, more in (
            ("nickserv", "NickServ", 'spam; maxnicks = 10; enforce_prefix = "Guest";'),
            ("chanserv", "ChanServ", "fantasy = no;"),
            ("saslserv", "SaslServ", ""),
            ("operserv", "OperServ", ""),
        )
    )
    (folder / "atheme.conf").write_text(f"""\
{modules}
loadmodule "modules/backend/corestorage";
serverinfo {{
  name = "{SERVICES}"; desc = "services"; numeric = "00A"; recontime = 1;
  netname = "PublicNet"; hidehostsuffix = "users"; adminname = "tests";
  adminemail = "nobody@example.net"; registeremail = "nobody@example.net";
  mta = "/bin/true"; loglevel = {{ all; }}; maxlogins = 50; maxusers = 50; mdlimit = 30;
  emaillimit = 100; emailtime = 300; auth = none; casemapping = rfc1459;
}};
uplink "{uplink}" {{ host = "127.0.0.1"; password = "{LINK_PASSWORD}"; port = {port}; }};
{services}
database {{ db_save_blocking; }};
general {{ flood_msgs = 0; ratelimit_uses = 0; commit_interval = 5; expire = 0; }};
""")
    os.chmod(folder, 0o777)
    words: list[str | Path] = [found("atheme-services"), "-n", "-c", folder / "atheme.conf"]
    words += ["-p", folder / "atheme.pid", "-l", folder / "atheme.log", "-D", folder]
    return Program(words, log=folder / "atheme.out", netns=netns, cwd=folder)
