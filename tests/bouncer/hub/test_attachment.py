"""How many clients a user may have, at once and by name, and when each was seen."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import trio
from trio.testing import memory_stream_pair

from bouncer.connections import downstream
from bouncer.hub import keeping
from bouncer.hub.attachment import MAX_CLIENTS
from storage import accounts
from storage.accounts import MAX_CLIENT_NAMES
from storage.records import Certificate, User
from storage.store import open_store
from tests.complaints.venue import (
    PASSWORD,
    PATIENCE_S,
    Cable,
    Client,
    running_bouncer,
    running_network,
    until,
)
from tests.storage.test_messages import a_network, said

SHOWN = "ab" * 32


async def test_who_has_too_many_clients_is_told(tmp_path: Path) -> None:
    """Each may have a full outbox, in memory. The others stay, and one that ends makes room."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        clients = [await muster.client(f"alice/net@c{number}") for number in range(MAX_CLIENTS)]
        refused = muster.stranger()
        await refused.says(f"PASS alice/net:{PASSWORD}", "NICK me", "USER u 0 * :u")
        await refused.read(upto=f"ERROR :{MAX_CLIENTS} clients of yours are attached")
        await muster.gone(clients.pop())
        clients.append(await muster.client("alice/net@another"))
        await network.bob("hello")
        for client in clients:
            await client.hears("hello")


async def test_names_are_bounded_and_who_lags_behind_most_is_forgotten(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'muster.db'}") as store:
        network = await a_network(store)
        await store.append([said(store, network, "hello", 1)])
        for name in ("", *(f"c{number}" for number in range(MAX_CLIENT_NAMES))):
            record = await keeping.client_record(store, network, name)
            if name != "c7":
                await store.run(accounts.put_delivered, [(record.id, store.last_id, 1)])
        await keeping.client_record(store, network, "c7")
        await keeping.client_record(store, network, "one more")
        names = {each.name for each in await store.read(accounts.list_clients, network)}
        assert len(names) == MAX_CLIENT_NAMES + 1, "and those without a name, who share one"
        assert {"", "c0", "one more"} <= names
        assert "c7" not in names


async def test_what_is_confirmed_is_remembered_no_longer_than_needed(tmp_path: Path) -> None:
    """A client may come under another name each time."""
    async with open_store(f"sqlite:///{tmp_path / 'muster.db'}") as store:
        network = await a_network(store)
        cursors = keeping.Cursors(store)
        stale = await keeping.client_record(store, network, "phone")
        for number in (3, 7, 5):
            cursors.move(stale.id, number)
        await cursors.save()
        assert cursors.of(stale) == 7, "it was read before, and is asked for now"
        await cursors.save()
        assert not cursors._confirmed
        fresh = await keeping.client_record(store, network, "phone")
        cursors.move(fresh.id, 6)
        assert cursors.of(fresh) == 7
        await cursors.save()
        assert cursors.of(await keeping.client_record(store, network, "phone")) == 7


async def test_when_a_client_was_seen_is_kept_as_it_comes_and_goes(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        store, network_id = muster.bouncer.store, muster.session.network.id

        async def seen_after(name: str, before_ms: int) -> int:
            """When it was, once that is kept."""
            with trio.fail_after(PATIENCE_S):
                while True:
                    record = await store.read(accounts.get_client, network_id, name)
                    if record is not None and record.seen_ms > before_ms:
                        assert record.seen_ms <= time.time() * 1000
                        return record.seen_ms

        begun_ms = int(time.time() * 1000) - 1
        phone = await muster.client("alice/net@phone")
        came_ms = await seen_after("phone", begun_ms)
        await muster.gone(phone)
        left_ms = await seen_after("phone", came_ms)
        await muster.client("alice/net@desktop")
        came_ms = await seen_after("desktop", left_ms)
        await until(lambda: time.time() * 1000 >= came_ms + 1)
        await muster.term()
        await seen_after("desktop", came_ms)  # the end of the bouncer is one for it, too
        assert await seen_after("phone", 0) == left_ms


async def test_who_shows_a_certificate_takes_it_over(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        store = muster.bouncer.store
        bob = await store.run(accounts.add_user, User("bob"))
        await store.run(accounts.add_certificate, Certificate(bob.id, SHOWN))
        wish = f"PRIVMSG BouncerServ :certfp add {SHOWN}"
        elsewhere = await muster.client()
        await elsewhere.says(wish)
        await elsewhere.hears("another user has named this certificate already")
        near, far = memory_stream_pair()
        client = Client(near, Cable(far))
        async with trio.open_nursery() as nursery:
            serve = partial(downstream.serve, peer="192.0.2.1", fingerprint=SHOWN)
            nursery.start_soon(serve, client.cable, muster.door)
            nursery.start_soon(client.read)
            await client.says(f"PASS alice/net:{PASSWORD}", "NICK me", "USER u 0 * :u")
            await client.hears(" 001 ")
            await client.says(wish)
            await client.hears("alice may log in with certificate abababababababab…, and bob no")
            assert (await store.read(accounts.user_by_certificate, SHOWN)) == muster.hub.user
            await client.says("QUIT")
