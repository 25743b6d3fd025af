"""From a registration to what the phone reads, through a whole bouncer and a real push service.

Only the last step is the tests': names stand for addresses that a test names, and a connection to
one of them ends at the push service on this machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from bouncer.irc.wire import Message
from bouncer.push.pushing import WAITING, Pushes, Sender
from bouncer.push.webpush import VapidKey
from storage.records import Subscription
from tests.complaints.venue import (
    MODERN,
    Client,
    FakeNetwork,
    Muster,
    running_bouncer,
    running_network,
    until,
)
from tests.real.pushservice import Phone, PushService, outside, push_service
from tests.storage import noted

CAPS = (*MODERN, "soju.im/webpush", "draft/read-marker")
STOPS_WITHIN_S = 5.0


def sender(
    service: PushService, addresses: Callable[[str], list[str]] = lambda _host: ["9.9.9.9"]
) -> Sender:
    return Sender(
        VapidKey.generate(),
        "mailto:postmaster@muster.test",
        lambda: outside(service.port, addresses),
        lambda: service.trust,
    )


@asynccontextmanager
async def at_work(
    folder: Path, addresses: Callable[[str], list[str]] = lambda _host: ["9.9.9.9"]
) -> AsyncIterator[tuple[PushService, FakeNetwork, Muster]]:
    async with (
        push_service() as service,
        running_network() as network,
        running_bouncer(folder, network, sender=sender(service, addresses)) as muster,
    ):
        yield service, network, muster


async def registers(muster: Muster, *phones: Phone) -> Client:
    client = await muster.client("alice/net@phone", CAPS)
    for phone in phones:
        await client.says(phone.registers)
        await client.hears(f"WEBPUSH REGISTER {phone.endpoint}")
    return client


async def kept(muster: Muster) -> list[str]:
    network_id = muster.session.network.id
    found = await muster.store.read(noted.subscriptions, network_id)
    return [each.endpoint for each in found]


async def test_a_phone_that_is_away_reads_what_was_said_to_its_owner(tmp_path: Path) -> None:
    phone = Phone()
    async with at_work(tmp_path) as (service, network, muster):
        client = await registers(muster, phone)
        isupport = await client.hears(" VAPID=")
        await muster.vanish(client)
        await network.bob("nothing for you", "me: the switch is dead")
        pushed = await service.receives(1)
        message = Message.parse(phone.reads(pushed.body))
        assert message[:3] == ("PRIVMSG", ("#ops", "me: the switch is dead"), "bob!b@h")
        assert message.tags["msgid"]
        assert pushed.path == "/phone"
        assert pushed.headers["content-encoding"] == "aes128gcm"
        assert pushed.headers["ttl"].isdecimal()
        assert pushed.headers["urgency"] == "high"
        assert f"VAPID={pushed.signer()}" in isupport.split()
        laptop = await muster.client("alice/net@laptop", CAPS)
        await laptop.says("MARKREAD #ops timestamp=9999-01-01T00:00:00.000Z")
        pushed = await service.receives(2)
        assert phone.reads(pushed.body).startswith(":muster.test MARKREAD #ops timestamp=")


async def test_a_subscription_outlives_the_bouncer(tmp_path: Path) -> None:
    async with push_service() as service, running_network() as network:
        async with running_bouncer(tmp_path, network, sender=sender(service)) as muster:
            await registers(muster, Phone())
        async with running_bouncer(tmp_path, network, sender=sender(service)):
            await network.says(":bob!b@h PRIVMSG me :psst")
            await service.receives(1)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_no_more_is_removed(tmp_path: Path, status: int) -> None:
    """RFC 8030 section 7.3: "A push service MUST return a 404 (Not Found) status code if an
    application server attempts to send a push message to an expired push message subscription." """
    async with at_work(tmp_path) as (service, network, muster):
        service.statuses = [status]
        await registers(muster, Phone())
        await network.says(":bob!b@h PRIVMSG me :psst")
        await service.receives(1)
        await until(lambda: not muster.session.webpush.wanted)
        assert await kept(muster) == []


async def test_a_stalled_push_service_slows_nobody(tmp_path: Path) -> None:
    """Nor its own lines: the newest wait for it, and it is given up when the bouncer stops."""
    async with at_work(tmp_path) as (service, network, muster):
        service.silent = True
        client = await registers(muster, Phone("stalled"))
        await network.says(":bob!b@h PRIVMSG me :first")
        await service.receives(1)
        await network.says(*(f":bob!b@h PRIVMSG me :{n}" for n in range(2 * WAITING)))
        await client.hears(f":{2 * WAITING - 1}")
        (waiting,) = muster.hub._pushes._waiting.values()
        assert [line.rpartition(":")[2] for line in waiting] == [
            str(n) for n in range(WAITING, 2 * WAITING)
        ]
        service.silent = False  # to others it answers
        other = Phone("other")
        await client.says(other.registers)
        await client.hears(f"WEBPUSH REGISTER {other.endpoint}")
        await network.says(":bob!b@h PRIVMSG me :last")
        assert (await service.receives(2)).path == "/other"
        with trio.fail_after(STOPS_WITHIN_S):
            await muster.term()


async def test_a_name_that_turns_inwards_is_refused(tmp_path: Path) -> None:
    """DNS rebinding: whatever a name stood for, what it stands for now is checked."""
    names = {"addresses": ["9.9.9.9"]}
    async with at_work(tmp_path, lambda _host: names["addresses"]) as (service, network, muster):
        client = await registers(muster, Phone())
        await network.says(":bob!b@h PRIVMSG me :one")
        await service.receives(1)
        for inside in (["127.0.0.1"], ["9.9.9.9", "169.254.169.254"], ["::ffff:10.0.0.1"]):
            names["addresses"] = inside
            await network.says(":bob!b@h PRIVMSG me :two")
            await until(lambda: not muster.hub._pushes._waiting)
        names["addresses"] = ["9.9.9.9"]
        await network.says(":bob!b@h PRIVMSG me :three")
        pushed = await service.receives(2)
        assert len(service.pushed) == 2
        assert pushed.path == "/phone"
        await client.hears(":three")


async def test_it_is_tried_again_and_in_order(tmp_path: Path) -> None:
    phone = Phone()
    async with at_work(tmp_path) as (service, network, muster):
        service.statuses = [503, 201, 400, 201]
        await registers(muster, phone)
        await network.says(*(f":bob!b@h PRIVMSG me :{word}" for word in ("one", "two", "three")))
        await service.receives(4)
        said = [phone.reads(each.body).rpartition(":")[2] for each in service.pushed]
        assert said == ["one", "one", "two", "three"]  # 400 is final, and costs only itself


async def test_lines_end_with_their_last() -> None:
    """Nothing is held for a subscription that has nothing waiting."""
    phone = Phone()
    subscription = Subscription(1, phone.endpoint, phone.p256dh, phone.auth, 7)
    async with push_service() as service, trio.open_nursery() as nursery:
        pushes = Pushes(sender(service), None, None)  # type: ignore[arg-type]
        pushes.put(nursery, subscription, "PING :x")
        await service.receives(1)
        await until(lambda: not pushes._waiting)
        assert phone.reads(service.pushed[0].body) == "PING :x"
