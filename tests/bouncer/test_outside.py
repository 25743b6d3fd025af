"""Passwords and key files: what a command line names, or leaves out, and what is made of it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bouncer.cli import Exit
from bouncer.cli.outside import outside_words
from tests.real.needs import require

BOUNCER = str(Path(sys.executable).with_name("bouncer"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "network set --password-stdin --server-password-stdin",
            "network set --password -first --server-password second",
        ),
        ("sasl set-plain --password-stdin al net me", "sasl set-plain al net me -- -first"),
        ("sasl set-plain al -network=net me", "sasl set-plain al -network=net me -- -first"),
        ("user run al sasl set net me", "user run al sasl set net me -- -first"),
        ("sasl set-plain al net", "sasl set-plain al net"),
        ("channel add al net #a --key-stdin", "channel add al net #a --key -first"),
        ("network set al net --sasl-plain al", "network set al net --sasl-plain al"),
        ("user run al user passwd", "user run al user passwd --generate"),
        ("user run al SetPassword", "user run al user passwd --generate"),
        ("user run al setpassword --password-stdin", "user run al user passwd --password -first"),
        ("network quote al net -", "network quote al net -first"),
        ("user run al Quote net -", "user run al network quote net -first"),
        ("net q al net PRIVMSG bob -", "net q al net PRIVMSG bob -"),
        ("net q al net NS INFO bob", "net q al net NS INFO bob"),
    ],
)
def test_passwords_come_by_standard_input(
    words: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("-first\nsecond\n"))
    assert outside_words(words.split()) == expected.split()


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("network quote al net PASS hunter2", "write - for it"),
        ("net q al net PRIVMSG #a,NickServ :IDENTIFY hunter2", "write - for it"),
        ("user run al net quote net ns ghost me hunter2", "write - for it"),
        ("user run al QUOTE net OPER me hunter2", "write - for it"),
        ("user run al SetPassword hunter2", "use --password-stdin"),
        ("network set al net --connect-c 'PRIVMSG Q :AUTH hunter2'", "use --connect-command-stdin"),
        ("network set al net '-connect-command=NS ID hunter2'", "use --connect-command-stdin"),
        ("network set al net --proxy socks5://me:hunter2@[::1]", "use --proxy-stdin"),
    ],
)
def test_a_command_line_that_holds_a_password_is_refused(words: str, instead: str) -> None:
    with pytest.raises(Exit, match="everybody on this machine can read") as refused:
        outside_words(shlex.split(words))
    assert instead in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("words", ["user add a --password-stdin", "sasl set-plain al net login"])
def test_a_password_that_does_not_come_is_told(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(Exit, match="password: standard input holds no line; pipe one in, or"):
        outside_words(words.split())


def at_a_terminal(words: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """The exit code, and what was shown; each answer is typed when its prompt is there."""
    require("setsid")
    terminal, its_side = pty.openpty()  # Python 3.12 warns of a fork where there are threads
    its_own = ["setsid", "--ctty", BOUNCER, *words]
    process = subprocess.Popen(its_own, stdin=its_side, stdout=its_side, stderr=its_side)
    os.close(its_side)
    said = b""
    with open(terminal, "r+b", buffering=0) as stream, contextlib.suppress(OSError):  # it has ended
        for prompt, line in answers:
            while prompt.encode() not in said:
                said += stream.read(1024)
            stream.write(line.encode())
        while data := stream.read(1024):
            said += data
    return process.wait(), said.decode()


@pytest.mark.parametrize(
    ("words", "typed", "code", "told"),
    [
        ("sasl set-plain alice libera al", "hunter2\n", 0, "by SASL PLAIN as al"),
        (
            "network set alice libera --sasl-plain al",
            "hunter2\n",
            0,
            "changed: password, sasl-plain",
        ),
        ("network set alice libera --sasl-scram al", "\n", 2, "needs the password; add --password"),
        ("user run alice sasl set-plain libera al", "\x03", 130, ""),
    ],
)
def test_a_login_s_password_is_asked_for_at_a_terminal(
    words: str, typed: str, code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bouncer.toml").write_text('data_dir = "data"')
    for line in ("user add alice", "network add alice libera ircs://irc.example.net"):
        subprocess.run([BOUNCER, *line.split()], check=True, stdout=subprocess.DEVNULL)
    ended, said = at_a_terminal(words.split(), [("password", typed)])
    assert (ended, told in said, "hunter2" in said) == (code, True, False), said


def test_key_files_are_read_here(tmp_path: Path) -> None:
    keygen = shutil.which("ssh-keygen")
    if keygen is None:
        pytest.skip("needs ssh-keygen")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    words = outside_words(["--ssh-key", str(tmp_path / "k.pub")])
    assert words[0] == "--ssh-key"
    assert words[1].startswith("ssh-ed25519 AAAA")
    with pytest.raises(Exit, match=r"No such file or directory; name the file ending in \.pub"):
        outside_words(["--ssh-key", str(tmp_path / "none.pub")])
    with pytest.raises(Exit, match=r"the file ending in \.pub"):
        outside_words(["--ssh-key", str(tmp_path / "k")])
