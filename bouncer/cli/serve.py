"""`bouncer run` and `bouncer check`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import trio

from bouncer import config, logs
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit, told
from bouncer.config import Config
from storage.errors import StorageError, Unusable


def run(words: list[str], option: Path | None) -> int:
    """Serve until TERM or INT."""
    parser = Parser(prog="bouncer run", description="Serve until told to stop (TERM, ^C).")
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    parser.add_argument(
        "--log-format",
        choices=logs.FORMATS,
        default="console",
        help="logs go to stderr, for people or for machines",
    )
    chosen = parser.parse_args(words)
    settings = _load(option)
    logs.set_up(chosen.log_format, waits=False)
    try:
        _greet(settings)
        from bouncer import app

        app.run(settings)
    except (OSError, ValueError, StorageError, BaseExceptionGroup) as error:
        end = _explained(error)
        if end is None:
            raise
        raise end from error
    return DONE


def _greet(settings: Config) -> None:
    """With no configuration, make the first user and say so before anything can go wrong."""
    if settings.source is not None:
        return
    from bouncer import welcome
    from bouncer.database import open_database
    from bouncer.login.passwords import Hasher

    async def first_start() -> str | None:
        async with open_database(settings) as store:
            return await welcome.first_start(store, Hasher())

    password = trio.run(first_start)
    if password is not None:
        # stdout, not the log: logs are kept, and hold no secrets
        print("\n".join(welcome.lines(settings, password, _command())), flush=True)


def _command() -> str:
    """What to type for this program: after `make run` no shell finds it by its name alone."""
    return "bouncer" if shutil.which("bouncer") else os.path.relpath(sys.argv[0])


def check(words: list[str], option: Path | None) -> int:
    """Say everything that is wrong, one line each; nothing is changed."""
    parser = Parser(
        prog="bouncer check",
        description="Check configuration, database, certificates and addresses; change nothing.",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration to check")
    parser.parse_args(words)
    settings = _load(option)
    logs.set_up("console", quiet=True)
    from bouncer.cautions import warnings
    from bouncer.check import faults
    from bouncer.cli.direct import become_owner

    found = trio.run(faults, settings, lambda: become_owner(settings.data_dir))
    for line in trio.run(warnings, settings):
        print(f"bouncer: warning: {line}", file=sys.stderr)
    if found:
        raise Exit(WRONG_USE, "\n".join(found))
    print(f"{settings.source or 'no configuration, the defaults'}: all is well")
    return DONE


class Parser(argparse.ArgumentParser):
    """Wrong use is told as by every other command."""

    def error(self, message: str) -> None:  # type: ignore[override]  # it raises, too
        raise Exit(WRONG_USE, f"{message}; see `{self.prog} --help`")


def _load(option: Path | None) -> Config:
    try:
        return config.load(option)
    except config.ConfigError as error:
        raise Exit(WRONG_USE, str(error)) from None


def _explained(error: BaseException) -> Exit | None:
    """What the operator is told when serving ended by a fault; None for a defect of ours."""
    from bouncer.mesh.keys import KeyFault
    from bouncer.tls.certificates import CertificateFault

    texts = []
    code = FAILED
    for leaf in _leaves(error):
        if isinstance(leaf, (CertificateFault, KeyFault, Unusable)):
            code = WRONG_USE
        elif not isinstance(leaf, (StorageError, OSError)):
            return None
        texts.append(told(leaf) if isinstance(leaf, OSError) else str(leaf))
    return Exit(code, "\n".join(dict.fromkeys(texts)))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
