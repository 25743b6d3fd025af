"""What clients read of the history: their backlog by pages, and what they look up. Each answer
comes back to the session as an event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog
import trio

from bouncer import history
from bouncer.attachment import Attachment, Link
from bouncer.session.effects import Lookup, PlayBack
from bouncer.session.events import Event, Found, PageRead
from storage import messages
from storage.errors import StorageError
from storage.store import Store

PAGE_ROWS = 500  # of a playback; the next page is read when this one has left
LOOKUPS = 64  # questions of the history not answered yet; full: the client is dropped

log = structlog.get_logger("hub")


class Fetching:
    """For the `clients` of one hub, which `post` hands an event."""

    def __init__(
        self,
        clients: Mapping[int, Attachment],
        store: Store,
        post: Callable[[Link, Event], Awaitable[None]],
    ) -> None:
        self._clients = clients
        self._store = store
        self._post = post
        self._look, self._lookups = trio.open_memory_channel[tuple[Link, Lookup]](LOOKUPS)

    async def read_page(self, link: Link, wanted: PlayBack) -> None:
        client = self._clients.get(wanted.client)
        if client is None:
            return
        await client.outbox.drained()  # the next page leaves when the last one has
        network_id = link.session.network.id
        since = partial(messages.since, events=False)
        try:
            rows = await self._store.read(since, network_id, wanted.after_id, PAGE_ROWS)
        except StorageError as error:
            log.error("backlog not read", user=client.user, reason=str(error))
            client.drop(f"History cannot be read now: {error}")
            return
        page = PageRead(wanted.client, rows, wanted.upto_id, more=len(rows) == PAGE_ROWS)
        await self._post(link, page)

    def look_up(self, link: Link, lookup: Lookup) -> None:
        """Queue a question. Never waits."""
        try:
            self._look.send_nowait((link, lookup))
        except trio.WouldBlock:
            if client := self._clients.get(lookup.client):
                client.drop("You ask the history faster than it can answer; wait for its answers")

    async def run(self) -> None:
        """Answer questions, in the order in which they were asked."""
        async for link, lookup in self._lookups:
            if lookup.client not in self._clients:
                continue
            network_id = link.session.network.id
            answer = await history.answer(self._store, network_id, lookup.question)
            await self._post(link, Found(lookup.client, lookup.question, answer, lookup.label))
