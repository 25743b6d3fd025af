"""What commands have changed of a network while it is in use: taken over at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session.effects import Effects
from bouncer.session.events import ChannelsWanted, NetworkSet
from bouncer.session.screen import Screen

if TYPE_CHECKING:
    from bouncer.session.session import Session


def network_set(session: Session, event: NetworkSet, out: Effects) -> None:
    """Something that needs no new connection."""
    session.network = event.network
    session.upkeep.network_set(session, out)


def channels_wanted(session: Session, event: ChannelsWanted, out: Effects) -> None:
    """Join and leave what the difference to the old list says; show and hide likewise."""
    wanted = {session.state.fold(name): (name, key) for name, key in event.channels}
    new = [pair for folded, pair in wanted.items() if folded not in session.wanted]
    gone = [pair for folded, pair in session.wanted.items() if folded not in wanted]
    session.wanted = wanted
    screen = Screen(event.settings, event.ignored)
    session.screen = session.screen.changed(session, screen, out)
    session.screened = screen.needed
    if session.ready:
        session.upkeep.places.join(session, new, out)
        left = [name for name, _ in gone if session.state.channel(name) is not None]
        out.to_network += [Message("PART", (name,)) for name in left]
