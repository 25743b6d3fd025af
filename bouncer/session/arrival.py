"""A client comes in: what it is greeted with, and how it gets what it missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from bouncer.irc.bouncer_networks import CAP as NETWORKS
from bouncer.irc.burst import channel_burst, isupport_lines, registration_burst
from bouncer.irc.isupport import is_replayed
from bouncer.irc.monitor import MAX_TARGETS
from bouncer.irc.people import Channel
from bouncer.irc.wire import Message
from bouncer.session import bouncer_networks, marks, metadata, playback, webpush
from bouncer.session.clients import Client
from bouncer.session.dialect import Dialect
from bouncer.session.effects import Effects, PlayBack
from bouncer.session.events import Attached, CapsChanged
from bouncer.session.reading import page_limit

if TYPE_CHECKING:
    from bouncer.session.session import Session

VERSION = "muster-0.1"
NO_NETWORK = (
    "This connection is for commands alone: /msg BouncerServ help. "
    "To be on a network, log in as user/network"
)


FETCH_MS = 5_000  # a client that has not fetched by then gets its backlog after all


# What the bouncer supports on every network, told in 005 also before registration.
TOKENS: Mapping[str, str | None] = MappingProxyType({
    "MSGREFTYPES": "msgid,timestamp",  # "in order of decreasing preference": chathistory
    "MONITOR": str(MAX_TARGETS),
    "WHOX": None,
    "UTF8ONLY": None,  # utf8-only: whatever a network sends, we say it in UTF-8
})  # fmt: skip


def is_theirs(token: str) -> bool:
    """Whether it is the network's alone to say."""
    return is_replayed(token) and token not in TOKENS


def own_tokens(session: Session, client: Client) -> dict[str, str | None]:
    """What the bouncer itself supports, in 005."""
    tokens = {**TOKENS, "CHATHISTORY": str(page_limit(session))}
    tokens |= bouncer_networks.tokens(session, client)
    if not session.ready and session.network.casemapping:
        tokens["CASEMAPPING"] = session.casemapping.token  # as the network has last told
    if session.ready and "message-tags" not in session.upstream_caps:
        tokens["CLIENTTAGDENY"] = "*"  # message-tags: the network would cut them off
    if session.webpush.vapid and webpush.CAP in client.dialect.caps:
        tokens["VAPID"] = session.webpush.vapid
    return tokens


def caps_changed(session: Session, event: CapsChanged, out: Effects) -> None:
    client = session.clients.by_id.get(event.client)
    if client is None:
        return
    before = client.dialect.caps
    new = event.caps - before
    session.clients.speak(client, event.caps)
    bouncer_networks.follow(client, before, out)
    # "If […] the client has enabled the `soju.im/webpush` capability, the server MUST advertise
    # its public key": soju.im/webpush
    if webpush.CAP in new and session.webpush.vapid:
        _tell_isupport(session, client, out)


def isupport(session: Session, client: Client) -> list[Message]:
    """The 005s for this client."""
    caps = client.dialect.caps
    known = session.state.isupport
    return isupport_lines(
        known, client.nick, session.server_name, caps, own_tokens(session, client)
    )


def tell_isupport(session: Session, out: Effects, gone: Sequence[str] = ()) -> None:
    """Tell every client what it has not been told yet of what the network supports. `gone` are
    tokens that it supports no more: `-TOKEN`."""
    own = session.server_name
    for client in session.clients.by_id.values():
        if gone:
            params = (client.nick, *gone, "are supported by this server")
            out.tell(client.id, str(Message("005", params, own)))
        _tell_isupport(session, client, out)


def _tell_isupport(session: Session, client: Client, out: Effects) -> None:
    lines = isupport(session, client)
    before, client.supported = client.supported, _hash(lines)
    if client.supported != before:
        for line in lines:
            out.tell(client.id, str(line))


def _hash(lines: list[Message]) -> int:
    """Of what they say is supported: all but the client's nick."""
    return hash(tuple(line.params[1:] for line in lines if line.command == "005"))


def attached(session: Session, event: Attached, out: Effects) -> None:
    known_id = event.delivered_id
    client = Client(
        id=event.client,
        name=event.name,
        nick=session.state.nick if session.ready else event.nick,
        dialect=Dialect(event.caps),
        sent_id=known_id,
        confirmed_id=known_id,
    )
    client.attached_ms = session.now_ms
    came_id = session.new_id()
    client.began = (known_id, came_id) if event.autoplay else None
    session.clients.add(client)
    session.upkeep.presence.came(client, event.away)
    greet(session, client, event.trouble, out)
    bouncer_networks.follow(client, frozenset(), out)
    if event.alarm:
        out.tell(client.id, session.service_line(client, event.alarm))
    if event.autoplay and playback.FETCHING & event.caps:
        client.live = True
        client.owed = known_id, came_id
    elif event.autoplay:
        playback.begin(session, client, known_id, out)
    else:
        client.live = True
        client.sent_id = session.last_kept_id


def tick(session: Session, out: Effects) -> None:
    """Play back what is owed to clients that could have fetched it and have not."""
    for client in session.clients.by_id.values():
        waited = session.now_ms - client.attached_ms >= FETCH_MS
        if client.owed is not None and waited and not client.played:
            client.played = True
            out.others.append(PlayBack(client.id, *client.owed))


def entering(session: Session, client: Client, channel: Channel) -> list[str]:
    """What a client sees on entering a channel that we are in."""
    caps = client.dialect.caps
    burst = channel_burst(session.state, channel, session.server_name, caps)
    join, *rest = map(str, burst)
    # "MUST be sent before the RPL_ENDOFNAMES reply for that channel": read-marker
    return [join, *marks.lines(session, client, channel.name), *rest]


def show(session: Session, folded: str, out: Effects) -> None:
    """Let every client enter a channel that we are in."""
    channel = session.state.channels.get(folded)
    if channel is not None:
        for client in session.clients.by_id.values():
            for line in entering(session, client, channel):
                out.tell(client.id, line)


def greet(session: Session, client: Client, trouble: str, out: Effects) -> None:
    """The registration burst, and the channels we are in."""
    caps = client.dialect.caps
    server_name = session.server_name
    tokens = own_tokens(session, client)
    burst = registration_burst(session.state, client.nick, server_name, VERSION, caps, tokens)
    client.supported = _hash(burst)
    for message in burst:
        out.tell(client.id, str(message))
    for message in metadata.greeting(session, client):
        out.tell(client.id, str(message))
    if not session.ready:
        name = session.network.name
        why = f" ({trouble})" if trouble else ""
        text = f"Not connected to {name} now{why}; still trying" if name else NO_NETWORK
        if name or NETWORKS not in caps:  # such a client knows
            out.tell(client.id, session.service_line(client, text))
        return
    for folded, channel in session.state.channels.items():
        if not session.screen.is_detached(folded):
            for line in entering(session, client, channel):
                out.tell(client.id, line)
    session.offer_caps(out)
