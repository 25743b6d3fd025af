"""Events of conversations as they are kept: who came and went, changed a nick, a mode, a topic.

One row for each channel that saw it, as a client would have seen it there. Only clients with
draft/event-playback get them back. Source: IRCv3 chathistory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session import stamps
from bouncer.session.effects import Effects
from storage.message import Row, own_msgid

if TYPE_CHECKING:
    from bouncer.session.session import Session

IN_A_CHANNEL = frozenset({"JOIN", "PART", "KICK", "MODE", "TOPIC"})
EVERYWHERE = frozenset({"NICK", "QUIT"})  # in all channels that we share with somebody
KEPT = IN_A_CHANNEL | EVERYWHERE | {"TAGMSG"}
# Client-only tags worth keeping without a text; that somebody is typing is not.
REACTIONS = ("+draft/react=", "+draft/unreact=", "+react=", "+unreact=")


def keep(session: Session, message: Message, out: Effects) -> Message:
    """Keep it in every conversation concerned; the message with the msgid that it is kept under.

    To be asked before the state takes the message: a QUIT must be known to have been somewhere.
    """
    places = _places(session, message)
    if not places:
        return message
    time_ms, msgid, tags = stamps.read(session, message.raw_tags, out)
    addressee = message.params[0] if message.command == "TAGMSG" else ""
    text = _text(message)
    for target, name in places:
        row_id = session.new_id()
        row = Row(
            row_id, session.network.id, target, name, time_ms, msgid, message.command,
            message.source, tags, "" if addressee == name else addressee, text,
        )  # fmt: skip
        out.keep.append(row)
        msgid = msgid or own_msgid(row_id)  # one event, one msgid
    if "msgid=" in message.raw_tags:
        return message
    raw = f"msgid={msgid}"
    return message._replace(raw_tags=f"{raw};{message.raw_tags}" if message.raw_tags else raw)


def _places(session: Session, message: Message) -> list[tuple[str, str]]:
    """(folded target, name) of the conversations in which this is to be seen."""
    command, state = message.command, session.state
    if command in EVERYWHERE:
        return [(state.fold(c.name), c.name) for c in state.channels_of(message.nick)]
    if not message.params:
        return []
    if command == "TAGMSG":
        if not any(tag in message.raw_tags for tag in REACTIONS):
            return []
        if session.screened and session.screen.ignores(session, message.source):
            return []
        target = session.target(message.params[0])
        if not target.is_channel and state.is_me(target.name):
            target = session.target(message.nick)
        return [(target.folded, target.name)]
    return [
        (state.fold(name), name) for name in _channels(message) if _is_seen(session, message, name)
    ]


def _channels(message: Message) -> Iterable[str]:
    return message.params[0].split(",") if message.command == "PART" else message.params[:1]


def _is_seen(session: Session, message: Message, name: str) -> bool:
    if message.command == "JOIN" and session.state.is_me(message.nick):
        return session.state.fold(name) not in session.wanted  # coming back is no news
    return session.state.channel(name) is not None


def _text(message: Message) -> str:
    """What follows the channel on the line; see Row."""
    rest = message.params if message.command in EVERYWHERE else message.params[1:]
    if not rest or message.command == "TAGMSG":
        return ""
    if message.command in ("MODE", "NICK"):
        return " ".join(rest)
    return " ".join((*rest[:-1], ":" + rest[-1]))
