"""The hub beside a store that is slow: order, bounds, and whose a fault is."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from sqlalchemy import Connection
from structlog.testing import capture_logs

from bouncer import config
from bouncer.connections import send_queue
from bouncer.connections.bucket import Bucket
from bouncer.connections.outbox import Outbox
from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from bouncer.hub import keeping
from bouncer.hub.endurance import GOODBYE
from bouncer.hub.networks import reconnects
from bouncer.hub.undone import UNDONE_ROWS
from bouncer.session.events import FromNetwork, Tick
from storage import accounts
from storage.store import Store
from tests.complaints.venue import MODERN, PASSWORD, running_bouncer, running_network, until


@asynccontextmanager
async def busy(store: Store) -> AsyncIterator[None]:
    """Inside, nothing is committed."""
    begun, over = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        begun.set()
        over.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run, wait)
        await until(begun.is_set)
        try:
            yield
        finally:
            over.set()


async def test_what_needs_no_commit_overtakes_none(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        await until(lambda: all(c.live for c in muster.session.clients.by_id.values()))
        async with busy(muster.store):
            await network.bob("kept")
            await until(lambda: muster.session.last_kept_id)
            await network.says(":irc.test NOTICE me :not kept")
            await until(lambda: len(muster.hub._undone._decided) == 2)
            assert client.texts == []
        await client.hears("not kept")
        assert client.texts == ["kept", "not kept"]


async def test_what_follows_an_errand_waits_for_it(tmp_path: Path) -> None:
    """What the user has noted is in the store before anything later is shown."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", (*MODERN, "draft/metadata-2"))
        async with busy(muster.store):
            await client.says("METADATA #ops SET soju.im/pinned :1")
            await client.hears("soju.im/pinned")
            await network.says(":irc.test NOTICE me :later")
            await until(lambda: muster.hub._undone._decided)
            assert client.texts == []
        await client.hears("later")
        marks = await muster.store.read(accounts.list_marks, muster.session.network.id)
        assert marks == {("#ops", "soju.im/pinned"): "1"}


async def test_a_session_knows_that_the_network_has_not_been_asked_all(tmp_path: Path) -> None:
    asked = [f"WHO nobody{number}" for number in range(20)]
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        link = muster.hub.links["net"]
        assert link.upstream is not None
        muster.hub.tick()
        assert not link.session.routing._waited_ms
        link.upstream._queue.bucket = Bucket(0.01, burst=1)
        await client.says(*asked)
        await until(lambda: link.upstream.is_waiting)
        muster.hub.tick()
        assert link.session.routing._waited_ms


async def test_who_posts_too_much_waits_and_nothing_is_lost(tmp_path: Path) -> None:
    said = [f"line {number}" for number in range(3 * UNDONE_ROWS)]
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        hub, link = muster.hub, muster.hub.links["net"]
        posted = 0

        async def post() -> None:
            nonlocal posted
            for text in said:
                await hub.post(link, FromNetwork([f":bob!b@h PRIVMSG #ops :{text}"]))
                posted += 1

        async with trio.open_nursery() as nursery:
            async with busy(muster.store):
                nursery.start_soon(post)
                await until(lambda: hub._undone.is_full)
                await trio.testing.wait_all_tasks_blocked()
                full = posted
                hub.tick()
                assert not any(isinstance(d.event, Tick) for d in hub._undone._decided)
            assert full < len(said)
        await client.hears(said[-1])
        assert client.texts == said


async def test_what_is_handed_to_a_full_hub_is_decided_when_there_is_room(tmp_path: Path) -> None:
    chunk = FromNetwork([":bob!b@h PRIVMSG #ops :again"] * UNDONE_ROWS)
    late = FromNetwork([":bob!b@h PRIVMSG #ops :late"])
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        hub, link = muster.hub, muster.hub.links["net"]
        async with busy(muster.store):
            assert hub.hand(link, chunk) is None
            decided = link.session.last_kept_id
            errand = hub.hand(link, late)
            assert errand is not None
            assert link.session.last_kept_id == decided
        await errand()
        await client.hears("late")
        assert client.texts == ["again"] * UNDONE_ROWS + ["late"]


async def test_an_end_lets_go_of_who_waits(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        hub, link = muster.hub, muster.hub.links["net"]
        chunk = FromNetwork([":bob!b@h PRIVMSG #ops :again"] * UNDONE_ROWS)
        async with busy(muster.store), trio.open_nursery() as nursery:
            await hub.post(link, chunk)
            nursery.start_soon(hub.post, link, chunk)
            await trio.testing.wait_all_tasks_blocked()
            assert nursery.child_tasks
            await hub.stop("The user was removed")
        decided_id = link.session.last_kept_id
        await hub.post(link, chunk)
        assert link.session.last_kept_id == decided_id, "nothing is decided after the end"


async def test_a_client_that_leaves_is_gone_also_when_there_is_no_room(tmp_path: Path) -> None:
    """It would be there for ever: its user never away, its lines never pushed to a phone."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        hub, link = muster.hub, muster.hub.links["net"]
        async with busy(muster.store):
            await hub.post(link, FromNetwork([":bob!b@h PRIVMSG #ops :again"] * UNDONE_ROWS))
            assert hub._undone.is_full
            await client.stream.aclose()
            await until(lambda: not link.session.clients.by_id)
        await until(lambda: not hub.clients)


async def test_a_deleted_message_is_in_no_page_that_was_read_ahead(tmp_path: Path) -> None:
    """message-redaction: history shall "exclude it entirely"."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", (*MODERN, "draft/chathistory"))
        for number in range(1, 7):
            await network.says(f"@msgid=x{number} :bob!b@h PRIVMSG #ops :said {number}")
        await client.hears("said 6")
        client.lines.clear()
        [attached] = muster.hub.clients.values()
        await client.says("CHATHISTORY LATEST #ops * 2", "CHATHISTORY BEFORE #ops msgid=x5 2")
        await client.hears("said 4")
        await until(lambda: attached.ahead._pages)
        await network.says(":bob!b@h REDACT #ops x1", ":irc.test NOTICE me :deleted")
        await client.hears("deleted")
        await client.says("CHATHISTORY BEFORE #ops msgid=x3 2")
        await client.hears("said 2")
        assert not [line for line in client.lines if "said 1" in line]


async def test_what_is_said_of_the_store_after_the_end_harms_nobody(tmp_path: Path) -> None:
    """It commits the last when all else has ended, and then has trouble, or no more."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        bouncer = muster.bouncer
        ops = config.Ops(user="alice", network="net", channel="#ops")
        bouncer.config = bouncer.config.model_copy(update={"ops": ops})
        muster.hub.networks.listen_for_ops((ops.network, ops.channel))
        await until(lambda: muster.session.ready)
        muster.store._set_trouble(None, news=True)
        await network.hears("HISTORY: the database can be written again")
    muster.store._set_trouble(None, news=True)


class BadOutbox(Outbox):
    def put(self, data: bytes) -> None:
        raise ZeroDivisionError(data)


@pytest.mark.parametrize("when", ["deciding", "performing"])
async def test_a_fault_is_of_one_hub_alone(tmp_path: Path, when: str) -> None:
    """Neither a client's task, nor trio's loop at a commit's end, nor another user may have it; who
    comes back misses nothing."""
    with capture_logs():  # to print a traceback with all its locals would take seconds
        await _one_of_two_breaks(tmp_path, when)


async def _one_of_two_breaks(tmp_path: Path, when: str) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await dispatch(f"user add carol --password {PASSWORD}", OPERATOR, muster.bouncer.desk)
        carol = await muster.client("carol")
        alice = await muster.client("alice/net", MODERN)
        hub, link = muster.hub, muster.hub.links["net"]
        if when == "deciding":
            await hub.post(link, "no event")
        else:
            (client,) = hub.clients.values()
            client.outbox = BadOutbox(1)
            await network.bob("kept")
        await until(lambda: muster.bouncer.hubs.get("alice") not in (None, hub))
        if when == "deciding":
            await alice.hears(f"ERROR :{GOODBYE}")
        await carol.says("PING still-there")
        await carol.hears("still-there")
        await until(lambda: muster.session.is_registered)
        alice = await muster.client("alice/net", MODERN)
        await network.bob("again")
        await alice.hears(":again")
        assert alice.texts == (["again"] if when == "deciding" else ["kept", "again"])


async def test_what_finds_no_room_on_its_way_to_the_network_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        monkeypatch.setattr(send_queue, "QUEUE_LINES", 0)
        await client.says("PRIVMSG #ops :nobody hears this")
        await client.hears("The last messages, 1 of them, did not reach net")


async def test_how_a_network_folds_names_is_kept_for_the_next_start(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await network.says(":irc.test 005 me CASEMAPPING=ascii :are supported by this server")
        client = await muster.client("alice/net", MODERN)
        await network.says(":irc.test NOTICE me :after it")
        await client.hears("after it")
        (found,) = await keeping.belongings_of(muster.store, muster.hub.user)
        assert found.network.casemapping == "ascii"
        (wanted,) = keeping.networks_of(muster.hub.user, [found], auto_away=True)
        assert not reconnects(replace(wanted.network, casemapping="rfc1459"), wanted.network)
