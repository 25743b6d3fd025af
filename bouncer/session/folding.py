"""How the network folds names, and all that is kept by folded names when it folds them otherwise.

Until a greeting has told it, names are folded as they were when it last did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bouncer.session.effects import Effects, RememberCasemapping

if TYPE_CHECKING:
    from bouncer.session.session import Session

Fold = Callable[[str], str]


class Target(NamedTuple):
    """A conversation: a channel, or the other person of a private one."""

    folded: str
    name: str
    is_channel: bool


def heard(session: Session) -> None:
    """A 005 has been taken in, or what is missing in them: key everything anew where need be."""
    session.targets.clear()  # what is a channel, and what is not, may have changed, too
    before, now = session.casemapping, session.state.isupport.casemapping
    if now is before:
        return
    session.casemapping = now
    fold = session.routing.fold = now.fold
    settings = session.screen.settings.values()
    names = [name for name, _ in session.wanted.values()] + [each.name for each in settings]
    known = {before.fold(name): fold(name) for name in names}

    def refold(folded: str) -> str:
        """Of a name that is known only as it was folded it is folded again."""
        return known.get(folded) or fold(folded)

    session.wanted = {fold(name): (name, key) for name, key in session.wanted.values()}
    session.keys = {fold(name): (name, key) for name, key in session.keys.values()}
    session.screen.refold(refold)
    session.monitoring.refold(session)
    session.upkeep.places.refold(refold)
    session.markers.refold(refold)
    session.marks.refold(refold)
    session.webpush.refold(refold)
    session.echoes.refold(refold)


def remember(session: Session, out: Effects) -> None:
    """The network has told all that it tells: keep it for the next time."""
    token = session.casemapping.token
    if token != session.network.casemapping:
        session.change_network(casemapping=token)
        out.others.append(RememberCasemapping(token))
