"""The `bouncer` command: what it carries where, what it says, and how it exits."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bouncer import cli
from bouncer.alone import Occupied, alone
from bouncer.cli import remote
from tests.bouncer.program import BOUNCER, TOML, bouncer, running


def test_without_a_bouncer_it_works_on_the_database(site: Path) -> None:
    added = bouncer("user", "add", "alice", "--password-stdin", given="hunter2\n", cwd=site)
    assert (added.returncode, added.stdout, added.stderr) == (0, "user alice added\n", "")
    assert bouncer("user", "list", cwd=site).stdout == "alice: 0 networks\n"


def test_with_one_it_acts_at_once_and_by_ctl_too(site: Path) -> None:
    with running(site, "--log-format", "json") as process:
        assert bouncer("user", "add", "alice", cwd=site).returncode == 0
        line = ("network", "add", "alice", "home", "irc+insecure://127.0.0.1:1", "--join", "#a b")
        assert bouncer(*line, cwd=site).stdout == "network home added for alice: connecting\n"
        listed = bouncer("ctl", "network", "list", "alice", cwd=site).stdout
        assert "irc+insecure://127.0.0.1:1" in listed
        assert "not running" not in listed
        assert bouncer("ctl", "network list alice", cwd=site).returncode == 0
        failed = bouncer("ctl", "network", "list", "bob", cwd=site)
        assert (failed.returncode, failed.stderr) == (
            1,
            "bouncer: there is no user bob; `user list` shows who there is\n",
        )
        wrong = bouncer("ctl", "network", "lost", cwd=site)
        assert wrong.returncode == 2
        assert wrong.stderr.startswith('bouncer: there is no "lost"')
        assert bouncer("check", cwd=site).returncode == 0
        second = bouncer("run", cwd=site)
        assert second.returncode == 1
        assert "running here already" in second.stderr or "in use" in second.stderr
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=10)
        assert process.returncode == 0
    assert all(entry.startswith("{") for entry in logged.splitlines()), logged


def test_a_socket_s_path_that_is_too_long_is_told_by_every_command(site: Path) -> None:
    deep = "x" * 60
    (site / "bouncer.toml").write_text(TOML.replace('"data"', f'"{deep}/{deep}"'))
    for words in (["check"], ["run"], ["user", "list"], ["ctl", "status"], ["import", "soju", "x"]):
        said = bouncer(*words, cwd=site)
        assert said.returncode == 2, words
        assert f"data_dir: {site}/{deep}/{deep}/bouncer.sock is too long" in said.stderr


@pytest.mark.parametrize(
    "words", [["history", "export", "al", "net", "--out", "x"], ["history", "backup", "x"]]
)
def test_what_reads_a_database_makes_none(words: list[str], site: Path) -> None:
    """Root, who makes backups, would make files that the bouncer cannot open."""
    (site / "data").mkdir()
    said = bouncer(*words, cwd=site)
    assert said.returncode == 1
    assert "there is no database" in said.stderr
    assert not list((site / "data").iterdir())


def test_an_import_and_a_bouncer_do_not_meet(site: Path) -> None:
    """The import has looked for a bouncer when it began; the bouncer begins after that."""
    (site / "data").mkdir()
    imports = ["import", "soju", "x"], ["history", "move", "sqlite:///y"], ["history", "rekey"]
    assert bouncer("user", "add", "alice", cwd=site).returncode == 0
    with alone(site / "data"):
        for words in (["run"], *imports):
            said = bouncer(*words, cwd=site)
            assert said.returncode == 1, words
            assert "or a rekey is running here already; stop it, or wait" in said.stderr, words
    with running(site) as process:
        process.kill()
        process.wait()
    with alone(site / "data"):
        pass  # nothing is left of the lock


def test_a_command_waits_for_a_bouncer_that_begins(site: Path) -> None:
    """It has the data before it can be spoken to; who writes there now would not be heard."""
    path = site / "bouncer.sock"
    with socket.socket(socket.AF_UNIX) as listening:

        def answer() -> None:
            asking, _ = listening.accept()
            with asking:
                assert asking.recv(100) == b"user list\n"
                asking.sendall(b"heard\nOK\n")

        def look(data_dir: Path) -> None:
            assert data_dir == site
            listening.bind(str(path))
            listening.listen()
            threading.Thread(target=answer, daemon=True).start()
            raise Occupied

        assert remote.ask_running(path, ["user", "list"], look) == ["heard", "OK"]
    path.unlink()
    with alone(site):
        assert "a move or a rekey is running here already" in remote.why_nobody(path)
    assert remote.why_nobody(path).startswith("no bouncer is running")
    assert remote.why_nobody(path).endswith("`bouncer run` starts it")
    assert remote.ask_running(path, ["user", "list"]) is None


def test_a_reload_during_the_start_ends_nobody(site: Path) -> None:
    """`systemctl reload` right after a restart, or certbot's hook at boot. systemd takes an end by
    HUP for a clean one, and does not start again."""
    words = [BOUNCER, "run"]
    with subprocess.Popen(words, cwd=site, stderr=subprocess.PIPE, text=True) as process:
        try:
            status = Path(f"/proc/{process.pid}/status")
            until = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < until:
                found = re.search(r"^SigIgn:\t(\w+)$", status.read_text(), re.MULTILINE)
                if found and int(found[1], 16) & 1 << signal.SIGHUP - 1:
                    break
            for _ in range(20):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.01)
            assert process.stderr is not None
            assert any("serving" in line for line in process.stderr)
            assert process.poll() is None
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0


def test_what_cannot_be_typed_here_is_not_shown_either(site: Path) -> None:
    """Passwords as arguments are refused, so no usage may show one."""
    lines = ["user", "passwd"], ["sasl", "set-plain", "alice", "home"]
    expected = [
        "user passwd: USER is missing; usage: user passwd USER [--password-stdin] [--generate]",
        "sasl set-plain: LOGIN is missing; usage: sasl set-plain USER NETWORK LOGIN "
        "[--password-stdin]",
    ]
    (site / "data").mkdir()
    assert [bouncer(*line, cwd=site).stderr for line in lines] == [
        f"bouncer: {each}\n" for each in expected
    ]
    with running(site):
        assert bouncer(*lines[0], cwd=site).stderr == f"bouncer: {expected[0]}\n"


def test_a_socket_left_behind_by_kill_does_not_hinder(site: Path) -> None:
    with running(site) as process:
        process.kill()
        process.wait()
    assert (site / "data" / "bouncer.sock").exists()
    assert bouncer("user", "add", "alice", cwd=site).returncode == 0
    for words in (["ctl", "status"], ["status"], ["status", "full"]):
        said = bouncer(*words, cwd=site)
        assert said.returncode == 1, words
        assert "no bouncer is running" in said.stderr
    with running(site):
        assert bouncer("ctl", "user", "list", cwd=site).stdout.startswith("alice: ")


def test_in_the_wrong_directory_no_database_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSTER_CONFIG", raising=False)
    if Path("/etc/muster/bouncer.toml").exists():
        pytest.skip("this machine has a configuration")
    said = bouncer("user", "list", cwd=tmp_path)
    assert said.returncode == 2
    assert "name it by --config FILE, or begin with `bouncer run`" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [("--config", "other.toml"), ("--config=other.toml",)])
def test_the_configuration_may_be_named_anywhere(site: Path, option: tuple[str, ...]) -> None:
    (site / "other.toml").write_text(TOML.replace('"data"', '"elsewhere"'))
    assert bouncer("user", *option, "add", "alice", cwd=site).returncode == 0
    assert (site / "elsewhere" / "muster.db").exists()
    assert not (site / "data").exists()


def test_check_tells_each_fault_in_one_line_and_exits_2(site: Path) -> None:
    (site / "bouncer.toml").write_text('[[listen]]\naddress = "x"\n[limit]\n[tls]\nkey = "a"\n')
    said = bouncer("check", cwd=site)
    assert said.returncode == 2
    lines = said.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("bouncer: bouncer.toml: ") for line in lines)
    assert 'did you mean "limits"?' in said.stderr
    for command in (("run",), ("user", "list")):
        assert bouncer(*command, cwd=site).returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ""),
        (("netwrk",), "did you mean `bouncer network`?"),
        (("run", "--log-format", "xml"), "invalid choice"),
        (("run", "now"), "unrecognized arguments"),
        (("--config",), "--config needs a file"),
        (("user", "add", "a", "--password", "x"), "everybody on this machine can read"),
        (("user", "add", "a", "--password=x"), "use --password-stdin"),
        (("user", "set", "a", "--passw", "x"), "use --password-stdin"),
        (("network", "set", "a", "n", "--server-p=x"), "use --server-password-stdin"),
        (("sasl", "set-plain", "a", "n", "login", "x"), "use --password-stdin"),
        (("user", "run", "a", "sasl", "set-plain", "n", "login", "x"), "use --password-stdin"),
        (("network", "set", "a", "n", "--proxy", "socks5://a:b@c"), "use --proxy-stdin"),
        (("network", "set", "a", "n", "--proxy=socks5h://a:b@c"), "use --proxy-stdin"),
        (("user", "create", "-username", "a", "-password", "x"), "use --password-stdin"),
        (("network", "update", "a", "n", "-pass=x"), "use --server-password-stdin"),
        (("ctl", "user", "add", "a\nb"), "is one line"),
        (("ctl", "server notice 'it"), "a quote in"),
        (("user", "add", "a", "--config", "gone.toml"), "gone.toml: no such file"),
        (("check", "--config", "/etc"), "/etc: a directory; write /etc/bouncer.toml in --config"),
        (("staff", "add", "a", "--ssh-key", "gone.pub"), "gone.pub: No such file"),
    ],
)
def test_wrong_use_exits_2(
    words: tuple[str, ...], said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
    assert not (site / "data").exists()
