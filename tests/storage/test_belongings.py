"""What hubs begin with, read at once for everybody."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, event

from storage import accounts, belongings, ignored, subscriptions
from storage.belongings import Belongings
from storage.errors import StorageError
from storage.records import Channel, Network, Subscription, User
from storage.store import Store, open_store
from tests.storage import noted


def furnish(connection: Connection, name: str) -> None:
    """A user with two networks: one with all there is, one with nothing."""
    user = accounts.add_user(connection, User(name))
    full = Network(user.id, "full", "ircs://n", password="secret", connect_commands=("MODE a",))
    full = accounts.add_network(connection, full)
    accounts.add_network(connection, Network(user.id, "bare", "ircs://m"))
    accounts.put_channel(connection, Channel(full.id, "#ops", key=name))
    accounts.put_channel(connection, Channel(full.id, "#away", enabled=False))
    accounts.put_marker(connection, full.id, "#ops", 50)
    accounts.put_mark(connection, full.id, "#ops", "pinned", "1")
    for mask in ("troll!*@*", "bore!*@*"):
        ignored.add(connection, full.id, mask)
    given = Subscription(full.id, f"https://push.example.net/{name}", "p", "secret")
    subscriptions.put(connection, given)


async def test_each_user_is_given_what_is_theirs(store: Store) -> None:
    await store.run(accounts.add_user, User("Zoe"))
    for name in ("carol", "Bob"):
        await store.run(furnish, name)
    everybody = await store.read(belongings.of_everybody)
    assert [user for user, _ in everybody] == await store.read(accounts.list_users)
    assert [(user.name, len(theirs)) for user, theirs in everybody] == [
        ("Bob", 2),
        ("carol", 2),
        ("Zoe", 0),
    ]
    for user, theirs in everybody:
        assert await store.read(belongings.of_user, user.id) == theirs
        assert [each.network for each in theirs] == await store.read(
            accounts.list_networks, user.id
        )
    full, bare = everybody[0][1]
    assert full == Belongings(
        full.network,
        tuple(await store.read(accounts.list_channels, full.network.id)),
        {"#ops": 50},
        {("#ops", "pinned"): "1"},
        ("bore!*@*", "troll!*@*"),
        tuple(await store.read(noted.subscriptions, full.network.id)),
    )
    assert [channel.key for channel in full.channels] == ["Bob", ""]
    assert full.network.password == "secret"
    assert bare == Belongings(bare.network, (), {}, {}, (), ())


async def test_many_users_take_no_more_statements_than_one(store: Store) -> None:
    counted: list[str] = []

    @event.listens_for(store._engines.reading, "before_cursor_execute")
    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    await store.run(furnish, "alice")
    assert len(await store.read(belongings.of_everybody)) == 1
    of_one, counted[:] = list(counted), []
    for number in range(9):
        await store.run(furnish, f"user{number}")
    assert len(await store.read(belongings.of_everybody)) == 10
    assert counted == of_one


async def test_another_key_is_told_of(url: str) -> None:
    async with open_store(url, key=Fernet.generate_key()) as store:
        await store.run(furnish, "alice")
    async with open_store(url, key=Fernet.generate_key()) as store:
        with pytest.raises(StorageError, match="the key file does not open the stored passwords"):
            await store.read(belongings.of_everybody)
