"""What the session asks the network for itself: the answers are for no client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session import answers
from bouncer.session.effects import Effects

if TYPE_CHECKING:
    from bouncer.session.session import Session

OURS = -2  # in the place of a client's number: the session itself


def ask(session: Session, message: Message, out: Effects, asker: int = OURS) -> None:
    """Send a command of our own; its replies are told to nobody.

    A client's labelled command may be in hand: its answer stays its own.
    """
    in_hand = session.label, session.answer_in_hand
    session.label, session.answer_in_hand = "", None
    answers.ask(session, asker, message, out)
    session.label, session.answer_in_hand = in_hand


def watch(session: Session, nick: str, out: Effects) -> None:
    """Have the network tell when `nick` comes and goes: IRCv3 monitor."""
    session.monitoring.watch(session, OURS, [nick], out)


def unwatch(session: Session, nick: str, out: Effects) -> None:
    session.monitoring.unwatch(session, OURS, [nick], out)
