"""Web Push subscriptions: kept sealed, bounded for each user, gone with their network."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from storage import accounts, subscriptions
from storage.errors import AlreadyThere
from storage.records import Network, Subscription, User
from storage.store import Store, open_store
from tests.storage import noted


async def test_they_are_bounded_and_go_with_their_network(store: Store) -> None:
    alice = await store.run(accounts.add_user, User(name="alice"))
    network = await store.run(accounts.add_network, Network(alice.id, "n", "ircs://n"))
    given = Subscription(network.id, "https://push.example.net/x", "p", "secret", caps=("batch",))
    kept = await store.run(subscriptions.put, given)
    assert await store.read(noted.subscriptions, network.id) == [kept]
    other = await store.run(accounts.add_network, Network(alice.id, "m", "ircs://m"))
    for number in range(subscriptions.MOST - 1):  # of one user, over all networks
        more = Subscription(other.id, f"https://push.example.net/{number}", "p", "s")
        await store.run(subscriptions.put, more)
    with pytest.raises(AlreadyThere):
        await store.run(subscriptions.put, Subscription(other.id, "https://x.example", "p", "s"))
    again = await store.run(subscriptions.put, given)
    await store.run(subscriptions.expire, kept)  # it was another one
    assert await store.read(noted.subscriptions, network.id) == [again]
    await store.run(accounts.remove_network, network.id)
    assert await store.read(noted.subscriptions, network.id) == []


async def test_their_secrets_are_sealed(url: str) -> None:
    async with open_store(url, key=Fernet.generate_key()) as store:
        alice = await store.run(accounts.add_user, User(name="alice"))
        network = await store.run(accounts.add_network, Network(alice.id, "n", "ircs://n"))
        await store.run(subscriptions.put, Subscription(network.id, "https://x", "p", "secret"))
        stored = await store.read(
            lambda c: c.execute(text("SELECT auth FROM subscriptions")).scalar_one()
        )
        assert stored.startswith("fernet:")
