"""Complaints 1 to 10: what was missed, what was said, and what is kept of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import trio
from sqlalchemy import Engine, event

from bouncer.session.arrival import FETCH_MS
from bouncer.session.events import Tick
from storage import messages
from storage.message import Position
from storage.retention import Keep
from storage.store import open_store
from tests.bouncer.session.dialogue import Dialogue, texts
from tests.bouncer.session.stored import stored
from tests.complaints.venue import MODERN, running_bouncer, running_network, until
from tests.storage.model import add_network, said


async def test_c01_a_half_open_client_loses_nothing(tmp_path: Path) -> None:
    """Lost on a half-open client (revolution-irc#152). Good: the cursor moves on PONG only."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        phone = await muster.client("alice/net@phone")
        await network.bob("confirmed")
        await phone.hears("confirmed")
        (seen,) = muster.session.clients.by_id.values()
        await until(lambda: seen.confirmed_id == muster.session.last_kept_id)
        phone.confirms = False
        await network.bob("into the void")
        await phone.hears("into the void")  # its kernel took it; nobody knows that a person has
        await muster.vanish(phone)
        again = await muster.client("alice/net@phone")
        await again.hears("into the void")
        assert not [text for text in again.texts if "] confirmed" in text]


async def test_c02_a_reconnect_brings_the_delta_alone(tmp_path: Path) -> None:
    """Whole buffer replayed at each reconnect (znc#919). Good: the delta; a repeat only of what
    was unconfirmed at an unclean end."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await network.bob("old news")
        for number in range(4):
            desk = await muster.client("alice/net@desk", MODERN)
            await network.bob(f"news {number}")
            await desk.hears(f"news {number}")
            missed = "old news" if number == 0 else f"away {number - 1}"
            assert desk.texts == [missed, f"news {number}"]
            await muster.gone(desk)
            await network.bob(f"away {number}")


async def test_c03_each_client_has_a_buffer_of_its_own(tmp_path: Path) -> None:
    """One client drains the buffer of the others (why pounce exists). Good: a cursor per client
    name, made on first sight."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        for name in ("desk", "phone"):
            await muster.gone(await muster.client(f"alice/net@{name}", MODERN))
        await network.bob("for both")
        for login in ("alice/net@desk", "alice@phone/net", "alice/net@never-seen"):
            client = await muster.client(login, MODERN)
            await client.hears("for both")
            await muster.gone(client)
        client = await muster.client("alice/net@desk", MODERN)
        await network.bob("later")
        await client.hears("later")
        assert client.texts == ["later"]


def test_c04_who_negotiates_playback_and_never_asks_gets_it_all_the_same() -> None:
    """Client negotiates playback and never asks (thelounge#4464). Good: autoplay unless it really
    fetches."""
    fetching = {*MODERN, "draft/chathistory"}
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :missed")
    assert texts(talk.attach(1, fetching, name="lazy")) == []
    talk.attach(2, fetching, name="fetches")
    talk.types(2, "CHATHISTORY LATEST #ops * 50")
    talk.now_ms += FETCH_MS
    talk.event(Tick())
    assert "missed" in texts(talk.seen(1))
    assert texts(talk.seen(2)) == []


async def test_c05_a_big_playback_is_paged_and_nobody_else_feels_it(tmp_path: Path) -> None:
    """Big playback freezes the client or the bouncer (znc#871). Good: paged, with backpressure;
    other clients don't feel it."""
    missed, page_octets = 6_000, 500 * 600
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await muster.gone(await muster.client("alice/net@slow", MODERN))
        slow_rows = [
            said(muster.store, muster.session.network.id, f"{n} " + "x" * 400, n)
            for n in range(missed)
        ]
        await muster.store.append(slow_rows)
        muster.session.last_kept_id = slow_rows[-1].id
        slow = await muster.client("alice/net@slow", MODERN, reads=False)
        await until(lambda: muster.hub.clients)
        (attachment,) = muster.hub.clients.values()
        await until(lambda: attachment.outbox.waiting > page_octets / 4)
        quick = await muster.client("alice/net@quick", MODERN)
        await network.bob("live")
        await quick.hears("live")  # and the slow one has read nothing
        assert page_octets / 4 < attachment.outbox.waiting < page_octets
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow.read)
            await slow.hears("live")
            nursery.cancel_scope.cancel()
        assert [int(text.split()[0]) for text in slow.texts[:-1]] == list(range(missed))


async def test_c06_a_line_is_on_disk_before_anybody_sees_it(tmp_path: Path) -> None:
    """Buffer lost at restart (znc#385). Good: durable before shown."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client()
        with closing(sqlite3.connect(tmp_path / "muster.db", isolation_level=None)) as disk, disk:
            disk.execute("BEGIN IMMEDIATE")  # the disk is slow
            await network.bob("held up")
            await until(lambda: muster.session.last_kept_id)  # decided,
            await trio.sleep(0.1)
            assert client.texts == []  # and not shown
            disk.execute("ROLLBACK")
            for number in range(10):
                await network.bob(f"line {number}")
                await client.hears(f"line {number}")
                found = disk.execute(
                    "SELECT count(*) FROM messages WHERE text = ?", (f"line {number}",)
                )
                assert found.fetchone() == (1,), number
        assert "held up" in client.texts[0]


async def test_c07_a_bot_gets_no_history(tmp_path: Path) -> None:
    """Bots get history (ergo#1979). Good: a per-client switch."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await network.bob("before")
        await until(lambda: muster.session.last_kept_id)
        operator = await muster.client("alice/net@operator")
        await operator.says("PRIVMSG BouncerServ :client set bot --autoplay off")
        await operator.hears("BouncerServ!")
        await network.bob("missed")
        await operator.hears("missed")
        bot = await muster.client("alice/net@bot", MODERN)
        person = await muster.client("alice/net@person", MODERN)
        await network.bob("live")
        await bot.hears("live")
        await person.hears("live")
        assert bot.texts == ["live"]
        assert person.texts == ["before", "missed", "live"]


def test_c08_own_messages_are_on_every_client_once() -> None:
    """Own messages missing or doubled elsewhere (znc#1214). Good: echo-message; self-message for
    old ones."""
    for network_caps in ("", "echo-message"):
        talk = Dialogue()
        talk.connect(network_caps)
        clients = {1: MODERN, 2: (), 3: ("znc.in/self-message",), 4: MODERN, 5: ()}
        for number, caps in clients.items():
            talk.attach(number, caps)
        for speaker, line, heard_by in (
            (1, "PRIVMSG bob :hi", {1, 3, 4}),  # an old client would show it as a query with itself
            (2, "PRIVMSG #ops :hello", {1, 3, 4, 5}),  # and hears itself only by echo-message
        ):
            talk.types(speaker, line)
            if network_caps:
                talk.says(f":me!user@host {line}")
            got = {number: texts(talk.seen(number)) for number in clients}
            text = line.partition(":")[2]
            assert got == {number: [text] * (number in heard_by) for number in clients}


async def test_c09_read_state_is_shared_and_only_moves_forward(tmp_path: Path) -> None:
    """Read state not shared. Good: read-marker. "the server SHOULD send a MARKREAD command for that
    target to all the clients of the user"; "SHOULD only ever increase"."""
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, {*MODERN, "draft/read-marker"})
        talk.attach(2, {*MODERN, "draft/read-marker"})
        later, earlier = "2026-01-02T03:04:05.000Z", "2026-01-01T00:00:00.000Z"
        told = f":muster.test MARKREAD #ops timestamp={later}"
        assert await talk.ask(1, f"MARKREAD #ops timestamp={later}") == [told]
        assert told in talk.seen(2)
        assert await talk.ask(2, f"MARKREAD #ops timestamp={earlier}") == [told]
        assert talk.seen(1) == []


async def test_c10_retention_frees_the_disk_and_queries_use_an_index(tmp_path: Path) -> None:
    """Database grows for ever (thelounge#2822), big ones get slow (quassel PR#313). Good:
    retention that frees space; queries by index only."""
    url = f"sqlite:///{tmp_path}/muster.db"

    def size() -> int:
        return sum(path.stat().st_size for path in tmp_path.iterdir())

    async with open_store(url) as store:
        network = await add_network(store)
        await store.append([said(store, network, f"{n} " + "x" * 300, n) for n in range(3_000)])
    full = size()
    asked: list[str] = []

    def watch(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(asked.append)

    event.listen(Engine, "connect", watch)
    try:
        async with open_store(url) as store:
            await store.prune(Keep(age_s=1), now_ms=3_500)
            asked.clear()
            for place in (messages.before, messages.after, messages.around):
                assert await store.read(place, network, "#ops", Position(2_900, 0), 10)
            assert await store.read(messages.latest, network, "#ops", 10)
            assert await store.read(messages.since, network, 2_000, 10)
            queries = [sql for sql in asked if sql.startswith("SELECT") and "messages" in sql]
    finally:
        event.remove(Engine, "connect", watch)
    assert size() < full / 2
    assert len(queries) >= 5
    with closing(sqlite3.connect(tmp_path / "muster.db")) as disk, disk:
        for sql in queries:
            plan = [row[-1] for row in disk.execute(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [step for step in plan if "SCAN messages" in step], plan
