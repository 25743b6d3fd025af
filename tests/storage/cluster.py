"""A PostgreSQL server of the tests' own: unix socket only, unprivileged, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The newest server's programs; None where none is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3])
    )
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


def _account() -> int | None:
    """Whom to run it as: the server refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return None


class Cluster:
    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets

    def url(self, database: str, *, driver: str = "+psycopg") -> str:
        return f"postgresql{driver}://muster@/{database}?host={self._sockets}"

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres", driver=""), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


@contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="muster-pg-"))
    try:
        if account is not None:
            os.chown(home, account, -1)
        data = home / "data"

        def run(program: str, *words: str) -> None:
            subprocess.run(
                [programs / program, *words],
                check=True,
                user=account,
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        run("initdb", "-A", "trust", "-U", "muster", "-E", "UTF8", "--no-sync", "-D", str(data))
        options = f"-c listen_addresses='' -c unix_socket_directories='{home}' -c fsync=off"
        log = str(home / "log")
        run("pg_ctl", "-D", str(data), "-l", log, "-w", "-o", options, "start")
        try:
            yield Cluster(home)
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
