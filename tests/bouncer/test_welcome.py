"""The first start with no configuration: its user, and what it tells to type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bouncer import config, welcome
from bouncer.database import open_database
from bouncer.login.passwords import Hasher

BOUNCER = str(Path(sys.executable).with_name("bouncer"))


async def test_the_first_start_makes_an_admin_once(tmp_path: Path) -> None:
    settings = config.parse({"data_dir": str(tmp_path / "var")}, tmp_path / "bouncer.toml")
    async with open_database(settings) as store:
        password = await welcome.first_start(store, Hasher())
        assert password is not None
        assert await welcome.first_start(store, Hasher()) is None
    text = "\n".join(welcome.lines(settings, password))
    assert f"/connect -tls -notls_verify 127.0.0.1 6697 admin:{password}" in text
    assert (
        f"/server add muster 127.0.0.1/6697 -tls -notls_verify -password=admin:{password}" in text
    )
    assert f"/server -ssl-noverify 127.0.0.1 6697 admin:{password}" in text
    assert "127.0.0.1 port 6667" in text


def test_the_first_start_names_the_command_that_can_be_typed(tmp_path: Path) -> None:
    if Path("/etc/muster/bouncer.toml").exists():
        pytest.skip("this machine has a configuration")
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    words = [os.path.relpath(BOUNCER, tmp_path), "run"]
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        text = process.stdout.read1().decode()
        process.kill()
    assert f"Or here:  {words[0]} network add admin" in text
