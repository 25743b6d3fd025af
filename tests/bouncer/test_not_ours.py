"""Commands by somebody who may not work in the data directory: each says so, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bouncer.tls import selfsigned

# All is imported before, for whom this installation may be closed to.
AS_ANOTHER = """
import encodings.idna, os, pwd, sqlite3, sys
from bouncer import alone, cautions, check, cli
from bouncer.cli import direct, outside, remote, serve, transfer

if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
sys.exit(cli.main(sys.argv[1:]))
"""
ROOT = os.geteuid() == 0


@pytest.fixture
def site() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder).resolve()
        site.chmod(0o755)
        (site / "data").mkdir(mode=0o700)
        (site / "bouncer.toml").write_text('data_dir = "data"\n[[listen]]\naddress = "127.0.0.1:0"')
        yield site
        for shut in site.iterdir():
            shut.chmod(0o700)


def told(site: Path, *words: str) -> str:
    command = [sys.executable, "-c", AS_ANOTHER, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=site)
    assert "Traceback" not in done.stderr
    assert done.returncode, done
    return done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "history backup x",
        "history export a b --out x",
        "history rekey",
        "import znc x",
    ],
)
def test_a_data_directory_that_is_not_ours_is_told(command: str, site: Path) -> None:
    data = site / "data"
    if not ROOT:
        data.chmod(0)
    what = "is root's; chown it to the bouncer's user" if ROOT else "is closed to its owner; chmod"
    assert f"{data} {what}" in told(site, *command.split())


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        ('data_dir = "shut/data"', "data_dir: {}/shut/data is missing and cannot be made; make it"),
        (
            '[database]\nurl = "sqlite:///{}/shut/db/muster.db"',
            "database.url: {}/shut/db is missing and cannot be made; make it",
        ),
        ('[database]\nurl = "sqlite:///{}/db/muster.db"', "all is well"),
    ],
    ids=["data", "database", "neither"],
)
def test_what_cannot_be_made_is_told(tables: str, fault: str, site: Path) -> None:
    """What is missing and can be made is made by the start, and no fault."""
    (site / "shut").mkdir(mode=0o500)
    listen = '\n[[listen]]\naddress = "127.0.0.1:0"'
    (site / "bouncer.toml").write_text(tables.format(site) + listen)
    if ROOT:
        (site / "shut").chmod(0o755)
        os.chown(site, 65534, 65534)
    command = [sys.executable, "-c", AS_ANOTHER, "check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=site)
    assert fault.format(site) in done.stdout + done.stderr
    if "data_dir" in tables:
        what_to_do = "cannot be made (Permission denied); make it, and give it its user"
        assert f"bouncer: data_dir: {site}/shut/data {what_to_do}" in told(site, "user", "list")


def test_the_command_line_names_whose_it_is(site: Path) -> None:
    if not ROOT:
        pytest.skip("this machine's user cannot give a folder away")
    data = site / "data"
    data.chmod(0o755)  # looked into, it may be, and not written
    assert "is root's; chown it to the bouncer's user" in told(site, "user", "list")
    os.chown(data, 1, 1)
    assert "is daemon's; run this as daemon, or as root" in told(site, "user", "list")
    os.chown(data, 65432, 65432)
    assert "is user 65432's; run this as" in told(site, "user", "list")
    (site / "shut").mkdir(mode=0o700)
    data.rename(site / "shut" / "data")
    (site / "bouncer.toml").write_text('data_dir = "shut/data"')
    assert "cannot be reached; run this as the bouncer's user, or as root" in told(site, "check")


def test_a_file_in_it_that_is_not_ours_is_told(site: Path) -> None:
    key = site / "data" / "secrets.key"
    key.mkdir()
    if ROOT:
        os.chown(site / "data", 65534, 65534)
    assert f"{key}: Is a directory" in told(site, "check")
    if not ROOT:
        return
    key.rmdir()
    key.touch(0o600)
    for command in ("user list", "check"):
        assert "chown it to the bouncer's user" in told(site, *command.split())


def test_a_certificate_in_a_folder_that_is_closed_is_told(site: Path) -> None:
    """As that of certbot is."""
    closed = site / "live"
    closed.mkdir()
    chain, key = closed / "fullchain.pem", closed / "privkey.pem"
    selfsigned.make(chain, key, ["irc.example.net"])
    closed.chmod(0o700 if ROOT else 0)
    if ROOT:
        os.chown(site / "data", 65534, 65534)
    with (site / "bouncer.toml").open("a") as file:
        file.write(f'\n[tls]\ncertificate = "{chain}"\nkey = "{key}"\n')
    assert f"{chain}: Permission denied; let the bouncer's user read it" in told(site, "check")
