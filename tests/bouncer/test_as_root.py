"""What root does for the bouncer's user, and leaves behind for them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bouncer import cli


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_root_works_as_the_owner_of_the_data_directory(tmp_path: Path) -> None:
    """Files that root makes there would lock the bouncer out of its own database."""
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    script = """
import os, sys
from contextlib import suppress
from pathlib import Path
from bouncer import config
from bouncer.cli import Exit
from bouncer.cli.direct import become_owner, reach

place = Path(sys.argv[1])
tables = {"data_dir": str(place), "database": {"url": "postgresql://muster@/muster"}}
conf = config.parse(tables, place / "bouncer.toml")
with suppress(Exit):  # nobody may be unable to read this installation
    DO
print(os.getuid(), os.getgid(), os.getgroups())
"""
    for how in ("become_owner(place)", "reach(conf)"):  # a server is asked as whom it knows
        said = subprocess.run(
            [sys.executable, "-c", script.replace("DO", how), str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert said.stdout == f"{nobody.pw_uid} {nobody.pw_gid} []\n", said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_an_owner_who_cannot_read_the_installation_is_told(tmp_path: Path) -> None:
    """An installation below /root, say: what is imported late would not be found."""
    nobody = pwd.getpwnam("nobody")
    data, closed = tmp_path / "data", tmp_path / "closed"
    data.mkdir()
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    closed.mkdir()
    for package in ("bouncer", "storage"):
        shutil.copytree(Path(cli.__file__).parents[2] / package, closed / package)
    closed.chmod(0o700)
    (tmp_path / "bouncer.toml").write_text('data_dir = "data"\n')
    script = "import sys; from bouncer.cli import main; sys.exit(main(sys.argv[1:]))"
    for words in (["user", "add", "alice"], ["history", "rekey"]):
        said = subprocess.run(
            [sys.executable, "-c", script, *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(closed), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert said.returncode == 2, said
        assert said.stderr == (
            f"bouncer: {data} is user {nobody.pw_uid}'s, who cannot read {closed / 'bouncer'}, "
            "which Muster needs; install it where all may read it, as in /opt/muster\n"
        )
    assert not list(data.iterdir())
