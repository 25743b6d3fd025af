"""How a network wants to be connected to (IRCv3 sts), and the end of a connection it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.sts import Policy
from bouncer.session.effects import DropNetwork, Effects, WantsTls

if TYPE_CHECKING:
    from bouncer.session.session import Session


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
