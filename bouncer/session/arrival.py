"""A client comes in: what it is greeted with, and how it gets what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.burst import channel_burst, registration_burst
from bouncer.session.clients import Client
from bouncer.session.dialect import Dialect
from bouncer.session.effects import Effects, PlayBack
from bouncer.session.events import Attached

if TYPE_CHECKING:
    from bouncer.session.session import Session

VERSION = "muster-0.1"
NO_NETWORK = (
    "This connection is for commands alone: /msg BouncerServ help. "
    "To be on a network, log in as user/network"
)


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
    session.clients.add(client)
    greet(session, client, event.trouble, out)
    if event.autoplay:
        out.others.append(PlayBack(client.id, known_id, session.last_kept_id))
    else:
        client.live = True
        client.sent_id = session.last_kept_id


def greet(session: Session, client: Client, trouble: str, out: Effects) -> None:
    """The registration burst, and the channels we are in."""
    caps = client.dialect.caps
    server_name = session.server_name
    for line in registration_burst(session.state, client.nick, server_name, VERSION, caps):
        out.tell(client.id, str(line))
    if not session.ready:
        name = session.network.name
        why = f" ({trouble})" if trouble else ""
        text = f"Not connected to {name} now{why}; still trying" if name else NO_NETWORK
        out.tell(client.id, session.service_line(client, text))
        return
    for channel in session.state.channels.values():
        for line in channel_burst(session.state, channel, server_name, caps):
            out.tell(client.id, str(line))
    session.offer_caps(out)
