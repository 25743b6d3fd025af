"""What a network's lines mean for a session: kept, relayed, answered or swallowed.

Chat takes the short path on top; everything else has a row in HANDLERS or is relayed as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bouncer.irc.burst import NO_IMPLICIT_NAMES
from bouncer.irc.who import extended
from bouncer.irc.wire import Message, ProtocolError
from bouncer.session import (
    answers,
    arrival,
    chat,
    fallbacks,
    folding,
    happenings,
    marks,
    netsplit,
    renames,
    tagged,
    transport,
)
from bouncer.session.dialect import CHAT, STANDARD_REPLIES
from bouncer.session.effects import Effects, Redact, Registered
from bouncer.session.monitoring import ABOUT_PEOPLE, POLLING
from bouncer.session.places import REFUSALS
from bouncer.session.replies import ENTERING
from bouncer.session.telling import event, tell_untold
from bouncer.session.upkeep import HEARS

if TYPE_CHECKING:
    from bouncer.session.session import Session

GREETING_END = frozenset({"376", "422"})
SEEN = frozenset({"JOIN", "NICK", "QUIT"})  # by which somebody shows to be here, or not
OWN_ACTS = frozenset({"KICK", "MODE", "PART", "SETNAME", "TOPIC"})  # they answer their command
# What the handshake goes on answering after registration.
HANDSHAKE = frozenset({
    "PING", "CAP", "AUTHENTICATE", "900", "901", "902", "903", "904", "905", "906", "907",
})  # fmt: skip
LOGGED = frozenset({"900", "901"})  # in or out, by SASL or otherwise: all clients are to know


def receive(session: Session, lines: list[str], out: Effects) -> None:
    """Take a chunk of lines."""
    simple = is_simple(session)
    for line in lines:
        if simple and chat.line(session, line, out):
            continue
        tell_untold(session, out)
        try:
            message = Message.parse(line)
        except ProtocolError:
            continue  # a server's fault that no one can act on
        take(session, message, out)
        simple = is_simple(session)
    tell_untold(session, out)
    session.netsplit.close(session, out)


def is_simple(session: Session) -> bool:
    """Whether a line of chat is a message by itself."""
    return session.ready and not session.arriving and not session.replays


def take(session: Session, message: Message, out: Effects) -> None:
    """Take one message, whatever it is."""
    if message.command in STANDARD_REPLIES and not message.params:
        return  # about nothing: a fault, too
    if not session.ready:
        greeting(session, message, out)
        return
    if session.replays and session.replays.takes(session, message, out):
        return
    if message.raw_tags or message.command == "BATCH":
        session.reply = answers.by_label(session, message)
    if message.command in CHAT:
        chat.message(session, message, out)
    else:
        if message.command == "NICK" and session.reply is not None:
            message = answers.from_who_we_were(session, message)
        if message.command in happenings.KEPT:
            message = happenings.keep(session, message, out)
        if message.command in netsplit.KINDS:
            session.netsplit.take(session, message, out)
        else:
            session.netsplit.is_over()
        HANDLERS.get(message.command, other)(session, message, out)
        if message.command in SEEN:
            session.monitoring.seen(session, message, out)
        if message.command in HEARS:
            session.upkeep.hear(session, message, out)
    if session.reply is not None:
        answers.heard(session, session.reply, out)
        session.reply = None


def greeting(session: Session, message: Message, out: Effects) -> None:
    """The handshake, and what a server tells everybody at first. Clients see none of it."""
    registration = session.registration
    if registration is None:  # a line that came with the end of its connection
        return
    if message.command == "ERROR":
        session.goodbye = message.params[-1] if message.params else "no reason given"
    was_registered = registration.registered
    out.to_network += registration.receive(message)
    session.state.receive(message)
    if message.command == "005":
        folding.heard(session)
    elif message.command == "CAP":
        transport.heard(session, out)
    if registration.failure is not None:
        transport.drop_failed(session, out)
    elif registration.registered and not was_registered:
        out.others.append(Registered())
    elif registration.registered and message.command in GREETING_END:
        session.welcomed(out)
    elif registration.registered and message.command in CHAT and "!" in message.source:
        chat.message(session, message, out)


# --- everything but chat, once the greeting is over ---


def other(session: Session, message: Message, out: Effects) -> None:
    """A command or numeric without a row: state takes it, who asked (or everybody) hears it."""
    instead = fallbacks.of(session, message)
    session.state.receive(message, session.now_ms // 1000)
    if not (message.command.isdigit() or message.command in STANDARD_REPLIES):
        for line, but in instead:
            event(session, line, out, but=but)
        own = message.command in OWN_ACTS and session.state.is_me(message.nick)
        if session.reply is None and own:
            session.reply = session.routing.settle(message.command, "".join(message.params[:1]))
        strangers = message.command in ABOUT_PEOPLE and not (
            session.state.is_me(message.nick) or session.state.user_named(message.nick)
        )
        for client in session.monitoring.watchers(session, message.nick) if strangers else (None,):
            event(session, message, out, only=client)
        return
    if session.reply is None:
        session.reply = session.routing.route(message)
    reply = session.reply
    if reply is not None and message.command[0] in "45F" and reply.question.command in CHAT:
        session.echoes.settled(reply.question)
    if message.command.isdigit() and not instead:  # what a standard reply is about it does say
        message = for_us(session, message)
    if reply is not None and reply.question.who is not None:
        asker = session.clients.by_id.get(reply.question.asker)
        caps = asker.dialect.caps if asker else frozenset[str]()
        message = extended(session.state, reply.question.who, message, caps)
    elif reply is not None and reply.question.asker == POLLING and message.command == "303":
        here = "".join(message.params[1:][-1:])
        session.monitoring.polled(session, reply.question.subject, here, out)
    # what follows a JOIN is for everybody: the channel is new to all
    everybody = reply is None or (reply.question.command == "JOIN" and message.command in ENTERING)
    only = None if everybody or reply is None else reply.question.asker
    # "servers MUST NOT send an implicit NAMES reply after sending a JOIN": no-implicit-names
    implicit = everybody and message.command in ("353", "366")
    for line, but in instead:
        event(session, line, out, only=only, but=but)
    event(session, message, out, only=only, but=NO_IMPLICIT_NAMES if implicit else ())


def handshake(session: Session, message: Message, out: Effects) -> None:
    if session.registration is not None:
        out.to_network += session.registration.receive(message)
    session.state.receive(message)
    if message.command == "CAP":
        transport.heard(session, out)
        session.offer_caps(out)
        if "echo-message" not in session.upstream_caps:
            transport.keep_unconfirmed(session, out)
    elif message.command in LOGGED:
        event(session, for_us(session, message), out)


def for_us(session: Session, message: Message) -> Message:
    """A numeric by the name of who hears it: the network may not say who that is."""
    if message.params[:1] != ("*",):
        return message
    return message._replace(params=(session.state.nick, *message.params[1:]))


def swallow(_session: Session, _message: Message, _out: Effects) -> None:
    """For us alone: an ACK to our own label."""


def batch(session: Session, message: Message, out: Effects) -> None:
    """The frame of a batch: for us alone, but that of a message of several lines."""
    for whole in session.arriving.batch(message):
        if not session.replays.takes(session, whole, out):
            chat.several(session, [whole], out)
    session.replays.batch(session, message, out)


def pong(session: Session, message: Message, out: Effects) -> None:
    """The answer to our own PING."""
    answers.pong(session, message.params[-1] if message.params else "", out)


def join(session: Session, message: Message, out: Effects) -> None:
    session.state.receive(message)
    if message.params and session.state.is_me(message.nick):
        name = message.params[0]
        session.reply = session.reply or session.routing.settle("JOIN", name)
        folded = session.state.fold(name)
        _, key = session.keys.pop(folded, session.wanted.get(folded, (name, "")))
        if session.has_room(folded) and folded in session.state.channels:
            session.remember(name, key, out)
    event(session, message, out)
    if message.params and session.state.is_me(message.nick):
        # "MUST be sent before the RPL_ENDOFNAMES reply for that channel": read-marker
        for client in session.clients.by_id.values():
            for line in marks.lines(session, client, message.params[0]):
                answers.tell(session, client.id, line, out)


def nick(session: Session, message: Message, out: Effects) -> None:
    mine = session.state.is_me(message.nick)
    session.state.receive(message)
    if mine:
        session.reply = session.reply or session.routing.settle("NICK", "")
        for client in session.clients.by_id.values():
            client.nick = session.state.nick
    event(session, message, out)


def join_refused(session: Session, message: Message, out: Effects) -> None:
    """An error about a channel: the session's own when it answers a JOIN of its own."""
    name = "".join(message.params[1:2])
    asked = session.keys.pop(session.state.fold(name), None) is not None  # by a client
    asked = asked or session.reply is not None
    if asked or not session.upkeep.places.refused(session, message, out):
        other(session, message, out)


def isupport(session: Session, message: Message, out: Effects) -> None:
    """What the network supports has changed. Clients are told what holds behind the bouncer."""
    session.state.receive(message)
    folding.heard(session)
    folding.remember(session, out)
    gone = [word for word in message.params[1:] if word[:1] == "-" and arrival.is_theirs(word[1:])]
    arrival.tell_isupport(session, out, gone)


def monitored(session: Session, message: Message, out: Effects) -> None:
    """730, 731 and 734: for the clients that watch whom they name."""
    session.state.receive(message)
    session.monitoring.heard(session, message, out)


def redact(session: Session, message: Message, out: Effects) -> None:
    """IRCv3 message-redaction: history shall "exclude it entirely"."""
    if len(message.params) >= 2:
        name, msgid = message.params[:2]
        target = session.target(name)
        if not target.is_channel and session.state.is_me(target.name):
            target = session.target(message.nick)
        out.others.append(Redact(target.folded, msgid))
    event(session, message, out)


def refused(session: Session, message: Message, out: Effects) -> None:
    """FAIL: a channel that we come back to may be called otherwise now."""
    about, *context = message.params
    if (about, *context[:1]) == ("JOIN", "CHANNEL_RENAMED") and len(context) >= 3:
        renames.missed(session, context[1], context[2], out)
    other(session, message, out)


def invite(session: Session, message: Message, out: Effects) -> None:
    to_me = bool(message.params) and session.state.is_me(message.params[0])
    event(session, message, out, to_me=to_me)
    if to_me:
        session.webpush.invited(session, message, out)


def error(session: Session, message: Message, _out: Effects) -> None:
    """The network's goodbye: the reason told when the stream ends."""
    session.goodbye = message.params[-1] if message.params else "no reason given"


Handler = Callable[["Session", Message, Effects], None]

HANDLERS: dict[str, Handler] = {
    "JOIN": join,
    "NICK": nick,
    "REDACT": redact,
    "RENAME": renames.heard,
    "FAIL": refused,
    "TAGMSG": tagged.heard,
    "INVITE": invite,
    "ERROR": error,
    "PONG": pong,
    "BATCH": batch,
    "005": isupport,
    "ACK": swallow,
    **dict.fromkeys(HANDSHAKE, handshake),
    **dict.fromkeys(REFUSALS, join_refused),
    "730": monitored,
    "731": monitored,
    "734": monitored,
}
