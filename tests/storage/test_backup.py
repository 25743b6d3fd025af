"""Copies are whole, moves lose nothing, and keys can be changed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
import trio
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from storage import accounts, belongings, messages, migrations, sealed, subscriptions
from storage.backup import move, seal_anew
from storage.engine import make_engines
from storage.errors import AlreadyThere, StorageError
from storage.imports import add_older
from storage.opening import count_sealed
from storage.records import Agent, Channel, Network, Staff, Subscription, User
from storage.search import search
from storage.store import Store, open_store
from storage.vault import Vault, add_key, drop_old_keys, load_key, new_key
from tests.storage import noted
from tests.storage.model import add_network, said


async def fill(store: Store) -> int:
    network = await add_network(store)
    await store.run(accounts.put_channel, Channel(network, "#ops", key="k", detached=True))
    await store.run(accounts.put_client, network, "phone", 7)
    await store.run(accounts.put_marker, network, "#ops", 9)
    await store.run(accounts.add_agent, Agent("one", "a.example", "key"))
    await store.run(accounts.add_staff, Staff("alice", nicks=(("libera", "alice"),)))
    await store.append([said(store, network, f"line {n}", n, msgid=f"i{n}") for n in range(1200)])
    return network


async def everything(store: Store, network: int) -> list[object]:
    return [
        await store.read(accounts.list_users),
        await store.read(accounts.list_networks),
        await store.read(accounts.list_channels, network),
        await store.read(accounts.list_clients, network),
        await store.read(noted.markers, network),
        await store.read(accounts.list_agents),
        await store.read(accounts.list_staff),
        await store.read(messages.since, network, 0, 10_000),
    ]


async def test_a_backup_while_serving_is_whole(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    async with open_store(sqlite_url) as store:
        network = await fill(store)
        before = await everything(store, network)
        async with trio.open_nursery() as nursery:

            async def talk() -> None:
                while True:
                    await store.append([said(store, network, "more", 5000)])

            nursery.start_soon(talk)
            assert await store.backup(str(target)) > 0
            nursery.cancel_scope.cancel()
        with pytest.raises(AlreadyThere, match="exists"):
            await store.backup(str(target))
        with pytest.raises(
            StorageError, match=r"the backup .* failed: No such file or directory: "
        ):
            await store.backup(str(tmp_path / "nowhere" / "copy.db"))
    assert target.stat().st_mode & 0o777 == 0o600
    async with open_store(f"sqlite:///{target}") as copy:
        after = await everything(copy, network)
        assert after[:-1] == before[:-1]
        rows = after[-1]
        assert isinstance(rows, list)
        assert rows[:1200] == before[-1]
        assert await copy.read(search, network, "1199") == [rows[1199]]


async def test_a_move_to_postgresql_and_back(
    sqlite_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    key = Fernet.generate_key()
    async with open_store(sqlite_url, key=key) as store:
        network = await fill(store)
        before = await everything(store, network)
    seen: list[tuple[str, int, int]] = []
    back = f"sqlite:///{tmp_path}/back.db"
    for old, new in ((sqlite_url, postgresql_url), (postgresql_url, back)):
        moved = await trio.to_thread.run_sync(move, old, new, lambda *step: seen.append(step))
        assert moved == 1200
        async with open_store(new, key=key) as store:
            assert await everything(store, network) == before
            assert len(await store.read(search, network, "line")) == 100
    assert ("messages", 1200, 1200) in seen
    async with open_store(postgresql_url, key=key) as store:
        assert (await store.run(accounts.add_user, User(name="bob"))).id > 1
        first = said(store, network, "new", 9999)
        assert await store.append([first])
    with pytest.raises(AlreadyThere, match="not empty"):
        await trio.to_thread.run_sync(move, sqlite_url, postgresql_url)


MOVER = "import sys; from storage.backup import move; move(*sys.argv[1:])"


async def test_a_move_that_is_killed_has_moved_nothing_and_can_begin_again(
    sqlite_url: str, postgresql_url: str
) -> None:
    async with open_store(sqlite_url) as store:
        network = await fill(store)
        before = await everything(store, network)
    engines = make_engines(postgresql_url, Vault(None))
    with engines.writing.begin() as connection:
        migrations.upgrade(connection)
    engines.dispose()
    with psycopg.connect(postgresql_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE messages IN EXCLUSIVE MODE")
        async with trio.open_nursery() as nursery:
            words = [sys.executable, "-c", MOVER, sqlite_url, postgresql_url]
            quiet = partial(trio.run_process, words, stderr=subprocess.DEVNULL, check=False)
            mover = await nursery.start(quiet)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while other.execute(waiting).fetchone() == (0,):
                assert mover.poll() is None, "it has come to the messages"
                await trio.sleep(0.01)
            mover.kill()
    assert await trio.to_thread.run_sync(move, sqlite_url, postgresql_url) == 1200
    async with open_store(postgresql_url) as store:
        assert await everything(store, network) == before


async def test_what_a_removed_network_leaves_does_not_show_up_in_the_next(
    sqlite_url: str, postgresql_url: str
) -> None:
    """Numbers of networks and conversations begin anew in the new database."""
    async with open_store(sqlite_url) as store:
        mine = await add_network(store, "mine")
        theirs = await add_network(store, "theirs", "bob")
        await store.append([said(store, theirs, "between us", 1)])
        await store.append([said(store, mine, "hello", 2, "#dev")])
        await store.run(accounts.remove_network, theirs)
    assert await trio.to_thread.run_sync(move, sqlite_url, postgresql_url) == 1
    async with open_store(postgresql_url) as store:
        network = await add_network(store, "another", "bob")
        row = said(store, network, "mine alone", 3)
        await store.append([row])
        assert await store.read(messages.since, network, 0, 10) == [row]
        assert await store.read(search, network, "between") == []


async def test_what_postgresql_cannot_hold_stops_no_move(
    sqlite_url: str, postgresql_url: str
) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        await store.append([said(store, network, "nul \0inside", 1)])
    assert await trio.to_thread.run_sync(move, sqlite_url, postgresql_url) == 1
    async with open_store(postgresql_url) as store:
        (row,) = await store.read(messages.since, network, 0, 10)
        assert row.text == "nul inside"


async def test_a_copy_takes_the_index_of_what_came_later_for_another(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Restored, it may give the same numbers to other messages: to those of an import."""
    path, copy = tmp_path / "muster.db", tmp_path / "copy.db"
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        await store.backup(str(copy))
        row = said(store, network, "here before", 1)
        await store.run(add_older, [row], "import/a", "1")
        await store.catch_up()
    copy.rename(path)
    async with open_store(sqlite_url) as store:
        row = said(store, network, "now another", 1)
        await store.run(add_older, [row], "import/b", "1")
        (found,) = await store.read(search, network, "another")
        assert found.text == "now another"


async def test_a_key_is_rotated(url: str, tmp_path: Path) -> None:
    def stored(connection: Connection) -> str:
        return str(connection.execute(text("SELECT password FROM networks")).scalar_one())

    async with open_store(url) as store:
        alice = await store.run(accounts.add_user, User(name="alice"))
        given = Network(alice.id, "n", "ircs://n", password="hunter2")
        network = await store.run(accounts.add_network, given)
        assert await store.read(stored) == "plain:hunter2"
    path = tmp_path / "secret.key"
    old = load_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == old
    async with open_store(url, key=old) as store:
        assert await store.read(accounts.list_networks) == [network]
        assert await store.run(seal_anew) == 1
        assert "hunter2" not in await store.read(stored)
    async with open_store(url, key=add_key(path)) as store:
        assert await store.read(accounts.list_networks) == [network], "interrupted here it opens"
        assert await store.run(seal_anew) == 1
    new = drop_old_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(new.split()) == 1
    async with open_store(url, key=new) as store:
        assert await store.read(accounts.list_networks) == [network]
    async with open_store(url, key=old) as store:
        with pytest.raises(StorageError, match="does not open"):
            await store.read(accounts.list_networks)


async def test_what_a_lost_key_sealed_is_counted_and_given_up(url: str, tmp_path: Path) -> None:
    assert count_sealed(url) == 0
    path = tmp_path / "secret.key"
    async with open_store(url, key=load_key(path)) as store:
        alice = await store.run(accounts.add_user, User(name="alice"))
        given = Network(alice.id, "n", "ircs://n", password="hunter2", connect_commands=("AWAY",))
        network = await store.run(accounts.add_network, given)
        await store.run(accounts.put_channel, Channel(network.id, "#ops", key="k", detached=True))
        subscription = Subscription(network.id, "https://push", "p", "a")
        await store.run(subscriptions.put, subscription)
        await store.read(sealed.check)
        assert await store.run(sealed.forget) == []
    assert count_sealed(url) == 4
    async with open_store(url, key=new_key()) as store:
        with pytest.raises(StorageError, match="does not open"):
            await store.read(sealed.check)
        assert sorted(await store.run(sealed.forget)) == [
            ("alice", "n", "a channel's key"),
            ("alice", "n", "a push subscription"),
            ("alice", "n", "connect commands"),
            ("alice", "n", "server password"),
        ]
        assert await store.read(accounts.list_networks) == [
            replace(network, password="", connect_commands=())
        ]
        (channel,) = await store.read(accounts.list_channels, network.id)
        assert (channel.key, channel.detached) == ("", True)
        assert (await store.read(belongings.of_user, alice.id))[0].subscriptions == ()
    assert count_sealed(url) == 0


def test_to_count_what_is_sealed_makes_no_database(tmp_path: Path) -> None:
    assert count_sealed(f"sqlite:///{tmp_path}/muster.db") == 0
    assert list(tmp_path.iterdir()) == []
