"""What clients read of the history: their backlog by pages, and what they look up. Each answer
comes back to the session as an event."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog
import trio
from outcome import Outcome, Value

from bouncer.hub import history
from bouncer.hub.ahead import Block, Page
from bouncer.hub.attachment import Attachment, Link
from bouncer.hub.errands import Errand
from bouncer.session.effects import Lookup, PlayBack, Recall
from bouncer.session.events import Event, Found, PageRead, Recalled
from bouncer.session.lookups import Answer, Question
from storage import messages
from storage.errors import StorageError
from storage.messages import Position
from storage.store import Store

PAGE_ROWS = 500  # of a playback; the next page is read when this one has left
RECALLED_ROWS = 5_000  # of the time of 1,000 lines that a network plays back
LOOKUPS = 64  # questions of the history not answered yet; full: the client is dropped

log = structlog.get_logger("hub")


class Fetching:
    """For the `clients` of one hub, which `post` and `hand` give an event (see `Upstream`)."""

    def __init__(
        self,
        clients: Mapping[int, Attachment],
        store: Store,
        post: Callable[[Link, Event], Awaitable[None]],
        hand: Callable[[Link, Event], Errand | None],
    ) -> None:
        self._clients = clients
        self._store = store
        self._post = post
        self._hand = hand
        self._lookups: deque[tuple[Link, Lookup]] = deque()
        self._is_asking = False
        # what is to be done for an answer that found no room: one at most, for the next question
        # waits for it
        self._hold, self._held = trio.open_memory_channel[Errand](1)

    async def read_page(self, link: Link, wanted: PlayBack) -> None:
        client = self._clients.get(wanted.client)
        if client is None:
            return
        await client.outbox.drained()  # the next page leaves when the last one has
        network_id = link.session.network.id
        try:
            rows = await self._store.read(history.backlog, network_id, wanted, PAGE_ROWS)
        except StorageError as error:
            log.error("backlog not read", user=client.user, reason=str(error))
            client.drop(f"History cannot be read now: {error}")
            return
        more = not wanted.target and len(rows) == PAGE_ROWS
        page = PageRead(wanted.client, rows, wanted.upto_id, more, wanted.target)
        await self._post(link, page)

    async def recall(self, link: Link, wanted: Recall) -> None:
        """Read what we have of the time that a network plays back."""
        network_id = link.session.network.id
        first, last = Position.after_ms(wanted.from_ms), Position.before_ms(wanted.to_ms)
        between = partial(messages.between, events=False)
        rows: list[messages.Row] = []
        try:
            where = (network_id, wanted.target, first, last)
            rows = await self._store.read(between, *where, RECALLED_ROWS)
        except StorageError as error:
            log.error("history not recalled", network=link.session.network.name, reason=str(error))
        await self._post(link, Recalled(wanted.reference, rows))

    def look_up(self, link: Link, lookup: Lookup) -> None:
        """Ask a question of the store, when those asked before are answered. Never waits."""
        if len(self._lookups) < LOOKUPS:
            self._lookups.append((link, lookup))
            self._ask_next()
        elif client := self._clients.get(lookup.client):
            client.drop("You ask the history faster than it can answer; wait for its answers")

    def _ask_next(self) -> None:
        while self._lookups and not self._is_asking:
            link, lookup = self._lookups.popleft()
            if (client := self._clients.get(lookup.client)) is None:
                continue
            self._is_asking = True
            answered = partial(self._answered, link, lookup)
            match client.ahead.take(lookup.question, trio.current_time(), self._store.removals):
                case Page(answer=answer):
                    self._tell(link, lookup, answer)
                case Block() as block:
                    block.then = answered
                case None:
                    self._ask(link, lookup.question, answered)

    def _ask(self, link: Link, question: Question, answered: history.Answered) -> None:
        history.ask(self._store, link.session.network.id, question, answered)

    def _answered(self, link: Link, lookup: Lookup, answer: Outcome[Answer]) -> None:
        """Called in trio's thread, by no task: there is nothing to wake on the way."""
        self._tell(link, lookup, answer)
        self._ask_next()

    def _tell(self, link: Link, lookup: Lookup, answer: Outcome[Answer]) -> None:
        """Hand an answer over; what is likely to be asked next is read meanwhile."""
        self._read_ahead(link, lookup, answer)
        errand: Errand | None
        if isinstance(answer, Value):
            found = Found(lookup.client, lookup.question, answer.value, lookup.label)
            errand = self._hand(link, found)
        else:
            errand = partial(_fail, answer)
        if errand is None:
            self._is_asking = False
        else:
            self._hold.send_nowait(errand)

    def _read_ahead(self, link: Link, lookup: Lookup, answer: Outcome[Answer]) -> None:
        client = self._clients.get(lookup.client)
        if client is None:
            return
        now, removals = trio.current_time(), self._store.removals
        block = client.ahead.answered(lookup.question, answer, now, removals)
        if block is not None:
            self._ask(link, block.question, partial(self._has_read, link, client, block))

    def _has_read(
        self, link: Link, client: Attachment, block: Block, answer: Outcome[Answer]
    ) -> None:
        page = client.ahead.has_read(block, answer)
        if block.then is None:
            return
        if page is not None:
            block.then(page.answer)
        else:
            self._ask(link, block.first, block.then)

    def expire(self) -> None:
        """Give up what was read ahead and not asked for."""
        now = trio.current_time()
        for client in self._clients.values():
            client.ahead.expire(now)

    async def run(self) -> None:
        """Hand over the answers that found no room, and raise what is a fault of ours."""
        async for errand in self._held:
            await errand()
            self._is_asking = False
            self._ask_next()


async def _fail(fault: Outcome[Answer]) -> None:
    fault.unwrap()
