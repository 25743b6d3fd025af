"""The one task that owns a user's sessions: it feeds them events and performs their effects.

Durable before shown: the rows of a batch are committed before any line of it leaves.
"""

from __future__ import annotations

import time
from functools import partial

import structlog
import trio

from bouncer import history, keeping
from bouncer.announcing import Announcing
from bouncer.answering import Answering, Services
from bouncer.attachment import Attachment, Link
from bouncer.config import UserDefaults
from bouncer.identd import Idents
from bouncer.networks import Networks
from bouncer.outbox import OutboxFull
from bouncer.pushing import Pushes, Sender
from bouncer.session.effects import (
    ChangeChannel,
    Delivered,
    DropClient,
    DropNetwork,
    Effect,
    Effects,
    FollowNetworks,
    ForgetChannel,
    KeepMark,
    Lookup,
    NetworkCaps,
    NetworkCommand,
    OpsCommand,
    PlayBack,
    Push,
    Redact,
    Registered,
    RememberChannel,
    RememberLogin,
    RememberNick,
    ServiceCommand,
    WantsTls,
)
from bouncer.session.events import Attached, Detached, Event, Found, PageRead, Tick
from bouncer.supervise import Gate
from storage import messages
from storage.errors import StorageError
from storage.records import Channel, User
from storage.store import Store
from storage.writer import Batch

INBOX_EVENTS = 8  # full: readers wait, and so pause TCP
BATCH_EVENTS = 8  # handled before one commit
DECIDED_BATCHES = 1  # waiting for their commit, beside the one in hand; full: the inbox waits
PAGE_ROWS = 500  # of a playback; the next page is read when this one has left
GOODBYE_S = 3.0
LOOKUPS = 64  # questions of the history not answered yet; full: the client is dropped

log = structlog.get_logger("hub")

Done = tuple[Link, Event, Effects]
# A commit to wait for, and what happened: with the effects that may be performed after it.
Decided = tuple[Batch | None, list[Done]]


class Hub:
    """One user: their networks, their clients."""

    def __init__(
        self,
        user: User,
        store: Store,
        services: Services,
        *,
        server_name: str,
        gate: Gate,
        default_rate: float,
        ops: tuple[str, str] | None = None,
        defaults: UserDefaults,
        idents: Idents,
        sender: Sender,
        chathistory_max: int = 0,
    ) -> None:
        self.user = user
        self.clients: dict[int, Attachment] = {}
        self.links: dict[str, Link] = {}
        self.announcing = Announcing(self.links, self.clients, self._tell, server_name)
        self._answering = Answering(services, self.announcing, self.post)
        self.networks = Networks(
            self.links,
            store,
            self.post,
            self.announcing.changed,
            server_name=server_name,
            gate=gate,
            idents=idents,
            default_rate=default_rate,
            defaults=defaults,
            ops=ops,
            chathistory_max=chathistory_max,
            vapid=sender.public_key,
        )
        self._pushes = Pushes(sender, store, self.networks.post_to)
        self._store = store
        self._cursors = keeping.Cursors(store)
        self._undone = 0  # batches decided and not performed yet
        self._nursery: trio.Nursery | None = None
        self._post_to, self._inbox = trio.open_memory_channel[tuple[Link, Event]](INBOX_EVENTS)
        self._decide, self._decided = trio.open_memory_channel[Decided](DECIDED_BATCHES)
        self._look, self._lookups = trio.open_memory_channel[tuple[Link, Lookup]](LOOKUPS)

    # --- life ---

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as self._nursery:
            self.networks.nursery = self._nursery
            self._nursery.start_soon(self._handle_events)
            self._nursery.start_soon(self._perform_decided)
            self._nursery.start_soon(self._answer_lookups)
            self._nursery.start_soon(self._answering.run)
            await self.refresh(self.user)
            task_status.started()

    async def stop(self, reason: str) -> None:
        """Say goodbye to everybody and end `run`."""
        self.say_goodbye(reason)
        with trio.move_on_after(GOODBYE_S):
            await self.gone()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    async def refresh(self, user: User) -> None:
        """Make the running networks those of the store: start, stop or reconnect what changed."""
        self.user = user
        for link in await self.networks.refresh(user):
            for client_id in link.session.clients.by_id:
                name = link.session.network.name
                self.clients[client_id].drop(f"The network {name} was removed")

    def say_goodbye(self, reason: str) -> None:
        """Tell every client and network that this is the end."""
        for client in self.clients.values():
            client.drop(reason)
        self.networks.say_goodbye(reason)

    async def gone(self) -> None:
        """Wait until every goodbye has been sent."""
        for client in list(self.clients.values()):
            await client.outbox.drained()
        await self.networks.gone()

    def notify(self, text: str) -> None:
        """Tell every client something as the service."""
        for link in self.links.values():
            for client in link.session.clients.by_id.values():
                self._tell(client.id, [link.session.service_line(client, text)])

    def tick(self) -> None:
        """A second has passed. Skipped while the hub is busy: then traffic is its clock."""
        for link in self.links.values():
            if link.upstream is not None or link.session.clients.by_id:
                try:
                    self._post_to.send_nowait((link, Tick()))
                except trio.WouldBlock:
                    return

    # --- clients ---

    async def attach(
        self,
        client: Attachment,
        network: str | None,
        nick: str,
        caps: frozenset[str],
        away: str = "",
    ) -> None:
        """Let a client in that has logged in. Without a network it can give commands alone.

        Raises KeyError for a network that the user does not have.
        """
        if network is None:
            link = Link(self.networks.no_network(self.user))
            attached = Attached(client.id, client.name, nick, caps, 0, autoplay=False)
        else:
            link = self.links[network]
            network_id = link.session.network.id
            record = await keeping.client_record(self._store, network_id, client.name)
            client.record_id = record.id
            autoplay = record.autoplay
            if autoplay is None:
                autoplay = self.user.autoplay
            if autoplay is None:
                autoplay = self.networks.defaults.autoplay
            known_id = self._cursors.of(record)
            trouble = link.upstream.error if link.upstream else ""
            alarm = f"HISTORY: {self._store.trouble}" if self._store.trouble else ""
            attached = Attached(
                client.id, client.name, nick, caps, known_id, autoplay, trouble, away, alarm
            )
        client.link = link
        self.clients[client.id] = client
        await self.post(link, attached)

    async def post(self, link: Link, event: Event) -> None:
        """Hand an event to the hub; waits while it is busy."""
        await self._post_to.send((link, event))

    async def post_to(self, network: str, event: Event) -> None:
        """Hand an event to the session of a network, if there is one."""
        if link := self.links.get(network):
            await self.post(link, event)

    async def save_cursors(self) -> None:
        """Write what clients have confirmed since the last call."""
        await self._cursors.save()

    # --- the loop ---

    async def _handle_events(self) -> None:
        """Decide, and hand what is kept to the store; what is shown waits for its commit."""
        async for first in self._inbox:
            events = [first]
            while len(events) < BATCH_EVENTS:
                try:
                    events.append(self._inbox.receive_nowait())
                except trio.WouldBlock:
                    break
            now_ms = time.time_ns() // 1_000_000
            done = [(link, event, link.session.receive(event, now_ms)) for link, event in events]
            rows = [row for _, _, effects in done for row in effects.keep]
            if rows or self._undone:
                self._undone += 1
                await self._decide.send((self._store.put(rows) if rows else None, done))
            else:  # nothing to wait for, nobody to overtake
                await self._perform_all(done)

    async def _perform_decided(self) -> None:
        """Perform effects in the order in which they were decided."""
        async for batch, done in self._decided:
            if batch is not None:
                await batch.wait()
            await self._perform_all(done)
            self._undone -= 1

    async def _perform_all(self, done: list[Done]) -> None:
        for link, event, effects in done:
            await self._perform(link, effects)
            if isinstance(event, Detached):
                self.clients.pop(event.client, None)

    async def _perform(self, link: Link, effects: Effects) -> None:
        for client_id, lines in effects.to_clients.items():
            self._tell(client_id, lines)
        for client_id, sent_id in effects.sent_ids.items():
            if client := self.clients.get(client_id):
                client.put_id = sent_id
        if effects.to_network and link.upstream is not None:
            refused = link.upstream.put(effects.to_network)
            if refused:
                log.warning("not sent", network=link.session.network.name, lines=len(refused))
        for effect in effects.others:
            await self._perform_other(link, effect)

    def _tell(self, client_id: int, lines: list[str]) -> None:
        client = self.clients.get(client_id)
        if client is None:
            return
        if client.outbox.closed:
            return
        try:
            client.outbox.put(("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape"))
        except OutboxFull as full:
            log.info("client dropped", user=self.user.name, client=client.name, reason=str(full))
            client.drop(f"You read too slowly: {full}; reconnect to go on from where you were")

    async def _perform_other(self, link: Link, effect: Effect) -> None:
        assert self._nursery is not None
        match effect:
            case PlayBack():
                self._nursery.start_soon(self._read_page, link, effect)
            case Delivered(client_id, message_id):
                self._delivered(client_id, message_id)
            case DropClient(client_id, reason, clean):
                if client := self.clients.get(client_id):
                    client.quit_id = client.delivered_id if clean else 0
                    client.drop(reason)
            case NetworkCaps(caps):
                for client_id in link.session.clients.by_id:
                    self.clients[client_id].offer(caps)
            case DropNetwork() if link.upstream is not None:
                link.upstream.drop(effect)
            case WantsTls() if link.upstream is not None:
                await link.upstream.wants_tls(effect)
            case Registered() if link.upstream is not None:
                link.upstream.registered()
            case RememberChannel(name, key):
                channel = Channel(link.session.network.id, name, key=key)
                await keeping.remember_channel(self._store, channel)
            case ChangeChannel(name, detached):
                await keeping.change_channel(self._store, link.session.network.id, name, detached)
            case RememberNick(nick):
                await keeping.change_network(self._store, link.session.network.id, nick=nick)
                self.announcing.changed()
            case RememberLogin(login, password):
                changes = {"sasl_login": login, "sasl_password": password}
                await keeping.change_network(self._store, link.session.network.id, **changes)
            case ForgetChannel(name):
                await keeping.forget_channel(self._store, link.session.network.id, name)
            case KeepMark(target, key, value):
                await keeping.keep_mark(self._store, link.session.network.id, target, key, value)
            case Push(subscription, line):
                self._pushes.put(self._nursery, subscription, line)
            case Redact(target, msgid):
                await keeping.redact(self._store, link.session.network.id, target, msgid)
            case Lookup():
                self._look_up(link, effect)
            case ServiceCommand() | OpsCommand() | NetworkCommand():
                self._answering.put(self.user, link, effect)
            case FollowNetworks():
                self.announcing.follow(effect)
            case _:
                pass  # for a connection that is gone

    # --- the backlog ---

    async def _read_page(self, link: Link, wanted: PlayBack) -> None:
        client = self.clients.get(wanted.client)
        if client is None:
            return
        await client.outbox.drained()  # the next page leaves when the last one has
        network_id = link.session.network.id
        since = partial(messages.since, events=False)
        try:
            rows = await self._store.read(since, network_id, wanted.after_id, PAGE_ROWS)
        except StorageError as error:
            log.error("backlog not read", user=self.user.name, reason=str(error))
            client.drop(f"History cannot be read now: {error}")
            return
        page = PageRead(wanted.client, rows, wanted.upto_id, more=len(rows) == PAGE_ROWS)
        await self.post(link, page)

    def _look_up(self, link: Link, lookup: Lookup) -> None:
        try:
            self._look.send_nowait((link, lookup))
        except trio.WouldBlock:
            if client := self.clients.get(lookup.client):
                client.drop("You ask the history faster than it can answer; wait for its answers")

    async def _answer_lookups(self) -> None:
        """Answer questions of the history, in the order in which they were asked."""
        async for link, lookup in self._lookups:
            if lookup.client not in self.clients:
                continue
            network_id = link.session.network.id
            answer = await history.answer(self._store, network_id, lookup.question)
            await self.post(link, Found(lookup.client, lookup.question, answer, lookup.label))

    def _delivered(self, client_id: int, message_id: int) -> None:
        client = self.clients.get(client_id)
        if client is not None and client.record_id:
            self._cursors.move(client.record_id, message_id)
