"""What is installed from deploy/: units that systemd accepts, samples that the programs accept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bouncer import config as bouncer_config
from bouncer import place
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import fallback_toml
from fallback import config as fallback_config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
EXAMPLES = DEPLOY / "examples"
HOOK = DEPLOY / "certbot" / "muster.sh"
# Settings that need no sentence: what they say is what they are.
PLAIN = {
    "Description", "Wants", "After", "User", "Group", "ExecStart", "Restart", "RestartSec",
    "KillMode", "TimeoutStopSec", "WantedBy", "SystemCallFilter", "StateDirectoryMode",
    "RuntimeDirectoryMode",
}  # fmt: skip


def settings(unit: Path) -> list[tuple[str, str, str]]:
    """(key, value, the comment in force) of each setting; a comment holds for the lines below it
    up to the next comment or empty line."""
    found, comment, after_setting = [], "", True
    for line in unit.read_text().splitlines():
        if line.startswith("#"):
            comment = line if after_setting else f"{comment} {line}"
            after_setting = False
        elif "=" in line:
            key, _, value = line.partition("=")
            found.append((key, value, comment))
            after_setting = True
        elif not line:
            comment = ""
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is missing; install it with: apt install systemd")
        pytest.skip("needs systemd-analyze; install it with: apt install systemd")
    # A root of its own, with stand-ins where the programs would be installed.
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    for each in UNITS:
        shutil.copy(each, system)
    for program in {value.split()[0] for key, value, _ in settings(unit) if key[:4] == "Exec"}:
        stand_in = tmp_path / program.lstrip("/")
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.write_text("#!/bin/sh\n")
        stand_in.chmod(0o755)
    for folder in ("/lib/systemd/system", "/usr/lib/systemd/system"):
        if Path(folder).is_dir():
            shutil.copytree(folder, tmp_path / "usr/lib/systemd/system", symlinks=True)
            break
    done = subprocess.run(
        [analyze, "verify", f"--root={tmp_path}", "--man=no", unit.name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_line_of_a_unit_is_explained(unit: Path) -> None:
    bare = [key for key, _, comment in settings(unit) if key not in PLAIN and not comment]
    assert not bare


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_faulty_configuration_is_not_started_again_and_again(unit: Path) -> None:
    # The programs end with 2 for wrong use and configuration: docs/operations.md.
    assert ("RestartPreventExitStatus", "2") in [(key, value) for key, value, _ in settings(unit)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_unit_and_sample_mean_the_same_places(unit: Path) -> None:
    given = {key: value for key, value, _ in settings(unit)}
    program, verb, flag, path = given["ExecStart"].split()
    assert (verb, flag) == ("run", "--config")
    if program.endswith("/bouncer"):
        assert Path(path) == place.SYSTEM
        sample = bouncer_config.load(EXAMPLES / "bouncer.toml").data_dir
    else:
        assert Path(path) == fallback_config.SYSTEM
        role = "witness" if "witness" in unit.stem else "agent"
        sample = fallback_config.load(EXAMPLES / f"fallback-{role}.toml").data_dir
    assert sample == Path("/var/lib") / given["StateDirectory"]


# prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN): what MemoryDenyWriteExecute=yes does to a process.
WITHOUT_EXECUTABLE_MEMORY = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    sys.exit(77)  # before Linux 6.3
"""
START = """
from fallback.mesh import port
from fallback.networks import announcer
from fallback.senses import landmarks, probes
"""
USE_TLS = """
import ssl
from bouncer.connections import dial
from bouncer.mesh import link
from bouncer.mesh.keys import MeshKey
link.server_context(MeshKey.generate())
dial.client_context(pinned=False, client_certificate=MeshKey.generate().certificate_pem().decode())
"""


def test_a_voter_needs_no_memory_that_is_writable_and_executable() -> None:
    """The units of agent and witness deny it; the bouncer's says why it cannot."""
    for unit in UNITS:
        denied = {key: value for key, value, _ in settings(unit)}["MemoryDenyWriteExecute"]
        assert (denied == "yes") == ("bouncer" not in unit.stem)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXECUTABLE_MEMORY + START + USE_TLS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this kernel cannot deny it to a process")
    assert done.returncode == 0, done.stderr


def uncommented(text: str) -> str:
    """A sample with every commented key in force."""
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("whole", [False, True], ids=["as it stands", "with all it comments out"])
def test_the_bouncer_takes_its_sample(whole: bool) -> None:
    path = EXAMPLES / "bouncer.toml"
    text = uncommented(path.read_text()) if whole else path.read_text()
    config = bouncer_config.parse(tomllib.loads(text), path)
    assert config.ops is not None
    assert any(listen.client_certs for listen in config.listen)
    assert (config.tls.key is not None) == whole


@pytest.mark.parametrize("whole", [False, True], ids=["as it stands", "with all it comments out"])
@pytest.mark.parametrize("role", ["agent", "witness"])
def test_a_voter_takes_its_sample(role: str, whole: bool) -> None:
    path = EXAMPLES / f"fallback-{role}.toml"
    text = uncommented(path.read_text()) if whole else path.read_text()
    config = fallback_config.parse(tomllib.loads(text), path)
    assert config.role == role
    assert len(config.network) == (0 if role == "witness" else 1 + whole)
    # What a sample calls the default is the default.
    assert config.waits() == fallback_config.Config.model_construct(timings={}, landmarks=3).waits()


def test_a_sample_says_what_the_default_is() -> None:
    path = EXAMPLES / "bouncer.toml"
    config = bouncer_config.parse(tomllib.loads(uncommented(path.read_text())), path)
    plain = bouncer_config.Config()
    assert (config.limits, config.user_defaults) == (plain.limits, plain.user_defaults)
    assert config.history == plain.history
    assert config.database.synchronous == plain.database.synchronous


@pytest.mark.parametrize("role", ["agent", "witness"])
def test_a_voter_takes_the_file_that_pairing_prints(role: str) -> None:
    text = fallback_toml(
        name="fra",
        role=role,
        address="198.51.100.20:6700",
        primary=["ircs://192.0.2.10:6697"],
        primary_key=str(MeshKey.generate().public),
    )
    config = fallback_config.parse(tomllib.loads(text), Path("/etc/muster/fallback.toml"))
    assert (config.role, config.mesh.port) == (role, 6700)
    assert config.data_dir == Path("/var/lib/muster-fallback")


def run_hook(lineage: Path, target: Path, said: Path) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "RENEWED_LINEAGE": str(lineage),
        "MUSTER_TLS": str(target),
        "MUSTER_GROUP": str(os.getgid()),
        "MUSTER_RELOAD": f"touch {said}",
    }
    return subprocess.run(
        [HOOK], env=environment, check=True, timeout=20, capture_output=True, text=True
    ).stdout


def test_the_certbot_hook_hands_over_the_renewed_pair(tmp_path: Path) -> None:
    lineage, target = tmp_path / "live/irc.example.net", tmp_path / "tls"
    lineage.mkdir(parents=True)
    target.mkdir()
    (lineage / "fullchain.pem").write_text("chain")
    (lineage / "privkey.pem").write_text("key")
    assert run_hook(lineage, target, tmp_path / "reloaded") == ""
    assert {each.name: each.read_text() for each in target.iterdir()} == {
        "fullchain.pem": "chain",
        "privkey.pem": "key",
    }
    assert (target / "privkey.pem").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "reloaded").exists()


def test_the_certbot_hook_says_that_it_leaves_another_certificate_alone(tmp_path: Path) -> None:
    """As where its name was never set: else nothing would tell why nothing is renewed."""
    lineage = tmp_path / "live/irc.corp.example"
    said = run_hook(lineage, tmp_path / "tls", tmp_path / "reloaded")
    assert f"{lineage} is not the bouncer's (irc.example.net): left alone" in said
    assert list(tmp_path.iterdir()) == []


def test_the_certbot_hook_leaves_other_certificates_alone(tmp_path: Path) -> None:
    lineage = tmp_path / "live/www.example.net"
    lineage.mkdir(parents=True)
    run_hook(lineage, tmp_path, tmp_path / "reloaded")
    assert not (tmp_path / "reloaded").exists()
