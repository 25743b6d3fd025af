"""What a client asks about its network: answered from what we know, else by the network.

A client asks much when it comes in, of each channel; every line of that would wait for the rate
limit, before what its user has to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.burst import mode_lines, names_lines, umode_line
from bouncer.irc.who import is_known, parse_who, who_lines
from bouncer.irc.wire import Message
from bouncer.session import answers, arrival, tagged
from bouncer.session.clients import Client
from bouncer.session.effects import Effects

if TYPE_CHECKING:
    from bouncer.session.session import Session


def reply(session: Session, client: Client, out: Effects, numeric: str, *params: str) -> None:
    line = Message(numeric, (client.nick, *params), session.server_name)
    out.tell(client.id, str(line))


def network_tags(session: Session, message: Message) -> str:
    """The tags of a client's message that its network understands."""
    if message.raw_tags and "message-tags" in session.upstream_caps:
        return tagged.client_tags(message)
    return ""


def forward(session: Session, client: Client, message: Message, out: Effects) -> None:
    answers.ask(session, client.id, message, out, network_tags(session, message))


def names(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Who is in a channel that we are in is known here."""
    channel = session.state.channel(message.params[0]) if message.params else None
    if channel is None or not channel.names_complete or len(message.params) > 1:
        forward(session, client, message, out)
        return
    caps = client.dialect.caps
    for line in names_lines(session.state, channel, session.server_name, caps):
        out.tell(client.id, str(line))


def mode(session: Session, client: Client, message: Message, out: Effects) -> None:
    """How a channel that we are in stands, and our own modes: known once somebody has asked."""
    name, *changes = message.params
    channel = session.state.channel(name)
    lines = []
    if not changes and channel is not None and channel.modes_known:
        lines = mode_lines(session.state, channel, session.server_name)
    elif not changes and session.state.is_me(name) and session.state.umodes_known:
        lines = [umode_line(session.state, client.nick, session.server_name)]
    else:
        forward(session, client, message, out)
    for line in lines:
        out.tell(client.id, str(line))


def who(session: Session, client: Client, message: Message, out: Effects) -> None:
    """WHOX for everybody: where the network lacks it from what we know, or from its plain WHO."""
    asked = parse_who(message.params)
    if not session.ready:
        reply(session, client, out, "315", asked.mask or "*", "End of WHO list")
    elif not asked.fields:
        forward(session, client, message, out)
    elif session.state.isupport.whox:
        tags = network_tags(session, message)
        answers.ask(session, client.id, message, out, tags).who = asked
    elif is_known(session.state, asked, follows_away="away-notify" in session.upstream_caps):
        for line in who_lines(session.state, asked, session.server_name, client.dialect.caps):
            out.tell(client.id, str(line))
    else:
        params = (asked.mask, "o") if asked.operators else (asked.mask,)
        question = answers.ask(session, client.id, Message("WHO", params), out)
        question.who = asked


def ison(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Clients ask it every minute or so: where no network is, nobody is."""
    if session.ready:
        forward(session, client, message, out)
    else:
        reply(session, client, out, "303", "")


def userhost(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Clients ask it about themselves at each start, and about those they watch."""
    if session.ready:
        forward(session, client, message, out)
    else:
        reply(session, client, out, "302", "")


def isupport(session: Session, client: Client, _message: Message, out: Effects) -> None:
    """IRCv3 extended-isupport: the ISUPPORT command."""
    for line in arrival.isupport(session, client):
        out.tell(client.id, str(line))


def motd(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Our own from what the network told us; another server's from the network."""
    if message.params and session.ready:
        forward(session, client, message, out)
        return
    lines = session.state.motd
    if lines is None:
        reply(session, client, out, "422", "MOTD File is missing")
        return
    server = session.state.server or session.server_name
    reply(session, client, out, "375", f"- {server} Message of the day -")
    for line in lines:
        reply(session, client, out, "372", line)
    reply(session, client, out, "376", "End of /MOTD command")
