"""Questions of the history are answered one after another, within a bound, each in its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio

from bouncer.attachment import Attachment, Link
from bouncer.errands import Errand
from bouncer.fetching import LOOKUPS, Fetching
from bouncer.irc.chathistory import HistoryRequest, Subcommand
from bouncer.outbox import Outbox
from bouncer.session.effects import Lookup
from bouncer.session.events import Event, Found
from bouncer.session.lookups import ReadHistory, ReadMarker
from bouncer.session.session import Session
from storage.records import Network
from storage.store import Store, open_store
from tests.real.process import until


@dataclass
class Hub:
    """Where the answers go. It has room for the next one as long as `room` says so."""

    room: bool = True
    heard: list[str] = field(default_factory=list)
    _free: trio.Event = field(default_factory=trio.Event)

    def hand(self, link: Link, event: Event) -> Errand | None:
        if not self.room:
            return partial(self.post, link, event)
        self._hear(event)
        return None

    async def post(self, _: Link, event: Event) -> None:
        await self._free.wait()
        self._hear(event)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, Found)
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
        await store.read(lambda _: None)
        await trio.testing.wait_all_tasks_blocked()
        assert at.hub.heard == []
        at.hub.make_room()
        await until(lambda: len(at.hub.heard) == 3, 30, "all are answered")
        assert at.hub.heard == ["first", "second", "third"]


async def test_a_fault_of_ours_is_raised_in_the_hubs_own_task(store: Store) -> None:
    targets = HistoryRequest(Subcommand.TARGETS, "", None, None, 10)  # no parser makes this
    with pytest.RaisesGroup(AssertionError):
        async with scene(store) as at:
            at.fetching.look_up(at.link, Lookup(1, ReadHistory(targets, ""), ""))
            await trio.sleep(60)
