"""Several open a database at the same moment, as at a first start with somebody who cannot wait."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from sqlalchemy import Connection

from storage import accounts
from storage.errors import OutOfReach
from storage.store import open_store
from tests.storage.model import add_network, said

MANY = 4
OPENER = """
import sys, trio
from storage import accounts
from storage.records import User
from storage.store import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.run(accounts.add_user, User(sys.argv[2]))

print("ready", flush=True)
sys.stdin.readline()
trio.run(main)
"""


async def test_all_of_them_can(url: str) -> None:
    pipe = subprocess.PIPE
    openers = []
    for n in range(MANY):
        words = [sys.executable, "-c", OPENER, url, f"user{n}"]
        openers.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True))  # noqa: ASYNC220
    for each in openers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in openers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in openers:
        _, errors = each.communicate(timeout=120)
        assert each.returncode == 0, errors
    async with open_store(url) as store:
        assert len(await store.read(accounts.list_users)) == MANY


@pytest.mark.parametrize(
    ("synchronous", "on_sqlite", "on_postgresql"), [("normal", 1, "off"), ("full", 2, "on")]
)
async def test_what_a_commit_survives_is_a_setting(
    synchronous: str, on_sqlite: int, on_postgresql: str, url: str
) -> None:
    """sqlite.org/pragma.html: 1 is NORMAL, 2 is FULL; PostgreSQL, 20.5 Write Ahead Log."""

    def told(connection: Connection) -> object:
        is_sqlite = connection.dialect.name == "sqlite"
        query = "PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit"
        return connection.exec_driver_sql(query).scalar()

    async with open_store(url, synchronous=synchronous) as store:
        assert await store.run(told) == (on_sqlite if url.startswith("sqlite") else on_postgresql)


async def test_nobody_else_can_read_what_is_kept(sqlite_url: str, tmp_path: Path) -> None:
    """Wherever it is laid: passwords' hashes are in it, and what people said. Who opens an old one
    to others may do so."""
    before = os.umask(0o022)
    try:
        for mode in (0o600, 0o640):
            async with open_store(sqlite_url) as store:
                network = await add_network(store, f"net{mode}")
                await store.append([said(store, network, "hello", 1)])
                await store.catch_up()
                modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
                assert set(modes.values()) == {mode}, modes
                assert len(modes) == 6, "the messages, the index, and what SQLite keeps beside them"
            for path in tmp_path.iterdir():
                path.chmod(0o640)
    finally:
        os.umask(before)


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """As one whose machine has died, and whose address somebody answers for. Once connected, the
    kernel is told how long to wait for a word."""
    with socket.create_server(("127.0.0.1", 0)) as dead:
        port = dead.getsockname()[1]
        began = trio.current_time()
        with pytest.raises(OutOfReach, match="cannot be reached"):
            async with open_store(f"postgresql://muster@127.0.0.1:{port}/muster"):
                pass
        assert trio.current_time() - began < 60  # by itself the driver waits for 130 s


async def test_a_session_notices_that_its_server_is_dead(postgresql_url: str) -> None:
    """Else a commit waits for as long as TCP tries: about a quarter of an hour."""

    def patience(connection: Connection) -> dict[str, str]:
        driver = connection.connection.driver_connection
        assert driver is not None
        known: dict[str, str] = driver.info.get_parameters()
        return known

    async with open_store(f"{postgresql_url}&keepalives_idle=7") as store:
        for find in (store.run, store.read):
            known = await find(patience)
            assert known["tcp_user_timeout"] == "10000"
            assert known["keepalives_idle"] == "7", "what the URL says counts more"


async def test_a_server_that_is_away_may_come_back() -> None:
    """The bouncer's unit tries again: it must not be given up for a fault of the configuration."""
    with pytest.raises(OutOfReach, match="cannot be reached"):
        async with open_store("postgresql://muster@/muster?host=/nowhere"):
            pass
