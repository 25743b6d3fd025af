"""Users, networks, channels, clients, agents and staff come back as they were given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from storage import accounts
from storage.errors import AlreadyThere, NotFound, StorageError
from storage.records import Agent, Certificate, Channel, Network, Staff, User
from storage.store import Store, open_store
from tests.storage import noted


async def test_a_user_is_added_found_changed_removed(store: Store) -> None:
    alice = await store.run(accounts.add_user, User(name="alice", password_hash="$argon2id$"))
    assert await store.read(accounts.get_user, "Alice") == alice
    with pytest.raises(AlreadyThere, match="there is already a user ALICE; `user set` changes it"):
        await store.run(accounts.add_user, User(name="ALICE"))
    changed = await store.run(lambda c: accounts.change_user(c, alice.id, admin=True))
    assert changed == replace(alice, admin=True)
    with pytest.raises(StorageError, match="a user has no shoe_size"):
        await store.run(lambda c: accounts.change_user(c, alice.id, shoe_size=1))
    assert await store.read(accounts.list_users) == [changed]
    await store.run(accounts.remove_user, alice.id)
    with pytest.raises(NotFound, match="there is no user alice; `user list` shows"):
        await store.read(accounts.get_user, "alice")


async def test_networks_and_channels_go_with_their_owner(store: Store) -> None:
    alice = await store.run(accounts.add_user, User(name="alice"))
    given = Network(alice.id, "libera", "ircs://irc.libera.chat", connect_commands=("MODE a +B",))
    network = await store.run(accounts.add_network, given)
    assert network == replace(given, id=network.id)
    assert await store.read(accounts.get_network, alice.id, "LIBERA") == network
    channel = await store.run(accounts.put_channel, Channel(network.id, "#Ops", key="k"))
    again = await store.run(accounts.put_channel, Channel(network.id, "#ops", detached=True))
    assert again.id == channel.id
    assert await store.read(accounts.list_channels, network.id) == [again]
    await store.run(accounts.remove_user, alice.id)
    assert await store.read(accounts.list_networks) == []
    assert await store.read(accounts.list_channels, network.id) == []
    with pytest.raises(NotFound):
        await store.run(accounts.add_network, given)


async def test_cursors_and_markers_never_move_back(store: Store) -> None:
    alice = await store.run(accounts.add_user, User(name="alice"))
    network = await store.run(accounts.add_network, Network(alice.id, "n", "ircs://n"))
    client = await store.run(accounts.put_client, network.id, "phone", 7)
    assert await store.run(accounts.put_client, network.id, "phone", 99) == client
    await store.run(accounts.put_delivered, [(client.id, 12, 400), (client.id, 9, 500)])
    found = await store.read(accounts.get_client, network.id, "phone")
    assert found is not None
    assert (found.delivered_id, found.seen_ms) == (12, 500)
    await store.run(accounts.put_delivered, [(client.id, 11, 600)])
    await store.run(accounts.put_delivered, [(client.id, 13, 450)])
    found = await store.read(accounts.get_client, network.id, "phone")
    assert found is not None
    assert (found.delivered_id, found.seen_ms) == (13, 600)
    assert await store.run(accounts.put_marker, network.id, "#ops", 50) == 50
    assert await store.run(accounts.put_marker, network.id, "#ops", 40) == 50
    assert await store.read(noted.markers, network.id) == {"#ops": 50}


async def test_agents_staff_certificates_and_single_values(store: Store) -> None:
    one = await store.run(accounts.add_agent, Agent("one", "a.example:6697", "key1"))
    two = await store.run(accounts.add_agent, Agent("two", "b.example:6697", "key2"))
    assert [one, two] == await store.read(accounts.list_agents)
    assert (one.position, two.position) == (1, 2)
    alice = Staff("alice", oncall=1, nicks=(("libera", "alice"),), keys=(("recovery", "h"),))
    alice = await store.run(accounts.add_staff, alice)
    assert await store.read(accounts.get_staff, "alice") == alice
    user = await store.run(accounts.add_user, User(name="alice"))
    await store.run(accounts.add_certificate, Certificate(user.id, "ab" * 32))
    assert await store.read(accounts.user_by_certificate, "ab" * 32) == user
    assert await store.read(accounts.user_by_certificate, "cd" * 32) is None
    await store.run(accounts.put_meta, "roster", "1")
    await store.run(accounts.put_meta, "roster", "2")
    assert await store.read(accounts.get_meta, "roster") == "2"


def _stored_password(connection: Connection) -> str:
    return str(connection.execute(text("SELECT sasl_password FROM networks")).scalar_one())


async def test_secrets_are_sealed_and_a_missing_key_is_told(url: str) -> None:
    key = Fernet.generate_key()
    async with open_store(url, key=key) as store:
        alice = await store.run(accounts.add_user, User(name="alice"))
        given = Network(alice.id, "n", "ircs://n", sasl_password="hunter2")
        network = await store.run(accounts.add_network, given)
        assert "hunter2" not in await store.read(_stored_password)
        assert await store.read(accounts.list_networks) == [network]
    async with open_store(url) as store:
        with pytest.raises(StorageError, match="no key file is given"):
            await store.read(accounts.list_networks)
    async with open_store(url, key=Fernet.generate_key()) as store:
        with pytest.raises(StorageError, match="put back the one they were sealed with"):
            await store.read(accounts.list_networks)


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def half(connection: Connection) -> None:
        accounts.add_user(connection, User(name="alice"))
        raise StorageError("no")

    with pytest.raises(StorageError, match="no"):
        await store.run(half)
    assert await store.read(accounts.list_users) == []
