"""What `bouncer run` says, and how it exits, where it cannot begin."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

BOUNCER = str(Path(sys.executable).with_name("bouncer"))
TOML = """
data_dir = "data"
[[listen]]
address = "127.0.0.1:0"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a bouncer.toml."""
    monkeypatch.delenv("MUSTER_CONFIG", raising=False)
    (tmp_path / "bouncer.toml").write_text(TOML)
    return tmp_path


def bouncer(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BOUNCER, *words], capture_output=True, text=True, timeout=60, cwd=cwd)


@pytest.mark.parametrize(
    ("kind", "line", "fault"),
    [
        (
            socket.SOCK_STREAM,
            "metrics = {}",
            "metrics: {} cannot be listened on: another program does already; stop it, or take",
        ),
        (
            socket.SOCK_DGRAM,
            "mesh.address = {}",
            "mesh.address: {} cannot be listened on: another program does already; stop it, or",
        ),
    ],
)
def test_a_port_that_is_taken_is_named_before_anything_begins(
    kind: socket.SocketKind, line: str, fault: str, site: Path
) -> None:
    """Else each try of the unit would connect to all networks, every two seconds."""
    address = "irc+insecure://127.0.0.1:1"
    bouncer("user", "add", "alice", cwd=site)
    bouncer("network", "add", "alice", "home", address, cwd=site)
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = f"127.0.0.1:{taken.getsockname()[1]}"
        (site / "bouncer.toml").write_text(line.format(f'"{port}"') + TOML)
        said = bouncer("run", cwd=site)
    assert said.returncode == 1
    assert fault.format(port) in said.stderr
    assert address not in said.stderr
    assert "serving" not in said.stderr


@pytest.mark.parametrize(
    ("address", "what_to_do"),
    [
        ("192.0.2.1:6667", "this machine has no such address; take one that `ip addr` shows"),
        ("nowhere.invalid:6667", "; take an address of this machine"),
        ("unix:nowhere/irc.sock", "the folder is missing; make it"),
    ],
)
def test_an_address_that_cannot_be_had_is_named_with_what_to_do(
    address: str, what_to_do: str, site: Path
) -> None:
    (site / "bouncer.toml").write_text(TOML.replace("127.0.0.1:0", address))
    said = bouncer("run", cwd=site)
    assert said.returncode == 1
    assert f"{address.removeprefix('unix:')} cannot be listened on: " in said.stderr
    assert what_to_do in said.stderr


def test_run_without_its_database_server_exits_1(site: Path) -> None:
    """As after a power cut: it is back later, and the unit goes on trying."""
    database = '[database]\nurl = "postgresql://muster@/muster?host=/nowhere"\n'
    (site / "bouncer.toml").write_text(TOML + database)
    said = bouncer("run", cwd=site)
    assert said.returncode == 1
    assert "cannot be reached" in said.stderr


def test_run_without_its_certificate_exits_2(site: Path) -> None:
    toml = TOML + '[tls]\ncertificate = "c.pem"\nkey = "k.pem"\n'
    (site / "bouncer.toml").write_text(toml)
    said = bouncer("run", cwd=site)
    assert said.returncode == 2
    assert said.stderr == (
        f"bouncer: {site}/c.pem: No such file or directory; name the file that is there\n"
    )


@pytest.mark.parametrize("words", [("run",), ("user", "list")])
@pytest.mark.parametrize("data_dir", ["file", "file/in/it"])
def test_where_a_file_is_in_the_way_of_the_data_it_is_named(
    words: tuple[str, ...], data_dir: str, site: Path
) -> None:
    (site / "file").touch()
    (site / "bouncer.toml").write_text(TOML.replace('"data"', f'"{data_dir}"'))
    said = bouncer(*words, cwd=site)
    assert said.returncode == 2
    assert said.stderr == f"bouncer: data_dir: {site}/file is no directory; name another\n"
