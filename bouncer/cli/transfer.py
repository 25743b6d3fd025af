"""`bouncer import`, `bouncer history export` and `backup`: history moving in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TypeVar

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from bouncer import admin, config, logs
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit
from bouncer.cli.direct import become_owner
from bouncer.cli.serve import Parser
from bouncer.config import Config
from bouncer.database import open_database
from bouncer.export import export_json, export_text
from bouncer.importers.logfiles import Report
from bouncer.importers.soju import import_soju
from bouncer.importers.znc import import_znc
from storage import accounts
from storage.errors import StorageError
from storage.store import Store

Moving = Callable[[str, int, int], None]  # what, done, in all


def import_(words: list[str], option: Path | None) -> int:
    """Users, networks, channels and logs of another bouncer. Repeating it brings what is new."""
    parser = Parser(
        prog="bouncer import",
        description="Bring users, networks, channels and logs from another bouncer. It can be "
        "interrupted and repeated: nothing comes twice. The bouncer must not run meanwhile.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="znc|soju", required=True)
    znc = kinds.add_parser("znc", help="a ZNC directory, as ~/.znc")
    znc.add_argument("place", metavar="DIR", type=Path)
    soju = kinds.add_parser("soju", help="a soju database file (SQLite)")
    soju.add_argument("place", metavar="FILE", type=Path)
    soju.add_argument("--logs", metavar="DIR", type=Path, help="its message store, if it is `fs`")
    chosen = parser.parse_args(words)
    settings = _settings(option)
    if admin.answers(settings.admin_socket):
        raise Exit(FAILED, "a bouncer is running on this database; stop it, import, start it")
    become_owner(settings.data_dir)

    async def bring(store: Store) -> Report:
        with _bar() as moving:
            if chosen.kind == "znc":
                return await import_znc(store, chosen.place, moving)
            return await import_soju(store, chosen.place, moving, chosen.logs)

    report = _with_store(settings, bring)
    print(
        f"{report.users} users, {report.networks} networks, {report.channels} channels "
        f"and {report.messages:,} messages came in"
    )
    for note in report.notes:
        print(f"note: {note}")
    return DONE


def export(words: list[str], option: Path | None) -> int:
    """The history of one network as log files or JSON lines; the bouncer may run meanwhile."""
    parser = Parser(
        prog="bouncer history export",
        description="Write a network's history: `text` as OUT/CONVERSATION/YYYY-MM-DD.log in the "
        "common log format (UTC), `json` as one file of JSON lines.",
    )
    parser.add_argument("user", metavar="USER")
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("target", metavar="TARGET", nargs="?", default="", help="a conversation")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--out", metavar="PATH", type=Path, required=True)
    chosen = parser.parse_args(words)
    settings = _settings(option)

    def write(connection: Connection) -> int:
        user = accounts.get_user(connection, chosen.user)
        network = accounts.get_network(connection, user.id, chosen.network)
        target = chosen.target.lower()
        with _bar() as moving:
            if chosen.format == "text":
                return export_text(
                    connection, network.id, chosen.out, target, UTC, _counted(moving)
                )
            with chosen.out.open("w", encoding="utf-8", newline="\n") as file:
                return export_json(connection, network.id, file, target, _counted(moving))

    count = _with_store(settings, lambda store: store.read(write))
    print(f"{count:,} messages written to {chosen.out}")
    return DONE


def backup(words: list[str], option: Path | None) -> int:
    """A copy of the SQLite database as a new file; the bouncer may run meanwhile."""
    parser = Parser(
        prog="bouncer history backup",
        description="Copy the SQLite database to a new file, while serving. Keep secrets.key, "
        "which opens the passwords in it, in another place.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    chosen = parser.parse_args(words)
    size = _with_store(_settings(option), lambda store: store.backup(str(chosen.file)))
    print(f"{chosen.file}: {size:,} bytes")
    return DONE


def _settings(option: Path | None) -> Config:
    try:
        settings = config.load(option)
    except config.ConfigError as error:
        raise Exit(WRONG_USE, str(error)) from None
    logs.set_up("console", quiet=True)
    return settings


T = TypeVar("T")


def _with_store(settings: Config, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(settings) as store:
            return await work(store)

    try:
        return trio.run(run)
    except StorageError as error:
        raise Exit(FAILED, str(error)) from None
    except OSError as error:
        raise Exit(FAILED, f"{error.filename}: {error.strerror}") from None


@contextmanager
def _bar() -> Iterator[Moving]:
    """A progress bar on stderr; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def moving(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        yield moving


def _counted(moving: Moving) -> Callable[[int], None]:
    return lambda count: moving(f"{count:,} messages", 0, 0)
