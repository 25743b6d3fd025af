"""What the `bouncer` command says of itself, and what it loads for that."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from bouncer import cli
from bouncer.cli import remote
from bouncer.cli.commands import OWN, Own
from bouncer.cli.outside import outside_words
from bouncer.control.registry import COMMANDS
from tests.bouncer.program import running


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--help",), "bouncer run [--config FILE]"),
        (("help",), "A first network:"),
        (("--version",), "Muster 0."),
        (("ctl",), "\n`bouncer help WORD` explains one, "),
        (("ctl", "-h"), "\n`bouncer help WORD` explains one, `bouncer help WORD WORD` its"),
        (("network", "--help"), "bouncer network add USER NAME URI"),
        (("user", "passwd", "--help"), "[--password-stdin]"),
        (("staff", "add", "-h"), "--ssh-key FILE"),
        (("sasl", "--help"), "set-plain USER NETWORK LOGIN [--password-stdin]: "),
        (("help", "network", "add"), "bouncer network add USER NAME URI"),
        (("ctl", "--help"), "bouncer network add|set|list|quote|remove|sts: "),
        (("history", "--help"), "bouncer history backup FILE"),
        (("network", "add", "--help"), "--proxy-stdin, --connect-command-stdin: "),
        (("channel", "add", "--help"), "--key-stdin: "),
        (("network", "quote", "-h"), "  - for LINE: by standard input"),
    ],
)
def test_help_teaches(
    words: tuple[str, ...], said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 0
    assert said in capsys.readouterr().out
    assert not (site / "data").exists()


def test_ctl_costs_few_imports(site: Path) -> None:
    script = (
        "import sys; from bouncer.cli import main; main(['ctl', 'status']);"
        "print([m for m in ('sqlalchemy', 'trio', 'pydantic', 'structlog', 'rich', 'typer')"
        " if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=site)
    assert said.stdout == "[]\n", said


@pytest.mark.parametrize(
    ("modules", "others"),
    [
        ("bouncer.cli.serve, bouncer.app", "scramp OpenSSL"),
        (
            "bouncer.cli.direct",
            "bouncer.connections.upstream bouncer.irc.registration bouncer.hub.keeping "
            "bouncer.mesh.beacon bouncer.session.effects",
        ),
    ],
)
def test_a_start_imports_nothing_for_others(modules: str, others: str) -> None:
    """Clients wait for it: after kill -9 it is most of the time until they are served again; and
    people for commands."""
    script = (
        f"import sys, {modules}; others = 'alembic rich pygments wsproto httpcore {others}'; "
        "print([each for each in others.split() if each in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "[]\n", said


@pytest.mark.parametrize("line", ["network --help", "help user passwd", "help x"])
def test_a_running_bouncer_is_asked_for_help(line: str, site: Path) -> None:
    """It has the registry, whose import takes longer than anybody waits for help."""
    script = (
        f"import sys; from bouncer.cli import main; code = main({line.split()});"
        "print([m for m in ('sqlalchemy', 'trio', 'pydantic') if m in sys.modules]); sys.exit(code)"
    )

    def ask() -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", script]
        return subprocess.run(words, capture_output=True, text=True, cwd=site)

    before = ask()
    with running(site):
        said = ask()
    assert said.stdout.splitlines()[-1] == "[]", said
    assert said.stdout.splitlines()[:-1] == before.stdout.splitlines()[:-1]
    assert (said.stderr, said.returncode) == (before.stderr, before.returncode)


@pytest.mark.usefixtures("site")
def test_every_command_is_found_from_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(len(line) <= 100 for line in said.splitlines())
    shown = re.findall(r"^  bouncer (\w+)(?: ([\w|-]+))?", said, re.MULTILINE)
    found = {(group, each) for group, names in shown for each in names.split("|")}
    registered = {(each.words[0], "".join(each.words[1:])) for each in COMMANDS}
    assert registered - {("help", "")} <= found
    assert {each.words for each in OWN if len(each.words) == 2} <= found
    assert {each.words[0] for each in OWN} <= {group for group, _ in found}
    for group in {group for group, _ in found} - {each.words[0] for each in OWN}:
        assert cli.main([group, "--help"]) == 0, group


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("own", OWN, ids=attrgetter("name"))
def test_each_own_command_explains_itself(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):  # argparse's way
        cli.main([*own.words, "--help"])
    said = capsys.readouterr().out
    assert said
    assert all(flag in said for flag in re.findall(r"--[\w-]+", own.usage)), said


@pytest.mark.parametrize(
    "start",
    [
        ["network", "quote", "alice"],
        ["ctl", "net", "q", "alice"],
        ["user", "run", "alice", "net", "q"],
    ],
)
def test_the_words_of_a_quoted_line_are_not_the_command_line_s(start: list[str]) -> None:
    line = ["PRIVMSG", "bob", ":try", "--config", "x", "--password", "y", "--help"]
    words = [*start, "--config", "f", "libera", *line]
    path, words = cli.take_config(words)
    assert (path, words) == (Path("f"), [*start, "libera", *line])
    assert outside_words(words) == words
    assert not remote._asks_for_help(words)
    assert remote._asks_for_help([*start, "--help"])
