"""The `fallback` command: its words, its exit codes, and that two never run on one folder."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trio

from bouncer import metrics
from bouncer.config import Address
from bouncer.control.registry import COMMANDS as CONTROL
from bouncer.mesh.keys import MeshKey, PublicKey
from fallback import app
from fallback.cli import main
from fallback.config import Config
from fallback.desk.orders import ORDERS
from storage.incidents import Incidents, Line
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site
from tests.real.lockless import serving, without_locks


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """`run` sets up the logs of the whole process: they go back to what they were."""
    yield
    structlog.reset_defaults()


def write_config(folder: Path, **changes: str) -> Path:
    lines = {
        "name": '"hel"',
        "role": '"witness"',
        "data_dir": f'"{folder}/state"',
        "primary": '["irc+insecure://127.0.0.1:1"]',
        "primary_key": f'"{MeshKey(b"o" * 32).public}"',
        "mesh": '"127.0.0.1:0"',
    }
    path = folder / "fallback.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in (lines | changes).items()))
    return path


def test_key_makes_one_once_and_prints_its_public_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "--data-dir", str(tmp_path)]) == 0
    first = capsys.readouterr().out
    PublicKey.parse(first)
    config = write_config(tmp_path, data_dir=f'"{tmp_path}"')
    assert main(["key", "--config", str(config)]) == 0
    assert capsys.readouterr().out == first
    assert MeshKey.load(tmp_path / "mesh.key").seed.hex() not in first


@pytest.mark.parametrize("command", ["run", "check", "status", "journal"])
def test_a_bad_configuration_is_wrong_use(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, mesh='"nowhere"', colour='"red"')
    assert main([command, "--config", str(config)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2, "one line per fault"


@pytest.mark.parametrize("command", ["card", "drill", "report", "merge"])
def test_what_comes_later_is_absent(command: str) -> None:
    """No command, no word in the room or in the ops channel, and no key says that it is there."""
    with pytest.raises(SystemExit) as refused:
        main([command])
    assert refused.value.code == 2
    words = {command, "drill", "card", "oncall"}
    assert not words & ORDERS.keys()
    assert not words & {each.words[0] for each in CONTROL}
    assert not {"listen", "standin", "stand_in"} & Config.model_fields.keys()


def test_without_a_key_it_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(write_config(tmp_path))]) == 2
    assert "`fallback key` makes one" in capsys.readouterr().err


def test_a_status_of_nothing_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--config", str(write_config(tmp_path))]) == 1
    assert "is it running?" in capsys.readouterr().err


def test_the_journal_is_printed_as_json_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path)
    assert main(["journal", "--config", str(config)]) == 1
    assert "has never run" in capsys.readouterr().err
    store = Incidents(tmp_path / "state" / "fallback.db")
    store.write(
        [Line("fra", "b", n, n, f"i{n}", "pub", "#room", "al!a@b", "", "hi") for n in (1, 2)]
    )
    store.close()
    assert main(["journal", "--config", str(config), "--incident", "i2"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "at_ms": 2, "incident": "i2", "network": "pub", "target": "#room", "sender": "al!a@b",
        "verified": "", "text": "hi",
    }  # fmt: skip


def test_check_fails_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(write_config(tmp_path))]) == 2
    told = capsys.readouterr().err
    assert "FAIL  the voter is not running: start it: `fallback run`" in told
    assert all(line.startswith("FAIL") for line in told.splitlines())


def test_the_file_alone_is_checked_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What whoever installs a voter asks; the primary and the landmarks need not be there yet."""
    good = write_config(tmp_path)
    assert main(["check", "--file-only", "--config", str(good)]) == 0
    assert capsys.readouterr() == (f"ok    {good} is well formed\n", "")
    push = '[{ url = "https://ntfy.example.net/x", token_file = "gone" }]'
    network = (
        '[{ name = "pub", addresses = ["ircs://irc.example.net"], nick = "fb", lobby = "#l",'
        ' room = "#r", account = "fb", password_file = "pw" }]'
    )
    bad = write_config(tmp_path, role='"agent"', push=push, network=network)
    assert main(["check", "--file-only", "--config", str(bad)]) == 2
    faults = capsys.readouterr().err
    assert f"FAIL  pub: {tmp_path}/pw: No such file" in faults
    assert "FAIL  push[1]: " in faults
    assert main(["check", "--file-only", "--config", str(write_config(tmp_path, k="2"))]) == 2
    assert "k: is not known here" in capsys.readouterr().err


async def test_two_never_run_on_one_folder(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        config = await site.pairs("hel", role="witness")
        await site.starts(config)
        with pytest.raises(app.Fault, match="another `fallback run` is running here already"):
            app.Voter(config)


@pytest.mark.parametrize(
    ("mesh", "told"),
    [
        ("127.0.0.1:{taken}", "Address already in use"),
        ("192.0.2.1:7000", "Cannot assign requested address"),  # not yet, as the network comes up
    ],
)
def test_what_may_pass_is_no_fault_of_the_configuration(
    mesh: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, after which the unit tries again: "It is never given up"."""
    MeshKey.load_or_make(tmp_path / "state" / "mesh.key")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        where = mesh.format(taken=other.getsockname()[1])
        config = write_config(tmp_path, mesh=f'"{where}"')
        assert main(["run", "--config", str(config)]) == 1
    assert f"mesh {where}: {told}" in capsys.readouterr().err


def test_where_a_second_one_cannot_be_kept_out_it_is_said(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    MeshKey.load_or_make(tmp_path / "state" / "mesh.key")
    said = f"{tmp_path}/state cannot be locked (No locks available), so nothing keeps a second"
    fallback = without_locks("fallback")
    with serving([*fallback, "run", "--config", str(config)], tmp_path) as begun:
        assert said in begun
        words = [*fallback, "check", "--config", str(config)]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"warn  the data directory has no lock: {said}" in checked.stdout


async def test_metrics_are_served_on_loopback_and_nothing_else(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd(), trio.open_nursery() as nursery:
        voter = await site.starts(await site.pairs("hel", role="witness"))
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        nursery.start_soon(metrics.serve, Address("127.0.0.1", port), voter.figures)
        for path, status in (("/metrics", b"200 OK"), ("/", b"404 Not Found")):
            with trio.fail_after(5):
                answer = await get(port, path)
            assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"muster_fallback_roster_version 0" in await get(port, "/metrics")
        nursery.cancel_scope.cancel()


async def get(port: int, path: str) -> bytes:
    while True:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            break
        except OSError:
            await trio.sleep(0.02)
    async with stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return b"".join([bytes(chunk) async for chunk in stream])
