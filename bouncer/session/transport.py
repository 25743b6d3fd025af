"""How a network says it wants to be connected to. Source: IRCv3 sts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.sts import Policy
from bouncer.session.effects import Effects, WantsTls

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
