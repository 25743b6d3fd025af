"""`bouncer import`, `bouncer history export`, `backup`, `move` and `rekey`: history moving in and
out, to another database, and under another key."""

from __future__ import annotations

import json
import os
import pwd
import sys
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
from bouncer.alone import alone
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit
from bouncer.cli.direct import become_owner, ours, reach
from bouncer.cli.serve import Parser
from bouncer.config import Config
from bouncer.database import KEY_FILE, key_of, open_database
from bouncer.export import export_json, export_text, find_conversation
from bouncer.importers.logfiles import Report
from bouncer.importers.soju import import_soju
from bouncer.importers.znc import import_znc
from storage import accounts, sealed
from storage import backup as database_copy
from storage.engine import parse_url
from storage.errors import NotWritten, StorageError
from storage.store import Store, open_store
from storage.vault import add_key, drop_old_keys, load_key

Moving = Callable[[str, int, int], None]  # what, done, in all


def import_(words: list[str], option: Path | None) -> int:
    """Users, networks, channels and logs of another bouncer. Repeating it brings what is new."""
    parser = Parser(
        prog="bouncer import",
        description="Bring users, networks, channels and logs from another bouncer. It can be "
        "interrupted and repeated: nothing comes twice. The bouncer must not run meanwhile.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="znc|soju", required=True)
    znc = kinds.add_parser(
        "znc",
        help="a ZNC directory, as ~/.znc",
        description="Users, networks and channels of znc.conf, what the log module has written, "
        "and what savebuff has kept beside it. Notes at the end say what did not come.",
    )
    znc.add_argument("place", metavar="DIR", type=Path, help="as ~/.znc or /var/lib/znc")
    znc.add_argument(
        "--savebuff-password-stdin",
        action="store_true",
        help="read the password of savebuff's buffers, where it was typed into ZNC",
    )
    soju = kinds.add_parser(
        "soju",
        help="a soju database file (SQLite)",
        description="Users, networks, channels, messages, and how far each client has read, so "
        "that it goes on there. Notes at the end say what did not come.",
    )
    soju.add_argument("place", metavar="FILE", type=Path, help="as /var/lib/soju/main.db")
    soju.add_argument("--logs", metavar="DIR", type=Path, help="its message store, if it is `fs`")
    chosen = parser.parse_args(words)
    settings = _settings(option)
    _stopped(settings, "stop it, import, start it")

    typed = chosen.kind == "znc" and chosen.savebuff_password_stdin
    password = sys.stdin.readline().rstrip("\r\n") if typed else ""

    async def bring(store: Store) -> Report:
        await store.be_alone()
        try:
            with _bar() as moving:
                if chosen.kind == "znc":
                    return await import_znc(store, chosen.place, moving, password)
                return await import_soju(store, chosen.place, moving, chosen.logs)
        except NotWritten as error:
            raise StorageError(
                f"the import is not complete: {error.why}. What came in is kept; repeated, it goes "
                "on from there"
            ) from error

    with _told(), _alone(settings):
        report = _with_store(settings, bring)
    print(
        f"{report.users} users, {report.networks} networks, {report.channels} channels, "
        f"{report.clients} clients and {report.messages:,} messages came in"
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
    parser.add_argument("user", metavar="USER", help="whose history")
    parser.add_argument("network", metavar="NETWORK", help="of which of their networks")
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", default="", help="one channel or person alone"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--out", metavar="PATH", type=Path, required=True, help="a folder for text, a file for json"
    )
    chosen = parser.parse_args(words)
    settings = _settings(option)
    _must_exist(settings.database.url)

    def write(connection: Connection) -> int:
        user = accounts.get_user(connection, chosen.user)
        network = accounts.get_network(connection, user.id, chosen.network)
        target = chosen.target and find_conversation(connection, network.id, chosen.target)
        with _bar() as moving, _whole(chosen.out):
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
    parser.add_argument("file", metavar="FILE", type=Path, help="a new file; none is written over")
    chosen = parser.parse_args(words)
    settings = _settings(option)
    _must_exist(settings.database.url)
    size = _with_store(settings, lambda store: store.backup(str(chosen.file)))
    print(f"{chosen.file}: {size:,} bytes")
    return DONE


def move(words: list[str], option: Path | None) -> int:
    """Everything into another, empty database. All or nothing; the old one is left as it is."""
    parser = Parser(
        prog="bouncer history move",
        description="Copy everything (users, networks, people, voters, history) to another, empty "
        "database: from SQLite to PostgreSQL, or back. All of it or nothing; the old database "
        "stays as it is. The bouncer must not run meanwhile.",
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="as postgresql://muster@/muster?host=/run/postgresql, or sqlite:////srv/muster.db; "
        "a password belongs into a file that it names: ?passfile=FILE",
    )
    chosen = parser.parse_args(words)
    settings = _settings(option)
    _stopped(settings, "stop it, move, start it with the new database")
    become_owner(settings.data_dir)
    old = settings.database.url
    _must_exist(old)
    with _told(), _alone(settings):
        new = _full(chosen.url)
        if new == parse_url(old).render_as_string(hide_password=False):
            raise Exit(WRONG_USE, "that is the database that is in use; name another")
        with _bar() as moving:
            count = database_copy.move(old, new, moving)
    print(f"{count:,} messages, and all that belongs to them, are in the new database.")
    print(f"To serve from it, write into {settings.source or 'bouncer.toml'}:")
    print(f"  [database]\n  url = {json.dumps(new)}")
    print(f"{KEY_FILE} in {settings.data_dir} still opens its passwords: keep it there.")
    print(f"Remove the old one ({_shown(old)}) once the new one serves.")
    return DONE


def rekey(words: list[str], option: Path | None) -> int:
    """A new key for the stored secrets. Interrupted anywhere, the key file opens all of them; the
    next call goes on."""
    parser = Parser(
        prog="bouncer history rekey",
        description=f"Make a new {KEY_FILE} and seal every stored password with it. It can be "
        "interrupted and repeated: the file opens everything at any moment. The bouncer must not "
        "run meanwhile.",
    )
    parser.add_argument(
        "--forget",
        action="store_true",
        help="the key is lost: empty what it alone opens (passwords, certificates, keys of "
        "channels), and say what that was",
    )
    chosen = parser.parse_args(words)
    settings = _settings(option)
    _stopped(settings, "stop it, change the key, start it")
    become_owner(settings.data_dir)
    _must_exist(settings.database.url)
    path = settings.data_dir / KEY_FILE

    async def seal(store: Store) -> int:
        await store.be_alone()
        count = await store.run(database_copy.seal_anew)
        await store.read(sealed.check)
        return count

    with _told(), _alone(settings):
        if chosen.forget:
            _forget(settings)
        if len(key_of(settings).split()) < 2:  # else one was interrupted, and this call ends it
            _with_store(settings, lambda store: store.read(sealed.check))
            add_key(path)
        count = _with_store(settings, seal)
        drop_old_keys(path)
    print(f"{count:,} secrets are sealed with the new key in {path}.")
    print("Backups made before need the old key: keep your copy of it with them, and make a new")
    print("backup of both.")
    return DONE


def _forget(settings: Config) -> None:
    """Empty what the key file does not open, and say what."""
    path = settings.data_dir / KEY_FILE

    async def run() -> list[sealed.Given]:
        key = load_key(path) if path.exists() else None
        async with open_store(settings.database.url, key=key) as store:
            await store.be_alone()
            return await store.run(sealed.forget)

    reach(settings)
    for user, network, what in trio.run(run):
        print(f"forgotten: {what} of {user}'s network {network}")


def _stopped(settings: Config, what_to_do: str) -> None:
    if admin.answers(settings.admin_socket):
        raise Exit(FAILED, f"a bouncer is running on this database; {what_to_do}")


def _must_exist(url: str) -> None:
    """Of a SQLite file that is not there an empty one would be made: by root, it may be, who would
    lock the bouncer out of it."""
    place = parse_url(url)
    if place.get_backend_name() == "sqlite" and not Path(str(place.database)).exists():
        raise Exit(FAILED, f"there is no database {place.database}; is it the right --config?")


def _full(url: str) -> str:
    """As the configuration wants it: with its driver, a file with all of its path."""
    place = parse_url(url)
    if place.get_backend_name() == "sqlite":
        place = place.set(database=str(Path(str(place.database)).absolute()))
    return place.render_as_string(hide_password=False)


def _shown(url: str) -> str:
    return parse_url(url).render_as_string(hide_password=True)


def _settings(option: Path | None) -> Config:
    try:
        settings = config.load(option)
    except config.ConfigError as error:
        raise Exit(WRONG_USE, str(error)) from None
    logs.set_up("console", quiet=True)
    ours(settings.data_dir)
    return settings


T = TypeVar("T")


def _with_store(settings: Config, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(settings) as store:
            return await work(store)

    with _told():
        reach(settings)
        return trio.run(run)


@contextmanager
def _told() -> Iterator[None]:
    """What the database or the files refuse ends the command with its text."""
    try:
        yield
    except StorageError as error:
        raise Exit(FAILED, str(error)) from None
    except PermissionError as error:
        name = pwd.getpwuid(os.geteuid()).pw_name
        raise Exit(FAILED, f"{error.filename}: {error.strerror}; let {name} reach it") from None
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
        raise Exit(FAILED, said) from None


@contextmanager
def _alone(settings: Config) -> Iterator[None]:
    with alone(settings.data_dir) as lockless:
        if lockless:
            print(f"bouncer: warning: {lockless}", file=sys.stderr)
        yield


@contextmanager
def _whole(out: Path) -> Iterator[None]:
    """What ends the writing of a file tells no name, as a full disk: that it is cut is said."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise StorageError(f"{out} is not complete: {error.strerror}") from error


@contextmanager
def _bar() -> Iterator[Moving]:
    """A progress bar on stderr; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    unseen = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=unseen) as progress:
        task = progress.add_task("", total=None)

        def moving(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        yield moving


def _counted(moving: Moving) -> Callable[[int], None]:
    return lambda count: moving(f"{count:,} messages", 0, 0)
