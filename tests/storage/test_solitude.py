"""One bouncer alone works on a server's database, whatever becomes of its connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import trio

from storage import accounts, solitude
from storage.backup import move
from storage.errors import NotWritten, OutOfReach, Taken
from storage.records import User
from storage.store import open_store
from storage.trouble import Cause
from tests.real.process import until
from tests.storage.model import add_network, kept, said, until_well

LOCK = "SELECT pg_advisory_lock(%s)"
WRITERS = (  # whose sessions they are
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solitude, "HANDOVER_S", 0.1)


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


class Rival(threading.Thread):
    """The spare machine: it has the lock in the moment in which nobody else has."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._connection = psycopg.connect(plain(url), autocommit=True)
        self.pid = self._connection.info.backend_pid
        self.serves = False
        self.start()

    def run(self) -> None:
        with suppress(psycopg.Error):  # it was told to give up
            self._connection.execute(LOCK, (solitude._SERVING,))
            self.serves = True

    def end(self) -> None:
        self._connection.cancel()
        self.join()
        self._connection.close()


@contextmanager
def rival(url: str) -> Iterator[Rival]:
    waiting = Rival(url)
    query = "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype = 'advisory'"
    try:
        with psycopg.connect(plain(url), autocommit=True) as looking:
            while looking.execute(query, (waiting.pid,)).fetchone() != (1,):
                pass
        yield waiting
    finally:
        waiting.end()


def end_session(url: str) -> None:
    """End that of whoever serves, as a server does that is started again."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        assert connection.execute(WRITERS).fetchall() == [(True,)]


def wait_for_a_try(holder: psycopg.Connection) -> None:
    """Until somebody has waited for what `holder` has locked, and given up."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'meta'::regclass"
    until_s = time.monotonic() + 30
    for is_waited_for in (True, False):
        while bool(holder.execute(waiting).fetchone()) is not is_waited_for:
            assert time.monotonic() < until_s, "nobody tries any more"


async def test_one_alone_serves_from_a_server(postgresql_url: str) -> None:
    """As where somebody starts the spare machine, and the first one still serves."""
    async with open_store(postgresql_url) as second:
        async with open_store(postgresql_url) as first:
            await first.be_alone()
            with pytest.raises(OutOfReach, match="another bouncer, or an import, works on"):
                await second.be_alone()
            assert await second.read(accounts.list_users) == [], "to look is allowed"
        await second.be_alone()


async def test_it_is_alone_again_after_the_server_has_ended_its_session(
    postgresql_url: str,
) -> None:
    """Also where nobody says anything, and so nothing is written."""
    async with open_store(postgresql_url) as first, open_store(postgresql_url) as second:
        await first.be_alone()
        heard: list[object] = []
        first.on_trouble(heard.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.stay_alone)
            end_session(postgresql_url)
            await until(lambda: len(heard) > 1, 30, "the loss is noticed, and mended")
            await until_well(first)
            with pytest.raises(OutOfReach):
                await second.be_alone()
            nursery.cancel_scope.cancel()
        assert await first.append([said(first, await add_network(first), "on we go", 1)])


async def test_who_was_replaced_while_its_session_was_gone_keeps_nothing(
    postgresql_url: str,
) -> None:
    async with open_store(postgresql_url) as first, open_store(postgresql_url) as second:
        await first.be_alone()
        network = await add_network(first)
        with rival(postgresql_url) as spare:
            end_session(postgresql_url)
            await until(lambda: spare.serves, 30, "the spare machine has taken over")
            assert not await first.append([said(first, network, "lost", 1)])
            await until(
                lambda: first.trouble is not None and first.trouble.cause is Cause.TAKEN,
                30,
                "the first one has seen that",
            )
            with pytest.raises(NotWritten, match="is served by another bouncer now"):
                await first.run(accounts.add_user, User("carol"))
            with pytest.raises(Taken, match="is served by another bouncer now"):
                await first.stay_alone()
            assert await kept(second, network) == []


async def test_trouble_that_the_session_outlives_lets_nobody_in(postgresql_url: str) -> None:
    """As a table that is locked while a spare machine brings it up to date."""
    async with open_store(postgresql_url) as first:
        await first.be_alone()
        network = await add_network(first)
        rows = [said(first, network, f"line {n}", n) for n in range(2)]
        with rival(postgresql_url) as spare:
            with psycopg.connect(plain(postgresql_url)) as other:
                other.execute("LOCK TABLE messages, meta IN SHARE MODE")
                assert not await first.append(rows)
                for _ in range(2):  # attempts to open it anew
                    await trio.to_thread.run_sync(wait_for_a_try, other)
                other.rollback()
            await until_well(first)
            assert await kept(first, network) == rows
            assert not spare.serves


class Wire:
    """Between client and server: the client's end can be lost without a word to the server's."""

    def __init__(self, folder: Path, server: str) -> None:
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self.ends: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._server)
                self.ends.append((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, drain: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                drain.sendall(data)

    def cut(self) -> None:
        for near, _ in self.ends:
            near.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        for pair in self.ends:
            for end in pair:
                end.close()


async def test_a_session_of_ours_that_the_server_still_has_is_in_nobodys_way(
    postgresql_url: str, tmp_path: Path
) -> None:
    """As where a firewall forgets a connection: the server has it for a minute."""
    base, _, folder = postgresql_url.partition("?host=")
    wire = Wire(tmp_path, f"{folder}/.s.PGSQL.5432")
    try:
        async with open_store(f"{base}?host={tmp_path}") as store:
            await store.be_alone()
            network = await add_network(store)
            wire.cut()
            rows = [said(store, network, "line", 1)]
            assert not await store.append(rows)
            await until_well(store)
            assert await kept(store, network) == rows
    finally:
        wire.close()


async def test_nothing_is_moved_from_where_a_bouncer_serves_or_to_there(
    postgresql_url: str, sqlite_url: str
) -> None:
    async with open_store(sqlite_url) as store:
        await add_network(store)
    async with open_store(postgresql_url) as store:
        await store.be_alone()
        for old, new in ((sqlite_url, postgresql_url), (postgresql_url, f"{sqlite_url}2")):
            with pytest.raises(OutOfReach, match="another bouncer, or an import, works on"):
                await trio.to_thread.run_sync(move, old, new)
