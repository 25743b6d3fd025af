"""Control commands on the database itself, while no bouncer runs."""

from __future__ import annotations

import os
from pathlib import Path

import trio

import bouncer
import storage
from bouncer import alone, config, logs
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit, told
from bouncer.cli.explain import here
from bouncer.config import Config
from bouncer.control.actors import OPERATOR
from bouncer.control.command import Desk
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.registry import dispatch, help_lines
from bouncer.database import open_database
from bouncer.login.passwords import Hasher
from storage.engine import parse_url
from storage.errors import StorageError, Unusable


def control(words: list[str], option: Path | None) -> int:
    """Carry out one command; print what it answers."""
    logs.set_up("console", quiet=True)
    try:
        settings = config.load(option)
    except config.ConfigError as error:
        raise Exit(WRONG_USE, str(error)) from None
    if settings.source is None and not settings.data_dir.exists():
        raise Exit(
            WRONG_USE,
            f"no configuration, and no bouncer ever ran here (no {settings.data_dir}); "
            "name it by --config FILE, or begin with `bouncer run`",
        )
    become_owner(settings.data_dir)
    ours(settings.data_dir)
    try:
        lines = trio.run(_dispatch, words, settings)
    except WrongUse as error:
        raise Exit(WRONG_USE, here(str(error))) from None
    except Unusable as error:
        raise Exit(WRONG_USE, str(error)) from None
    except (ControlError, StorageError) as error:
        raise Exit(FAILED, here(str(error))) from None
    except OSError as error:
        raise Exit(FAILED, told(error)) from None
    for line in lines:
        print(line)
    return DONE


async def _dispatch(words: list[str], settings: Config) -> list[str]:
    async with open_database(settings) as store:
        return await dispatch(words, OPERATOR, Desk(store, settings, Hasher()))


def become_owner(data_dir: Path) -> None:
    """As root, work as the owner of the data directory: files that root makes there would lock
    the bouncer out of its own database. Raises Exit where the owner cannot work."""
    if os.geteuid() != 0 or not data_dir.exists():
        return
    owner = data_dir.stat()
    if owner.st_uid == 0:
        return
    try:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except PermissionError as error:
        raise Exit(
            FAILED, f"{data_dir} is user {owner.st_uid}'s; run this as that user: {error.strerror}"
        ) from None
    # What is imported from now on is read as the owner.
    for place in (part.__file__ or "" for part in (bouncer, storage, trio, os)):
        if not os.access(place, os.R_OK):
            raise Exit(
                WRONG_USE,
                f"{data_dir} is user {owner.st_uid}'s, who cannot read {Path(place).parent}, which "
                "Muster needs; install it where all may read it, as in /opt/muster",
            )


def ours(data_dir: Path) -> None:
    """Raises Exit where we may not work in the data directory."""
    if fault := alone.not_ours(data_dir):
        raise Exit(FAILED, fault)


def reach(settings: Config) -> None:
    """As root, be whom a database server knows.

    With a file root stays root: it may read what is imported and write wherever it was told to, and
    what it makes beside the database belongs to the database's owner.
    """
    if parse_url(settings.database.url).get_backend_name() != "sqlite":
        become_owner(settings.data_dir)


def explain(words: list[str]) -> list[str]:
    """The registry's help for a command or group; needs no database."""
    try:
        return help_lines(" ".join(words), OPERATOR)
    except WrongUse as error:
        raise Exit(WRONG_USE, str(error)) from None
