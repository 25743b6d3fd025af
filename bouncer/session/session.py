"""One user on one network: events in, effects out. Pure; the time comes with each event.

The session owns what the network has told us, the handshake with it and the list of attached
clients. `from_network` and `from_client` hold what single commands mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

from bouncer.irc.arriving import Arriving
from bouncer.irc.batch import OpenBatches
from bouncer.irc.caps import UPSTREAM_WANTED
from bouncer.irc.casemap import CaseMapping
from bouncer.irc.known import MAX_CHANNELS
from bouncer.irc.labels import label_lines
from bouncer.irc.people import Channel
from bouncer.irc.registration import UpstreamRegistration
from bouncer.irc.split import room_for_text, split_text
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message
from bouncer.session import (
    answers,
    arrival,
    folding,
    from_client,
    from_network,
    playback,
    reading,
    replays,
    settings,
    tagged,
    telling,
    transport,
)
from bouncer.session.clients import Client, Clients
from bouncer.session.echoes import Echoes
from bouncer.session.effects import (
    Delivered,
    DropNetwork,
    Effects,
    Lookup,
    NetworkCaps,
    OpsCommand,
    RememberChannel,
)
from bouncer.session.events import (
    Attached,
    BotSays,
    CapsChanged,
    ChannelsWanted,
    Connected,
    Detached,
    Event,
    Found,
    FromClient,
    FromNetwork,
    Lost,
    NetworkSet,
    PageRead,
    Recalled,
    ServiceSaid,
    SubscriptionGone,
    Tick,
)
from bouncer.session.folding import Target
from bouncer.session.lookups import Question
from bouncer.session.marks import NOTHING_NOTED, Markers, Noted
from bouncer.session.metadata import Marks
from bouncer.session.monitoring import Monitoring
from bouncer.session.netsplit import Netsplit
from bouncer.session.replays import Replays
from bouncer.session.routing import Asked, Reply, Routing
from bouncer.session.screen import Screen
from bouncer.session.upkeep import Upkeep
from bouncer.session.webpush import WebPush, subscription_gone
from storage.message import Row
from storage.records import Network

SERVICE = "BouncerServ"
MAX_TARGETS = 4_096  # names whose folding is remembered; full: the memory starts anew
QUIET_MS = 60_000  # a network silent for so long is pinged,
TICK_MS = 1_000
GREETED_MS = 10_000  # a greeting that is silent for so long has no MOTD to end it
DEAD_MS = 120_000  # and dropped when it stays silent for so long
PROBE = Message("PING", ("muster",))


class Session:
    """One user's life on one network, over any number of connections to it."""

    def __init__(
        self,
        network: Network,
        channels: Iterable[tuple[str, str]],
        *,
        server_name: str,
        new_id: Callable[[], int],
        ops_channel: str = "",
        chathistory_max: int = 0,
        noted: Noted = NOTHING_NOTED,
        vapid: str = "",
        screen: Screen | None = None,
    ) -> None:
        self.network = network
        self.server_name = server_name
        self.new_id = new_id
        self.ops_channel = ops_channel
        self.chathistory_max = chathistory_max  # messages of one answer; 0: our own bound
        self.label = ""  # of the command in hand; '' once somebody has taken it
        self.answer_in_hand: answers.Answer | None = None  # to it, where the answer goes on
        self.reply: Reply | None = None  # what the network's message in hand answers
        self.batches = OpenBatches()  # of the network
        self.arriving = Arriving()
        self.replays = Replays()
        self.netsplit = Netsplit()
        self._references = count(1)
        self.keys: dict[str, tuple[str, str]] = {}  # (name, key) of JOINs not answered yet
        self.casemapping = CaseMapping.named(network.casemapping or None)
        self.wanted = {self.casemapping.fold(name): (name, key) for name, key in channels}
        self.clients = Clients()
        self.markers = Markers(noted.markers)
        self.marks = Marks(noted.marks)
        self.webpush = WebPush(noted.subscriptions, vapid)
        self.monitoring = Monitoring()
        self.routing = Routing(self.casemapping.fold)
        self.upkeep = Upkeep()
        self.screen = screen or Screen()
        self.screen.begin(self.casemapping.fold)
        self.screened = self.screen.needed  # chat asks for no more than this
        self.echoes = Echoes()
        self.state = NetworkState(network.nick, self.casemapping)
        self.registration: UpstreamRegistration | None = None
        self.ready = False  # registered, and the greeting is over
        self.told_clock = False  # that the network's is ahead of ours
        self.told_refusal = ""  # why the network does not let us in, told once
        self.goodbye = ""  # the text of the network's ERROR
        self.secure = False  # the connection is by TLS
        self.sts = ""  # what the network has said of it
        self.now_ms = 0  # of the event in hand
        self.silent_ms = 0  # the network, by ticks: the clock may be set meanwhile
        self.last_kept_id = 0
        self.targets: dict[str, Target] = {}

    def receive(self, event: Event, now_ms: int) -> Effects:
        """Take one event; return everything it causes."""
        self.now_ms = now_ms
        out = Effects()
        _HANDLERS[type(event)](self, event, out)
        for client_id in list(out.to_clients):
            self._ask_for_confirmation(client_id, out)
        out.sent_ids = {client.id: client.has_id for client in self.clients.by_id.values()}
        return out

    # --- the connection to the network ---

    def connected(self, event: Connected, out: Effects) -> None:
        self.registration = UpstreamRegistration(
            transport.identity_of(self.network), UPSTREAM_WANTED
        )
        self.state = NetworkState(self.network.nick, self.casemapping)
        self.batches = OpenBatches()
        self.arriving = Arriving()
        self.echoes = Echoes()
        self.keys.clear()
        self.targets.clear()
        self.ready, self.goodbye = False, ""
        self.secure, self.sts = event.tls, ""
        self.upkeep.connected()
        self.monitoring.lost()
        self.silent_ms = 0
        out.to_network += self.registration.start()

    def from_network(self, event: FromNetwork, out: Effects) -> None:
        self.silent_ms = 0
        from_network.receive(self, event.lines, out)

    @property
    def is_registered(self) -> bool:
        return self.registration is not None and self.registration.registered

    @property
    def upstream_caps(self) -> dict[str, str]:
        return self.registration.caps if self.registration else {}

    def welcomed(self, out: Effects) -> None:
        """The greeting is over: be where the user wants to be."""
        self.ready = True
        self.told_refusal = ""
        self.state.greeted()
        folding.heard(self)
        folding.remember(self, out)
        for client in self.clients.by_id.values():
            if client.nick != self.state.nick:
                out.tell(client.id, f":{client.nick} NICK {self.state.nick}")
                client.nick = self.state.nick
        self.notify(out, f"Connected to {self.network.name} as {self.state.nick}")
        self.monitoring.welcomed(self, out)
        self.upkeep.welcomed(self, out)
        self.offer_caps(out)
        arrival.tell_isupport(self, out)
        for folded in self.state.channels:  # some networks put us there before their greeting ends
            if not self.screen.is_detached(folded):
                arrival.show(self, folded, out)

    # --- clients ---

    def attached(self, event: Attached, out: Effects) -> None:
        arrival.attached(self, event, out)
        self.upkeep.presence.update(self, out)

    def offer_caps(self, out: Effects) -> None:
        """Let clients have what the network has."""
        out.others.append(NetworkCaps(frozenset(self.upstream_caps)))

    def from_client(self, event: FromClient, out: Effects) -> None:
        for message in event.messages:
            client = self.clients.by_id.get(event.client)
            if client is None:  # it has said QUIT
                return
            from_client.receive(self, client, message, out)
            answers.give_up(self, self.routing.expired(self.now_ms), out)

    def page_read(self, event: PageRead, out: Effects) -> None:
        if client := self.clients.by_id.get(event.client):
            playback.play(self, client, event, out)

    def detached(self, event: Detached, out: Effects) -> None:
        client = self.clients.remove(event.client)
        if client is None:
            return
        self.routing.forget(client.id)
        self.monitoring.left(self, client, out)
        self.upkeep.presence.left(self, client.id)
        client.confirmed_id = max(client.confirmed_id, event.delivered_id)
        out.others.append(Delivered(client.id, client.confirmed_id))

    def confirmed(self, client: Client, token: str, out: Effects) -> None:
        if client.confirmed(token):
            out.others.append(Delivered(client.id, client.confirmed_id))

    def _ask_for_confirmation(self, client_id: int, out: Effects) -> None:
        client = self.clients.by_id.get(client_id)
        if client is not None and (ping := client.confirmation(self.now_ms)):
            out.tell(client.id, ping)

    # --- commands to the bouncer ---

    def bot_says(self, event: BotSays, out: Effects) -> None:
        mask = self.state.mask if "@" in self.state.mask else ""
        room = room_for_text("NOTICE", event.target, mask, self.state.isupport.linelen)
        for line in event.lines if self.ready else ():
            for piece in split_text(line, room):
                message = Message("NOTICE", (event.target, piece))
                from_client.say_to(self, answers.BOT, message, out)

    def change_network(self, **changes: Any) -> None:
        """Take over what is being written to the store."""
        self.network = replace(self.network, **changes)

    # --- time ---

    def tick(self, event: Tick, out: Effects) -> None:
        self.routing.ticked(self.now_ms, waiting=event.waiting)
        for client_id in self.clients.by_id:
            self._ask_for_confirmation(client_id, out)
        answers.give_up(self, self.routing.expired(self.now_ms), out)
        arrival.tick(self, out)
        self.monitoring.tick(self, out)
        self.upkeep.tick(self, out)
        if self.screened:
            self.screen.tick(self, out)
        if not self.is_registered:
            transport.drop_failed(self, out)
            return
        self.silent_ms += TICK_MS
        if not self.ready and self.silent_ms >= GREETED_MS:
            self.welcomed(out)
        if self.silent_ms >= DEAD_MS:
            text = f"{self.network.name} has not answered for {self.silent_ms // 1000} s"
            out.others.append(DropNetwork(text, silent=True))
        elif self.silent_ms == QUIET_MS:
            out.to_network.append(PROBE)

    # --- shared by the two directions ---

    def target(self, name: str) -> Target:
        """The conversation called `name`; for STATUSMSG (`@#channel`) the channel."""
        known = self.targets.get(name)
        if known is None:
            if len(self.targets) >= MAX_TARGETS:
                self.targets.clear()
            bare = self.state.isupport.without_status(name)
            is_channel = self.state.isupport.is_channel(bare)
            known = self.targets[name] = Target(self.state.fold(bare), bare, is_channel)
        return known

    def canonical(self, name: str) -> str:
        """The name as the network writes it, where we know that."""
        known = self.state.channel(name) or self.state.user_named(name)
        return name if known is None else known.name if isinstance(known, Channel) else known.nick

    def keep(
        self, row: Row, out: Effects, said: Asked | None = None, *, hidden: bool = False
    ) -> None:
        """Keep a message and tell it to the clients that follow live.

        `said` knows the client that said it: it hears itself only by echo-message. `hidden` is an
        own private message, which some clients cannot show.
        """
        out.keep.append(row)
        self.last_kept_id = row.id
        if self.screened and self.screen.takes(self, row, out):
            return
        telling.tell_row(self, row, out, said, hidden=hidden)

    def expect_echo(self, said: Asked, message: Message) -> None:
        """The network will say this own message back, or answer to its label; keep it then."""
        addressee, *text = message.params  # a TAGMSG has none
        folded, tags = self.target(addressee).folded, tagged.client_tags(message)
        self.echoes.expect(said, message.command, folded, "".join(text), tags)

    def ops_heard(self, message: Message, account: str, out: Effects) -> None:
        """Hand a bot command said in the ops channel on."""
        if self.ops_channel and message.params[1][:1] == "!":
            folded = self.state.fold(self.ops_channel)
            if self.state.fold(message.params[0]) == folded:
                out.others.append(OpsCommand(message, account))

    def has_room(self, folded: str) -> bool:
        """Whether one may be in this channel, too: clients and networks may ask without end."""
        return folded in self.wanted or len(self.wanted) < MAX_CHANNELS

    def remember(self, name: str, key: str, out: Effects) -> None:
        folded = self.state.fold(name)
        if self.wanted.get(folded) != (name, key):
            self.wanted[folded] = (name, key)
            out.others.append(RememberChannel(name, key))

    # --- answers, labelled where the client gave a label: IRCv3 labeled-response ---

    def reference(self) -> str:
        """A new name for a batch."""
        return f"m{next(self._references)}"

    def look_up(self, client: Client, question: Question, out: Effects) -> None:
        """Ask the store; the label of the command in hand goes with the answer."""
        out.others.append(Lookup(client.id, question, self.take_label()))

    def take_label(self) -> str:
        """The label of the command in hand, for an answer that comes later."""
        label, self.label = self.label, ""
        return label

    def answer(self, client: Client, label: str, lines: list[str], out: Effects) -> None:
        """Say the whole answer to one command; an empty one is an ACK."""
        if label:
            lines = label_lines(label, lines, self.server_name, self.reference())
        out.tell_lines(client.id, lines)

    def service_line(self, client: Client, text: str, service: str = SERVICE) -> str:
        return f":{service}!{service}@{self.server_name} NOTICE {client.nick} :{text}"

    def notify(self, out: Effects, text: str) -> None:
        """Tell every attached client something as the service."""
        for client in self.clients.by_id.values():
            out.tell(client.id, self.service_line(client, text))


_HANDLERS: dict[type, Callable[..., None]] = {
    Connected: Session.connected,
    FromNetwork: Session.from_network,
    Lost: transport.lost,
    Attached: Session.attached,
    CapsChanged: arrival.caps_changed,
    FromClient: Session.from_client,
    PageRead: Session.page_read,
    Found: reading.found,
    Recalled: replays.recalled,
    ServiceSaid: answers.service_said,
    Detached: Session.detached,
    ChannelsWanted: settings.channels_wanted,
    NetworkSet: settings.network_set,
    BotSays: Session.bot_says,
    SubscriptionGone: subscription_gone,
    Tick: Session.tick,
}
