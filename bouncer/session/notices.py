"""Notices of servers: the answer to a command where one can tell, else for whoever is looking.

Old servers answer HELP, and many a command of operators, with notices. Between such a command and
the PONG to our PING behind it they are taken for its answer; with labeled-response the label tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.multiline import single_lines
from bouncer.irc.wire import Message
from bouncer.session import answers
from bouncer.session.effects import Effects
from bouncer.session.routing import Reply
from bouncer.session.telling import event

if TYPE_CHECKING:
    from bouncer.session.session import Session

# What servers tell operators unasked begins so: RFC 1459's own server, and all that came of it.
UNASKED = "*** Notice -- "


def heard(session: Session, message: Message, out: Effects) -> None:
    """A PRIVMSG or NOTICE of a server, or one to everybody."""
    before = session.reply
    if session.reply is None:
        session.reply = _answered(session, message)
    reply = session.reply
    asker = reply.question.asker if reply is not None else None
    only = asker if asker in session.clients.by_id else None
    addressee, text, *_ = message.params
    for part in single_lines(text):
        event(session, message._replace(params=(addressee, part)), out, only=only)
    if reply is not None and before is None:  # else who has found it out goes on with it
        answers.heard(session, reply, out)
        session.reply = None


def _answered(session: Session, message: Message) -> Reply | None:
    if "label=" in message.raw_tags or "batch=" in message.raw_tags:
        return answers.by_label(session, message)
    addressee, text, *_ = message.params
    if message.command != "NOTICE" or "!" in message.source or text.startswith(UNASKED):
        return None
    question = session.routing.hearing() if session.state.is_me(addressee) else None
    return Reply(question, last=False) if question is not None else None
