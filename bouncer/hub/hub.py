"""One user's sessions: each event is decided when it comes, and its effects are performed in the
order of the decisions.

Durable before shown: no line leaves before the rows decided with it, or before it, are committed.
Deciding takes no waiting; it is done in the task that brings the event. Performing takes none
either, but for errands; it is done at the end of the commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import structlog
import trio

from bouncer.config import UserDefaults
from bouncer.connections.identd import Idents
from bouncer.connections.intake import Follow, alone
from bouncer.connections.supervise import Gate
from bouncer.connections.wire_log import WireLog
from bouncer.hub import keeping
from bouncer.hub.announcing import Announcing
from bouncer.hub.answering import Answering, Services
from bouncer.hub.attachment import MAX_CLIENTS, Attachment, Link, TooManyClients
from bouncer.hub.errands import Errand, errand_of
from bouncer.hub.fetching import Fetching
from bouncer.hub.networks import Networks
from bouncer.hub.undone import Decided, Undone
from bouncer.irc.wire import Message
from bouncer.push.pushing import Pushes, Sender
from bouncer.session.dialect import CHAT
from bouncer.session.effects import (
    Delivered,
    DropClient,
    DropNetwork,
    Effect,
    Effects,
    FollowNetworks,
    Lookup,
    NetworkCaps,
    NetworkCommand,
    OpsCommand,
    PlayBack,
    Push,
    Recall,
    Registered,
    RememberNick,
    ServiceCommand,
    WantsTls,
)
from bouncer.session.events import Attached, BotSays, Detached, Event, Tick
from bouncer.tls.policies import Policies
from storage.records import User
from storage.rows import folded
from storage.store import Store
from storage.writer import Batch

DISABLED = "The user was disabled"
GOODBYE_S = 3.0

log = structlog.get_logger("hub")


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
        cursors: keeping.Cursors,
        chathistory_max: int = 0,
        wire_log: WireLog,
        policies: Policies,
        found: keeping.Found | None = None,
        follow: Follow = alone,
        is_crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self.user = user
        self.clients: dict[int, Attachment] = {}
        self.links: dict[str, Link] = {}
        self.announcing = Announcing(self.links, self.clients, self._tell, server_name)
        self._answering = Answering(services, self.announcing, self.post, self._decide)
        self._fetching = Fetching(self.clients, store, self.post, self.hand)
        self.networks = Networks(
            self.links,
            store,
            self.post,
            self.hand,
            self.announcing.changed,
            server_name=server_name,
            gate=gate,
            idents=idents,
            default_rate=default_rate,
            defaults=defaults,
            ops=ops,
            chathistory_max=chathistory_max,
            vapid=sender.public_key,
            user_name=user.name,
            wire_log=wire_log,
            policies=policies,
            found=found,
            follow=follow,
        )
        self._pushes = Pushes(sender, store, self.networks.post_to)
        self._store = store
        self._cursors = cursors
        self._undone = Undone(is_crowded)
        self._awaited: Batch | None = None  # whose end we are told
        self._nursery: trio.Nursery | None = None  # None before and after `run`

    # --- life ---

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                self.networks.nursery = self._nursery
                self._nursery.start_soon(self._fetching.run)
                self._nursery.start_soon(self._answering.run)
                await self.refresh(self.user)
                task_status.started()
        finally:
            self._nursery = None
            self._undone.clear()
            self.networks.let_go()

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
        if not user.enabled:
            for client in self.clients.values():
                client.drop(DISABLED)
        for link in await self.networks.refresh(user):
            self.announcing.dismiss(link)

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

    def notify(self, *texts: str) -> None:
        """Tell every client something as the service, also those that are on no network."""
        for client in list(self.clients.values()):
            session = client.link.session if client.link else None
            if session is not None and (known := session.clients.by_id.get(client.id)):
                client.tell(_on_the_wire([session.service_line(known, text) for text in texts]))

    def tick(self) -> None:
        """A second has passed. Skipped while the hub is busy: then traffic is its clock."""
        self._fetching.expire()
        for link in self.links.values():
            if self._undone.is_full:
                return
            if link.upstream is not None or link.session.clients.by_id:
                waiting = link.upstream is not None and link.upstream.is_waiting
                self._as_own(self._decide, link, Tick(waiting))

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

        Raises KeyError for a network that the user does not have, TooManyClients.
        """
        if len(self.clients) >= MAX_CLIENTS:
            raise TooManyClients(f"{len(self.clients)} clients of yours are attached; end one")
        if network is None:
            link = Link(self.networks.no_network(self.user))
            attached = Attached(client.id, client.name, nick, caps, 0, autoplay=False)
        else:
            link = self._link(network)
            network_id = link.session.network.id
            record = await keeping.client_record(self._store, network_id, client.name)
            client.record_id = record.id
            self._cursors.see(record.id)
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
        if self._nursery is None:  # it has ended meanwhile
            client.drop("Not possible at this moment; reconnect")
        if not self.user.enabled:  # since the login
            client.drop(DISABLED)
        await self.post(link, attached)

    def _link(self, network: str) -> Link:
        """By the network's name, whatever its case: a phone writes the first letter large."""
        for name, link in self.links.items():
            if folded(name) == folded(network):
                return link
        raise KeyError(network)

    async def post(self, link: Link, event: Event) -> None:
        """Have an event decided, and performed in its turn; waits while too much is undone."""
        await self._undone.room()
        self._as_own(self._decide, link, event)

    def hand(self, link: Link, event: Event) -> Errand | None:
        """The same at once, where there is room; else how, to be waited for before the next."""
        if self._undone.is_full:
            return partial(self.post, link, event)
        self._as_own(self._decide, link, event)
        return None

    def leave(self, client: Attachment, delivered_id: int) -> None:
        """A client is gone, and known to have so much. Not for room to be waited for: who gave up
        waiting would stay attached for ever."""
        if client.link is not None:
            self._as_own(self._decide, client.link, Detached(client.id, delivered_id))

    def say(self, network: str, target: str, text: str) -> None:
        """Say a line on a network, if there is one. It comes seldom, and waits for no room."""
        if link := self.links.get(network):
            self._as_own(self._decide, link, BotSays(target, [text]))

    # --- deciding and performing ---

    def _as_own(self, fn: Callable[..., None], *args: Any) -> None:
        """Call it so that a fault of it ends the hub, not whoever happens to call."""
        if self._nursery is None:  # the hub has ended
            return
        try:
            fn(*args)
        except Exception as error:
            self._nursery.start_soon(_raise, error)

    def _decide(self, link: Link, event: Event) -> None:
        """Hand what is kept to the store; what is shown waits for its commit."""
        effects = link.session.receive(event, time.time_ns() // 1_000_000)
        batch = self._store.put(effects.keep) if effects.keep else None
        if batch is not None and batch is not self._awaited:
            self._awaited = batch
            batch.then(self._committed)
        decided = Decided(link, event, effects, batch)
        if batch is not None or self._undone:
            self._undone.put(decided)
        else:  # nothing to wait for, nobody to overtake
            self._perform(decided)

    def _committed(self) -> None:
        """Called at the end of a commit: nothing may be raised here."""
        self._awaited = None
        self._as_own(self._perform_undone)

    def _perform_undone(self) -> None:
        while (decided := self._undone.take()) is not None:
            self._perform(decided)

    def _perform(self, decided: Decided) -> None:
        link, _, effects, _ = decided
        self._show(effects)
        if effects.to_network and link.upstream is not None:
            refused = link.upstream.put(effects.to_network)
            if refused:
                self._not_sent(link, refused)
        self._perform_others(decided, iter(effects.others))

    def _not_sent(self, link: Link, refused: list[Message]) -> None:
        """It is kept as said, and so clients are told that nobody has heard it."""
        name = link.session.network.name
        log.warning("not sent", network=name, lines=len(refused))
        if said := sum(message.command in CHAT for message in refused):
            effects = Effects()
            why = "more wait to be sent than there is room for, or the connection is just gone"
            text = f"The last messages, {said} of them, did not reach {name}: {why}"
            link.session.notify(effects, text)
            self._show(effects)

    def _tell(self, client_id: int, lines: list[str]) -> None:
        if client := self.clients.get(client_id):
            client.tell(_on_the_wire(lines))

    def _show(self, effects: Effects) -> None:
        same: list[str] = []
        data = b""
        for client_id, lines in effects.to_clients.items():
            if client := self.clients.get(client_id):
                if lines != same:  # clients of one dialect mostly hear the same
                    same, data = lines, _on_the_wire(lines)
                client.tell(data)
        for client_id, sent_id in effects.sent_ids.items():
            if client := self.clients.get(client_id):
                client.put_id = sent_id

    def _perform_others(self, decided: Decided, others: Iterator[Effect]) -> None:
        """Perform one after another; from one that must be waited for, a task goes on."""
        assert self._nursery is not None
        for effect in others:
            if (errand := self._perform_other(decided.link, effect)) is not None:
                self._undone.hold()
                self._nursery.start_soon(self._run_errand, errand, decided, others)
                return
        event = decided.event
        if isinstance(event, Detached) and (gone := self.clients.pop(event.client, None)):
            self._cursors.see(gone.record_id)

    async def _run_errand(self, errand: Errand, decided: Decided, others: Iterator[Effect]) -> None:
        await errand()
        self._undone.release()
        self._perform_others(decided, others)
        self._perform_undone()

    def _perform_other(self, link: Link, effect: Effect) -> Errand | None:
        """Perform an effect, or say how."""
        assert self._nursery is not None
        match effect:
            case PlayBack():
                self._nursery.start_soon(self._fetching.read_page, link, effect)
            case Recall():
                self._nursery.start_soon(self._fetching.recall, link, effect)
            case Lookup():
                self._fetching.look_up(link, effect)
            case ServiceCommand() | OpsCommand() | NetworkCommand():
                self._answering.put(self.user, link, effect)
            case FollowNetworks():
                self.announcing.follow(effect)
            case Delivered(client_id, message_id):
                client = self.clients.get(client_id)
                if client is not None and client.record_id:
                    self._cursors.move(client.record_id, message_id)
            case DropClient(client_id, reason, clean):
                if client := self.clients.get(client_id):
                    client.quit_id = client.delivered_id if clean else 0
                    client.drop(reason)
            case NetworkCaps(caps):
                for client_id in link.session.clients.by_id:
                    self.clients[client_id].offer(caps)
            case DropNetwork():
                if link.upstream is not None:
                    link.upstream.drop(effect)
            case WantsTls():
                if link.upstream is not None:
                    return partial(link.upstream.wants_tls, effect)
            case Registered():
                if link.upstream is not None:
                    link.upstream.registered()
            case Push(subscription, line):
                self._pushes.put(self._nursery, subscription, line)
            case RememberNick(nick):
                return partial(self._remember_nick, link, nick)
            case _:
                return errand_of(effect, self._store, link.session.network.id)
        return None

    async def _remember_nick(self, link: Link, nick: str) -> None:
        await keeping.change_network(self._store, link.session.network.id, nick=nick)
        self.announcing.changed()


def _on_the_wire(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


async def _raise(error: BaseException) -> None:
    raise error
