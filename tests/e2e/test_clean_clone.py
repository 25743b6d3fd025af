"""On a clean clone, `make run` serves: nothing but Python, venv and make is there before."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.real.lab import lab
from tests.real.needs import NETNS, require
from tests.real.netns import connected
from tests.real.peer import peer
from tests.real.process import Program, found

ROOT = Path(__file__).parents[2]
INSTALL_S = 600.0

pytestmark = [pytest.mark.outage, pytest.mark.timeout(INSTALL_S + 120)]


async def test_make_run_serves(tmp_path: Path) -> None:
    require("git", "make", "ip", "nft", "nsenter", "setpriv", NETNS)
    clone = tmp_path / "muster"
    subprocess.run(
        ["git", "-c", "safe.directory=*", "clone", "--quiet", ROOT, clone], check=True, timeout=60
    )
    # What the tests' own environment has set is nothing a new user has.
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    make = found("make")
    subprocess.run(
        [make, "--quiet", ".venv/.installed"], cwd=clone, env=env, check=True, timeout=INSTALL_S
    )
    with lab() as net:  # the fixed ports are free there
        netns = net.host("home").netns
        words = [make, "--quiet", "run"]
        with Program(words, log=tmp_path / "log", cwd=clone, netns=netns) as program:
            match = await program.prints(r"(?i)password:?\s+(\S+)", 120)
            await program.listens(partial(connected, "127.0.0.1", 6697, netns, 1), 20)
            async with peer("127.0.0.1", 6697, tls=True, netns=netns) as admin:
                await admin.register("admin", password=f"admin:{match[1]}")
                await admin.says("PRIVMSG BouncerServ :help")
                await admin.hears("NOTICE", source="BouncerServ!*")
            assert (clone / "var" / "muster.db").exists()
