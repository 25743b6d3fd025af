"""The Ansible role on a machine of its own: as where an image is built, then under systemd."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml

from tests.outage.test_units import start_bouncer
from tests.real.certificates import make
from tests.real.needs import install_line, require
from tests.real.systemd import Machine, machine
from tests.real.wheels import wheelhouse

pytestmark = [pytest.mark.outage, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "deploy/ansible/roles/muster"
INVENTORY = yaml.safe_load((ROOT / "deploy/ansible/inventory.yml").read_text())
VENV = yaml.safe_load((ROLE / "vars/main.yml").read_text())["muster_venv"]
RUN_S = 600.0
BOUNCER, AGENT = "muster-bouncer", "muster-fallback"
PASSWORD = "hunter2"
NAME = "chat.example.net"  # of certbot's certificate
# The role asks no package index: what it would fetch lies there.
ENVIRONMENT = {
    "ANSIBLE_PIPELINING": "1",
    "ANSIBLE_NOCOLOR": "1",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/root/wheels",
    "PIP_NO_COMPILE": "1",
}


@asynccontextmanager
async def controller(folder: Path) -> AsyncIterator[Machine]:
    """A machine with a checkout of the project, which is its own controller."""
    require("ansible-playbook", "git")
    async with machine(folder) as host:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if f"Python {version}." not in await host.shell("/usr/bin/python3 --version"):
            pytest.skip(f"this machine's own python3 is not {version}, for which the packages are")
        if await host.shell("/usr/bin/python3 -c 'import apt'", expect=None):
            pytest.skip(install_line(["python3-apt"]))
        wheels, project = folder / "wheels", folder / "project"
        wheels.mkdir()
        await trio.to_thread.run_sync(wheelhouse, wheels)
        await host.give(wheels, "/root/wheels")
        for name in ("bouncer", "fallback", "storage", "deploy"):
            shutil.copytree(ROOT / name, project / name)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, project)
        await host.give(project, "/root/muster")
        await host.shell(
            "cd muster && git init --quiet && git add . && git -c user.name=t -c user.email=t"
            " commit --quiet --message all"
        )
        yield host


async def play(
    host: Machine, name: str, *, expect: int = 0, without_systemd: bool = False, **settings: object
) -> tuple[int, str]:
    """Run the example playbook for one host of the example inventory, which is this machine; how
    much changed, and all that was said."""
    given = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    await host.put(json.dumps(given | settings), "/root/settings.json")
    set_ = " ".join(f"{key}={value}" for key, value in ENVIRONMENT.items())
    line = (
        f"cd muster/deploy/ansible && {set_} ansible-playbook --diff --inventory inventory.yml"
        f" --limit {name} --extra-vars @/root/settings.json playbook.yml"
    )
    if without_systemd:  # by what is in /run programs tell that it runs
        line = f"unshare --mount sh -c 'mount -t tmpfs tmpfs /run && {line}'"
    said = await host.shell(line, expect=expect, within_s=RUN_S)
    [changed] = re.findall(r"changed=(\d+)", said)
    return int(changed), said


async def test_it_installs_once_and_restarts_only_for_a_change(tmp_path: Path) -> None:
    async with controller(tmp_path) as host:
        await as_for_an_image(host)
        await a_bouncer(host, tmp_path)


async def as_for_an_image(host: Machine) -> None:
    """An agent, by the file that its pairing printed, where nothing can be started."""
    sample = (ROOT / "deploy/examples/fallback-agent.toml").read_text()
    await host.put(sample, "/root/fra.toml")
    settings: dict[str, Any] = {
        "muster_start": False,
        "muster_config_file": "/root/fra.toml",
        "muster_secrets": {"libera.password": PASSWORD},
    }
    changed, said = await play(host, "fra", without_systemd=True, **settings)
    assert changed
    assert PASSWORD not in said
    assert await host.shell(f"{VENV}/bin/fallback --help | head -1")
    assert await host.shell("cat /etc/muster/fallback.toml") == sample
    where = "/etc/muster/fallback.toml /etc/muster/libera.password"
    modes = "root:muster:640\nmuster:muster:400\n"
    assert await host.shell(f"stat -c %U:%G:%a {where}") == modes
    assert await host.shell(f"systemctl is-enabled {AGENT}") == "enabled\n"
    assert await host.shows(AGENT, "ActiveState") == "inactive"

    changed, said = await play(host, "fra", without_systemd=True, **settings)
    assert changed == 0, said


async def a_bouncer(host: Machine, folder: Path) -> None:
    """One that was installed by hand, as the quickstart has it, and is taken over."""
    await start_bouncer(host)
    began = await host.shows(BOUNCER, "MainPID")
    made = await certificate(host, folder)
    [given] = INVENTORY["all"]["children"]["bouncers"]["hosts"].values()
    tls = {"certificate": "/etc/muster/tls/fullchain.pem", "key": "/etc/muster/tls/privkey.pem"}
    config = given["muster_config"] | {"tls": tls, "limits": {"login_per_min": 5}}

    async def again(expect: int = 0, **changes: object) -> tuple[int, str]:
        settings = {"muster_config": config | changes, "muster_certificate": NAME}
        return await play(host, "irc.example.net", expect=expect, **settings)

    # What the bouncer takes while it serves is no reason for a restart.
    await again(mesh=None)
    assert tomllib.loads(await host.shell("cat /etc/muster/bouncer.toml")) == config
    assert await host.shell(f"cat {tls['certificate']}") == made
    hook = await host.shell("cat /etc/letsencrypt/renewal-hooks/deploy/muster.sh")
    assert f'name="${{MUSTER_CERTIFICATE:-{NAME}}}"' in hook
    await host.says(BOUNCER, "reloaded")
    assert await host.shows(BOUNCER, "MainPID") == began

    # What `bouncer check` refuses gets nowhere: what runs goes on, and would start again.
    before = await host.shell("cat /etc/muster/bouncer.toml; ls /etc/muster")
    _, said = await again(expect=2, server_nam="irc")
    assert "server_nam: is not known here" in said
    assert await host.shell("cat /etc/muster/bouncer.toml; ls /etc/muster") == before
    assert await host.shows(BOUNCER, "MainPID") == began

    # The file, the bouncer's word that it needs a restart, and the restart.
    changed, said = await again(listen=config["listen"][:1])
    assert changed == 3, said
    await host.answers("bouncer ctl status")
    assert await host.shows(BOUNCER, "MainPID") != began


async def certificate(host: Machine, folder: Path) -> str:
    """The certificate that certbot has got."""
    made = make(folder, "certbot", names=(NAME,))
    place = f"/etc/letsencrypt/live/{NAME}"
    await host.shell(f"mkdir -p {place}")
    await host.put(made.key.read_text(), f"{place}/privkey.pem")
    await host.put(made.certificate.read_text(), f"{place}/fullchain.pem")
    return made.certificate.read_text()
