"""Questions of the history are answered one after another, within a bound, each in its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import trio
from outcome import Outcome

from bouncer.connections.outbox import Outbox
from bouncer.hub.attachment import Attachment, Link
from bouncer.hub.errands import Errand
from bouncer.hub.fetching import LOOKUPS, Fetching
from bouncer.irc.chathistory import HistoryRequest, MsgId, Selector, Subcommand, Timestamp
from bouncer.session.effects import Lookup
from bouncer.session.events import Event, Found
from bouncer.session.lookups import ReadHistory, ReadMarker, Rows
from bouncer.session.session import Session
from storage import accounts
from storage.job import Then
from storage.message import Row, msgid_of
from storage.records import Network, User
from storage.store import Store, open_store
from tests.real.process import until


@dataclass
class Hub:
    """Where the answers go. It has room for the next one as long as `room` says so."""

    room: bool = True
    heard: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # answers that found no room
    rows: list[Row] = field(default_factory=list)  # of the last page
    _free: trio.Event = field(default_factory=trio.Event)

    def hand(self, link: Link, event: Event) -> Errand | None:
        if not self.room:
            assert isinstance(event, Found)
            self.refused.append(event.label)
            return partial(self.post, link, event)
        self._hear(event)
        return None

    async def post(self, _: Link, event: Event) -> None:
        await self._free.wait()
        self._hear(event)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, Found)
        if isinstance(event.answer, Rows):
            self.rows = event.answer.rows
        self.heard.append(event.label)

    def make_room(self) -> None:
        self.room = True
        self._free.set()


@dataclass
class Scene:
    hub: Hub
    fetching: Fetching
    clients: dict[int, Attachment]
    link: Link

    def ask(self, label: str, client: int = 1) -> None:
        latest = HistoryRequest(Subcommand.LATEST, "#ops", None, None, 10)
        self.fetching.look_up(self.link, Lookup(client, ReadHistory(latest, "#ops"), label))

    async def page(self, command: Subcommand, start: Selector | None, limit: int) -> list[Row]:
        """The answer to a question of the history."""
        label = f"page {len(self.hub.heard)}"
        asked = ReadHistory(HistoryRequest(command, "#ops", start, None, limit), "#ops")
        self.fetching.look_up(self.link, Lookup(1, asked, label))
        await until(lambda: self.hub.heard[-1:] == [label], 30, "the page is told")
        return self.hub.rows

    def mark(self, label: str) -> None:
        self.fetching.look_up(self.link, Lookup(1, ReadMarker("#ops", "#ops", 5), label))


@asynccontextmanager
async def scene(store: Store) -> AsyncIterator[Scene]:
    hub = Hub()
    clients = {number: Attachment(number, Outbox(10_000), lambda _: None) for number in (1, 2)}
    network = Network(1, "net", "", id=1)
    link = Link(Session(network, (), server_name="muster.test", new_id=lambda: 1))
    fetching = Fetching(clients, store, hub.post, hub.hand)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetching.run)
        yield Scene(hub, fetching, clients, link)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as opened:
        owner = await opened.run(accounts.add_user, User("bob"))
        await opened.run(accounts.add_network, Network(owner.id, "net", "irc://irc.test", id=1))
        yield opened


async def test_answers_come_in_the_order_of_the_questions(store: Store) -> None:
    async with scene(store) as at:
        labels = [str(number) for number in range(LOOKUPS)]
        for label in labels:  # those that write take another way than those that read
            at.mark(label) if int(label) % 3 else at.ask(label)
        await until(lambda: at.hub.heard == labels, 30, "all are answered, in their order")


async def test_who_asks_faster_than_is_answered_is_dropped(store: Store) -> None:
    async with scene(store) as at:
        for number in range(LOOKUPS + 2):  # one is in hand
            at.ask(str(number), client=2)
        assert at.clients[2].outbox.closed
        assert not at.clients[1].outbox.closed
        at.clients.pop(2)
        await until(lambda: at.hub.heard == ["0"], 30, "what was in hand is answered")
        at.ask("mine")
        await until(lambda: at.hub.heard[-1:] == ["mine"], 30, "the other client is answered")
        assert at.hub.heard == ["0", "mine"], "nothing is read for who is gone"


async def test_an_answer_without_room_waits_and_the_next_question_behind_it(store: Store) -> None:
    async with scene(store) as at:
        at.hub.room = False
        for label in ("first", "second", "third"):
            at.ask(label)
        await until(lambda: at.hub.refused, 30, "the first answer finds no room")
        await store.read(lambda _: None)  # the next one could be read by now
        await trio.testing.wait_all_tasks_blocked()
        assert at.hub.heard == []
        assert at.hub.refused == ["first"]
        at.hub.make_room()
        await until(lambda: len(at.hub.heard) == 3, 30, "all are answered")
        assert at.hub.heard == ["first", "second", "third"]


async def test_a_fault_of_ours_is_raised_in_the_hubs_own_task(store: Store) -> None:
    targets = HistoryRequest(Subcommand.TARGETS, "", None, None, 10)  # no parser makes this
    with pytest.RaisesGroup(AssertionError):
        async with scene(store) as at:
            at.fetching.look_up(at.link, Lookup(1, ReadHistory(targets, ""), ""))
            await trio.sleep(60)


async def say(store: Store, count: int) -> list[Row]:
    """Keep so many more lines."""
    rows = []
    for _ in range(count):
        number = store.next_id()
        place, text = ("#ops", "#ops", number, ""), f"line {number}"
        rows.append(Row(number, 1, *place, "PRIVMSG", "bob!b@h", "", "", text))
    await store.append(rows)
    return rows


@pytest.mark.parametrize("by", [MsgId, Timestamp])
async def test_page_after_page_is_what_was_said_while_more_is_said(
    store: Store, by: type[Selector]
) -> None:
    def at(row: Row) -> Selector:
        return MsgId(msgid_of(row)) if by is MsgId else Timestamp(row.time_ms)

    said = await say(store, 95)
    async with scene(store) as scenery:
        back = await scenery.page(Subcommand.LATEST, None, 10)
        told, expected = list(back), list(said)
        while len(back) == 10:
            said += await say(store, 1)  # no matter for who goes back
            back = await scenery.page(Subcommand.BEFORE, at(back[0]), 10)
            told = back + told
        assert told == expected
        on = await scenery.page(Subcommand.AFTER, at(said[0]), 10)
        told = list(on)
        while on:
            if len(told) < 200:
                said += await say(store, 7)  # the end moves on before who follows
            on = await scenery.page(Subcommand.AFTER, at(told[-1]), 10)
            told += on
        assert told == said[1:]


class Watched:
    """A store that notes what it is asked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.starts: list[Selector | None] = []
        self.answers = 0

    @property
    def removals(self) -> int:
        return self.store.removals

    def ask(self, then: Then, fn: Callable[..., object], network: int, asked: ReadHistory) -> None:
        self.starts.append(asked.request.start)

        def noted(answer: Outcome[object]) -> None:
            then(answer)
            self.answers += 1

        self.store.ask(noted, fn, network, asked)


@asynccontextmanager
async def two_pages_read(
    store: Store,
) -> AsyncIterator[tuple[list[Row], list[MsgId], Watched, Scene]]:
    """What was said, to a client that has read two pages back from the newest, and where its
    second, third and fourth page end."""
    said = await say(store, 50)
    ends = [MsgId(msgid_of(said[number])) for number in (40, 30, 20)]
    watched = Watched(store)
    async with scene(cast(Store, watched)) as scenery:
        await scenery.page(Subcommand.LATEST, None, 10)
        await scenery.page(Subcommand.BEFORE, ends[0], 10)
        yield said, ends, watched, scenery


async def test_the_next_page_is_read_before_it_is_asked_for(store: Store) -> None:
    async with two_pages_read(store) as (said, ends, watched, scenery):
        await until(lambda: watched.starts == [None, *ends[:2]], 30, "the third page is read")
        assert await scenery.page(Subcommand.BEFORE, ends[1], 10) == said[20:30]
        assert watched.starts == [None, *ends], "the fourth page was asked for, the third was not"


async def test_what_was_deleted_is_on_no_page_that_was_read_before(store: Store) -> None:
    """IRCv3 message-redaction: history shall "exclude it entirely"."""
    async with two_pages_read(store) as (said, ends, watched, scenery):
        await until(lambda: watched.answers == 3, 30, "the third page is read")
        assert await store.redact(1, "#ops", msgid_of(said[25])) == said[25]
        page = await scenery.page(Subcommand.BEFORE, ends[1], 10)
        assert page == [*said[19:25], *said[26:30]]
