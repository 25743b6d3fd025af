"""As whom we come to a network, how it wants to be connected to (IRCv3 sts), and the end of a
connection it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bouncer.irc.registration import Identity
from bouncer.irc.sts import Policy
from bouncer.session import answers, chat
from bouncer.session.dialect import CHAT
from bouncer.session.effects import DropNetwork, Effects, WantsTls
from bouncer.session.events import Lost
from bouncer.session.services import sasl_login

UNCONFIRMED_MS = 120_000  # a network that takes longer to answer what it has is dropped before

if TYPE_CHECKING:
    from bouncer.session.session import Session
    from storage.records import Network


def identity_of(network: Network) -> Identity:
    """What is said at registration."""
    return Identity(
        nick=network.nick,
        ident=ident_of(network),
        realname=network.realname or network.nick,
        password=network.password,
        sasl=sasl_login(network),
        sasl_required=network.sasl_required,
    )


_NOT_IN_IDENTS = re.compile("[^A-Za-z0-9]")


def ident_of(network: Network) -> str:
    """The user name said at registration. Made of a nick it has only what all servers take there:
    ngIRCd lets nobody in as `al|away`, ircd-hybrid nobody as `al_`."""
    return network.ident or _NOT_IN_IDENTS.sub("", network.nick) or "user"


def heard(session: Session, out: Effects) -> None:
    """Its capabilities have changed: act on a policy among them, once."""
    registration = session.registration
    value = registration.negotiation.available.get("sts") if registration else None
    if value is None or value == session.sts:
        return
    session.sts = value
    policy = Policy.parse(value)
    if session.secure and policy.duration_s is not None:
        out.others.append(WantsTls(duration_s=policy.duration_s))
    elif not session.secure and policy.port is not None:
        # "it MUST close the insecure connection and reconnect securely on the stated port"
        out.to_network.clear()
        out.others.append(WantsTls(port=policy.port))


def drop_failed(session: Session, out: Effects) -> None:
    """Close the connection whose registration has failed, if it has."""
    failure = session.registration.failure if session.registration else None
    if failure is not None:
        text, permanent, banned = failure
        out.others.append(DropNetwork(text, permanent=permanent, banned=banned))


def keep_unconfirmed(session: Session, out: Effects) -> int:
    """What its user has said and the network has not said back, as echo-message does, may have been
    heard: it is kept. How many these are."""
    since_ms = session.routing.waits_since_ms or session.now_ms
    awaited = session.echoes.give_up(since_ms - UNCONFIRMED_MS)
    said = [echo for echo in awaited if echo.command in CHAT]
    for echo in said:
        answers.keep_own(session, echo, out, echo.said.heard_ms)
    return len(said)


def lost(session: Session, event: Lost, out: Effects) -> None:
    """The stream ended, or could not be had: nothing more comes of what was begun."""
    was_registered = session.is_registered
    chat.several(session, session.arriving.give_up(), out)
    session.replays.give_up(session, out)
    unconfirmed = keep_unconfirmed(session, out)
    session.registration = None
    session.ready = False
    answers.give_up(session, session.routing.clear(), out)
    _tell_lost(session, event, unconfirmed, out, was_registered=was_registered)


def _tell_lost(
    session: Session, event: Lost, unconfirmed: int, out: Effects, *, was_registered: bool
) -> None:
    """Tell clients that the connection is gone, and what with it; once for each reason, that there
    will be none."""
    name = session.network.name
    if event.refused and event.reason != session.told_refusal:
        session.told_refusal = event.reason
        again = "not tried again until its settings change"
        if event.retry_s is not None:
            again = f"tried again in {max(event.retry_s, 60) / 60:.0f} min"
        session.notify(out, f"{name} does not let us in: {event.reason}; {again}")
    elif was_registered:
        session.notify(out, f"The connection to {name} was lost: {event.reason}")
    if event.unsent:  # they are kept as said
        session.notify(out, f"The last messages, {event.unsent} of them, did not reach {name}")
    if (doubtful := unconfirmed - event.unsent) > 0:
        before = "before these" if event.unsent else "of them"
        session.notify(out, f"The last messages, {doubtful} {before}, may not have reached {name}")
