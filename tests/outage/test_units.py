"""The units under a real systemd, installed by the very lines of docs/quickstart.md."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.real.certificates import Certificate, make, trusting_all
from tests.real.netns import connected
from tests.real.peer import Peer, peer
from tests.real.process import until
from tests.real.systemd import Machine, machine

pytestmark = [pytest.mark.outage, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PACKAGES = ("bouncer", "fallback", "storage")
SITE_PACKAGES = next(path for path in map(Path, sys.path) if path.name == "site-packages")
BOUNCER, WITNESS, AGENT = "muster-bouncer", "muster-witness", "muster-fallback"
PORT, TLS_PORT = 6667, 6697
HOST = "127.0.0.1"
RESTART_S = 20.0


def commands(document: str, begin: str, end: str) -> list[str]:
    """The indented lines between two places of a document."""
    text = (ROOT / "docs" / document).read_text()
    return re.findall(r"^ {4}(\S.*)$", text.partition(begin)[2].partition(end)[0], re.MULTILINE)


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Machine]:
    """A machine on which the first section of the quickstart was followed, without its network."""
    async with machine(folder) as host:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if f"Python {version}." not in await host.shell("/usr/bin/python3 --version"):
            pytest.skip(f"this machine's own python3 is not {version}, for which the packages are")
        project = folder / "project"
        project.mkdir()
        for name in (*PACKAGES, "deploy"):
            shutil.copytree(ROOT / name, project / name)
        await host.give(project, "/root/muster")
        for line in commands("quickstart.md", "## 1. ", "## 2. "):
            if "pip install" in line:
                await instead_of_pip(host, f"/opt/muster/lib/python{version}/site-packages")
            elif not line.startswith("apt "):
                await host.shell(line)
        yield host


async def instead_of_pip(host: Machine, site: str) -> None:
    """What pip would fetch lies beside these tests; what it would write is written."""
    await host.give(SITE_PACKAGES, "/root/packages")
    await host.shell(f"rm -rf packages/__editable__* && cp -rn packages/. {site}/")
    for name in PACKAGES:
        await host.shell(f"cp -r muster/{name} {site}/")
    for name in ("bouncer", "fallback"):
        script = Path(sys.executable).with_name(name).read_text().partition("\n")[2]
        await host.put(f"#!/opt/muster/bin/python\n{script}", f"/opt/muster/bin/{name}")
        await host.shell(f"chmod 755 /opt/muster/bin/{name}")


@asynccontextmanager
async def logged_in(host: Machine, password: str) -> AsyncIterator[Peer]:
    async with peer(HOST, PORT, netns=host.netns) as client:
        await client.register("alice", password=f"alice:{password}")
        yield client


async def listening(host: Machine) -> None:
    """Wait until somebody listens."""

    def is_open() -> bool:
        try:
            connected(HOST, PORT, host.netns, 1).close()
        except OSError:
            return False
        return True

    await until(is_open, RESTART_S, f"something listens on port {PORT}")


async def start_bouncer(host: Machine) -> str:
    """Follow the second section up to its last user; alice's password."""
    for line in commands("quickstart.md", "## 2. ", "It says `UP"):
        said = await (host.answers("bouncer status") if "status" in line else host.shell(line))
    assert re.match(r"UP \d+s; no agents paired; cert 3649d/3650d", said), said
    for line in commands("quickstart.md", "It says `UP", "Each `user add` prints"):
        told = await host.shell(line)
        if "user add alice" in line:
            said = told
    match = re.search(r"(?:\w{5}-){3}\w{5}", said)
    assert match, said
    return match[0]


async def test_the_bouncer_is_kept_running_reloaded_and_locked_in(tmp_path: Path) -> None:
    async with installed(tmp_path) as host:
        password = await start_bouncer(host)
        assert await host.shows(BOUNCER, "ActiveState") == "active"
        began = int(await host.shows(BOUNCER, "MainPID"))

        async with logged_in(host, password) as client:
            await host.shell(f"systemctl reload {BOUNCER}")
            await host.says(BOUNCER, "reloaded")
            await client.sync()
        assert int(await host.shows(BOUNCER, "MainPID")) == began

        await asks_for_certificates(host, tmp_path)
        await is_renewed(host, tmp_path)
        assert int(await host.shows(BOUNCER, "MainPID")) == began
        await is_locked_in(host, began)

        await host.shell(f"kill -9 {began}")
        await host.becomes(BOUNCER, "NRestarts", "1")
        await listening(host)
        async with logged_in(host, password) as client:
            await client.sync()
            await host.shell(f"systemctl stop {BOUNCER}")
            assert await client.hears("ERROR")
        assert await host.shows(BOUNCER, "Result") == "success"
        assert await host.shows(BOUNCER, "ActiveState") == "inactive"

        # "Exit code 2 is a fault of the configuration: trying again changes nothing, so it stays
        # failed and is seen."
        await host.shell("echo 'nonsense = 1' >> /etc/muster/bouncer.toml")
        await host.shell(f"systemctl reset-failed {BOUNCER}; systemctl start {BOUNCER}")
        await host.becomes(BOUNCER, "ActiveState", "failed")
        assert await host.shows(BOUNCER, "ExecMainStatus") == "2"
        assert await host.shows(BOUNCER, "NRestarts") == "0"
        assert "nonsense" in await host.journal(BOUNCER)


async def asks_for_certificates(host: Machine, folder: Path) -> None:
    """The one thing for which the unit allows memory that is writable and executable."""
    context = trusting_all()
    context.load_cert_chain(make(folder, "client").both)
    async with peer(HOST, TLS_PORT, netns=host.netns, tls=context) as client:
        await client.says("CAP LS 302")
        assert "EXTERNAL" in (await client.hears("CAP", "*", "LS")).params[-1]


async def is_renewed(host: Machine, folder: Path) -> None:
    """A certificate as certbot brings it, served from the first, and its renewal."""
    lineage = "/etc/letsencrypt/live/irc.example.net"
    await host.shell(f"mkdir -p {lineage} /etc/letsencrypt/renewal-hooks/deploy")
    install, hook = commands("operations.md", "    certbot certonly", "(the host name stands")
    toml = commands("operations.md", "Name it in `bouncer.toml`", "and let the bouncer read it")
    for number in range(2):
        made = make(folder, f"certbot{number}", names=("irc.example.net",))
        await host.put(made.certificate.read_text(), f"{lineage}/fullchain.pem")
        await host.put(made.key.read_text(), f"{lineage}/privkey.pem")
        if not number:
            await host.shell(install)
            text = await host.shell("cat /etc/muster/bouncer.toml")
            await host.put("\n".join([text, *toml, ""]), "/etc/muster/bouncer.toml")
        await host.shell(hook)
        if not number:
            await host.shell(f"bouncer check && systemctl reload {BOUNCER}")
        await serves(host, made)


async def serves(host: Machine, wanted: Certificate) -> None:
    """Wait until the bouncer shows this certificate."""
    deadline = trio.current_time() + RESTART_S
    while True:
        async with peer(HOST, TLS_PORT, netns=host.netns, tls=True) as client:
            if client.server_certificate == wanted.der:
                return
        assert trio.current_time() < deadline, await host.journal(BOUNCER)
        await trio.sleep(0.2)


async def is_locked_in(host: Machine, pid: int) -> None:
    """What the unit's settings come to, seen with the eyes of its process."""
    inside = f"nsenter --target={pid} --mount --"
    for place in ("/etc", "/usr", "/opt/muster", "/var/lib"):
        said = await host.shell(f"{inside} touch {place}/probe", expect=1)
        assert "Read-only file system" in said
    await host.shell(f"{inside} touch /var/lib/muster/probe")
    assert await host.shell(f"{inside} ls -A /root") == ""
    status = await host.shell(f"cat /proc/{pid}/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    user = (await host.shell("id -u muster")).strip()
    assert re.search(rf"^Uid:\s+{user}\s", status, re.MULTILINE)
    assert await host.shell("stat -c %a:%U /var/lib/muster") == "700:muster\n"


async def test_a_witness_and_an_agent_run_as_they_are_told_to_be_installed(tmp_path: Path) -> None:
    async with installed(tmp_path) as host:
        assert (await host.shell("fallback key")).startswith("muster1:")
        sample = "muster/deploy/examples/fallback-{}.toml"
        for unit, role in ((WITNESS, "witness"), (AGENT, "agent")):
            where = sample.format(role)
            await host.shell(f"install -m 640 -g muster {where} /etc/muster/fallback.toml")
            await host.put("hunter2\n", "/etc/muster/libera.password")
            await host.shell("chgrp muster /etc/muster/libera.password")
            await host.shell(f"install -m 644 muster/deploy/{unit}.service /etc/systemd/system/")
            await host.shell(f"systemctl daemon-reload && systemctl enable --now {unit}")
            await host.answers("fallback status")
            began = await host.shows(unit, "MainPID")
            await host.shell(f"kill -9 {began}")
            await host.becomes(unit, "NRestarts", "1")
            await host.answers("fallback status")
            said = await host.shell(
                f"nsenter --target=$(systemctl show --value -p MainPID {unit}) --mount --"
                " touch /var/lib/probe",
                expect=1,
            )
            assert "Read-only file system" in said
        # one host is one voter
        assert await host.shows(WITNESS, "ActiveState") == "inactive"
        assert await host.shows(AGENT, "ActiveState") == "active"
