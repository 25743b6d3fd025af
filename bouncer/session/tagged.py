"""TAGMSG: client-only tags without a text, such as "is typing" and reactions.

They go on where the network takes tags; the user's other clients see them everywhere. Source: IRCv3
message-tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.timestamps import format_time
from bouncer.irc.wire import Message, format_tags
from bouncer.session import answers, happenings, stamps
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.routing import Reply

if TYPE_CHECKING:
    from bouncer.session.session import Session


def said(session: Session, client: Client, message: Message, out: Effects) -> None:
    """TAGMSG of a client."""
    message = message._replace(source="", raw_tags=client_tags(message))
    if not message.raw_tags or message.params[0].lower() in answers.OUR_SERVICES:
        return
    if "message-tags" not in session.upstream_caps:
        return  # CLIENTTAGDENY has told the client that nobody will see it
    echoed = "echo-message" in session.upstream_caps
    if echoed or answers.network_labels(session):
        asked = answers.ask(session, client.id, message, out, message.raw_tags, fence=False)
    else:
        asked = None
        out.to_network.append(message)
    if echoed and asked is not None:
        session.expect_echo(asked, message)
        return
    tags = answers.with_account(session, message.raw_tags)
    own = message._replace(source=session.state.mask, raw_tags=tags)
    relay(session, happenings.keep(session, own, out), out, sender=client.id)


def client_tags(message: Message) -> str:
    """The client-only tags of a message: IRCv3 message-tags, client-only tags."""
    return format_tags({name: value for name, value in message.tags.items() if name[:1] == "+"})


def heard(session: Session, message: Message, out: Effects) -> None:
    """The network says a TAGMSG; one of ours is the echo of what a client has said."""
    sender = None
    if message.params and session.state.is_me(message.nick):
        reply = session.reply = session.reply or _echo_of(session, message)
        sender = reply.question.asker if reply is not None else None
    if message.params:
        relay(session, message, out, sender)


def _echo_of(session: Session, message: Message) -> Reply | None:
    said = session.echoes.heard("TAGMSG", session.target(message.params[0]).folded)
    return Reply(said, last=True) if said is not None else None


def relay(session: Session, message: Message, out: Effects, sender: int | None) -> None:
    """Tell the clients that take it; the one that said it only where it wants echoes."""
    if session.screened and session.screen.hides(session, message):
        return
    own = session.state.is_me(message.nick)
    hidden = own and not session.target(message.params[0]).is_channel
    time_ms, msgid, tags = stamps.read(session, message.raw_tags, out)
    bare, time = message._replace(raw_tags=tags), format_time(time_ms)
    for dialect, clients, _ in session.clients.groups:
        if hidden and not dialect.own_private:
            continue
        line = dialect.adapt(bare, time, msgid)
        for client in clients if line else ():
            if client.id != sender or dialect.echo:
                answers.tell(session, client.id, line, out)
