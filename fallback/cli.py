"""The `fallback` command. Exit codes: 0 done, 1 failed, 2 wrong use or configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

DONE, FAILED, WRONG_USE = 0, 1, 2
FORMATS = ("console", "json")

DESCRIPTION = "Muster's off-site voter: it watches the bouncer, and speaks when it is unreachable."
FIRST_STEPS = (
    "A new voter: `fallback key` here, `bouncer agent add` with that key at the primary, its "
    "answer into fallback.toml here, `fallback run`, `fallback check`. The file is looked for in "
    "--config, $MUSTER_FALLBACK_CONFIG, ./fallback.toml and /etc/muster/fallback.toml."
)
COMMANDS = {
    "key": (
        "make this voter's key if there is none, and print its public part",
        "The primary pairs the voter by it: `bouncer agent add NAME ADDRESS:PORT KEY`.",
    ),
    "run": (
        "watch, vote and (an agent) speak, until told to stop",
        "TERM and ^C end it; an incident goes on at the next start.",
    ),
    "check": (
        "a preflight: everything that would be wrong in an outage, one line each",
        "Each line begins with ok, warn or FAIL and says what to do. Exit 2 with a FAIL.",
    ),
    "status": (
        "what the running voter sees",
        "Its phase, the bouncer's heartbeats, landmarks, other voters, the incident, networks.",
    ),
    "journal": (
        "what was said and ordered in incidents, with the proofs, as JSON lines",
        "Read from the voter's file, also while it runs.",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit code."""
    chosen = _parser().parse_args(argv)
    run = {"key": _key, "run": _run, "check": _check, "status": _status, "journal": _journal}[
        chosen.command
    ]
    from bouncer.config import ConfigError

    try:
        return run(chosen)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fallback", description=DESCRIPTION, epilog=FIRST_STEPS)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (text, more) in COMMANDS.items():
        description = f"{text[0].upper()}{text[1:]}. {more}"
        command = commands.add_parser(name, help=text, description=description)
        command.add_argument("--config", type=Path, metavar="FILE", help="fallback.toml to use")
        if name == "run":
            command.add_argument(
                "--log-format",
                choices=FORMATS,
                default="console",
                help="logs go to stderr, for people or for machines",
            )
        if name == "journal":
            command.add_argument("--incident", metavar="ID", help="of this incident alone")
        if name == "check":
            command.add_argument(
                "--file-only",
                action="store_true",
                help="only the file and what it names here, before it is paired or runs",
            )
        if name == "key":
            command.add_argument(
                "--data-dir", type=Path, metavar="DIR", help="where, while there is no config yet"
            )
    return parser


def _key(chosen: argparse.Namespace) -> int:
    from bouncer.config import ConfigError
    from bouncer.mesh.keys import KeyFault, MeshKey
    from fallback import config

    folder = chosen.data_dir
    if folder is None:
        try:
            folder = config.load(chosen.config).data_dir
        except ConfigError:
            if chosen.config is not None:
                raise
            folder = config.DEFAULT_DATA  # before pairing there is no configuration
    path = folder / config.KEY_FILE
    try:
        key = MeshKey.load_or_make(path)
        if os.geteuid() == 0:  # in the service's folder: the service has to read it
            owner = folder.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    except (KeyFault, OSError) as error:
        print(f"{error}; or name a folder: fallback key --data-dir DIR", file=sys.stderr)
        return WRONG_USE
    print(key.public)
    return DONE


def _run(chosen: argparse.Namespace) -> int:
    from bouncer import logs
    from fallback import app, config, running

    settings = config.load(chosen.config)
    logs.set_up(chosen.log_format, waits=False)
    try:
        running.run(settings)
    except (app.Fault, BaseExceptionGroup) as raised:
        faults = _leaves(raised)
        if not all(isinstance(each, app.Fault) for each in faults):
            raise
        for each in faults:
            print(each, file=sys.stderr)
        passes = all(isinstance(each, app.Hindrance) for each in faults)
        return FAILED if passes else WRONG_USE
    return DONE


def _leaves(group: BaseException) -> list[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        return [leaf for each in group.exceptions for leaf in _leaves(each)]
    return [group]


def _status(chosen: argparse.Namespace) -> int:
    from fallback import config
    from fallback.report import ask

    settings = config.load(chosen.config)
    try:
        print(ask(settings.socket), end="")
    except OSError as error:
        reason = error.strerror or error
        print(f"no voter answers at {settings.socket} ({reason}): is it running?", file=sys.stderr)
        return FAILED
    return DONE


def _journal(chosen: argparse.Namespace) -> int:
    from fallback import config
    from fallback.export import journal_lines
    from storage.incidents import IncidentsError

    path = config.load(chosen.config).database_file
    if not path.exists():
        print(f"{path}: no such file; this voter has never run", file=sys.stderr)
        return FAILED
    try:
        for line in journal_lines(path, chosen.incident):
            print(line)
    except IncidentsError as error:
        print(error, file=sys.stderr)
        return FAILED
    return DONE


def _check(chosen: argparse.Namespace) -> int:
    from fallback import config
    from fallback.check import run_check

    return run_check(config.load(chosen.config), file_only=chosen.file_only)


if __name__ == "__main__":
    sys.exit(main())
