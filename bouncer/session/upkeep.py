"""What a session does by itself for its user: the nick, the login, the channels, being away.

Each is a room of its own; this module says when they get their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session import places, wanted_nick
from bouncer.session.effects import Effects
from bouncer.session.places import Places
from bouncer.session.presence import Presence
from bouncer.session.services import NICKSERV, Services
from bouncer.session.wanted_nick import WantedNick

if TYPE_CHECKING:
    from bouncer.session.session import Session


class Upkeep:
    """The rooms of one session."""

    def __init__(self) -> None:
        self.nick = WantedNick()
        self.services = Services()
        self.places = Places()
        self.presence = Presence()

    def connected(self) -> None:
        """A new connection."""
        self.nick.reset()
        self.services.reset()
        self.places.reset()
        self.presence.reset()

    def welcomed(self, session: Session, out: Effects) -> None:
        """The greeting is over."""
        self.services.begin(session, out)
        self.presence.update(session, out)
        self._go_on(session, out)

    def network_set(self, session: Session, out: Effects) -> None:
        """A command has changed the network."""
        self.nick.changed(session, out)
        self.presence.update(session, out)

    def tick(self, session: Session, out: Effects) -> None:
        self.services.tick(session, out)
        self.presence.update(session, out)
        if session.ready:
            self._go_on(session, out)
            self.nick.tick(session, out)
            self.places.tick(session, out)

    def _go_on(self, session: Session, out: Effects) -> None:
        """Enter channels and see to the nick, once no login is under way any more."""
        if self.places.holding and not self.services.waiting:
            self.nick.begin(session, out)
            self.places.release(session, out)

    def hear(self, session: Session, message: Message, out: Effects) -> None:
        """Take what the network said when everything else has been done about it."""
        for handler in HEARS.get(message.command, ()):
            handler(self, session, message, out)
        if self.places.holding and not self.services.waiting:
            self._go_on(session, out)

    def notice(self, session: Session, nick: str, text: str, out: Effects) -> None:
        """A private notice, which may be NickServ's."""
        if session.ready and nick.lower() == NICKSERV.lower():  # before, nothing has begun
            self.services.said(session, text, out)
            self.nick.services_said(session, text, out)
            self._go_on(session, out)


Hears = Callable[[Upkeep, "Session", Message, Effects], None]


def _for_nick(upkeep: Upkeep, session: Session, message: Message, out: Effects) -> None:
    upkeep.nick.hear(session, message, out)


def _for_places(upkeep: Upkeep, session: Session, message: Message, out: Effects) -> None:
    upkeep.places.hear(session, message, out)


def _logged_in(upkeep: Upkeep, session: Session, _message: Message, out: Effects) -> None:
    upkeep.services.logged_in(session, out)
    upkeep.nick.begin_again(session, out)


def _login_failed(upkeep: Upkeep, *_unused: object) -> None:
    upkeep.services.failed()


def _mode(upkeep: Upkeep, session: Session, message: Message, out: Effects) -> None:
    upkeep.services.mode(session, message, out)


HEARS: dict[str, tuple[Hears, ...]] = {}
for _commands, _handler in (
    (wanted_nick.HEARS, _for_nick),
    (places.HEARS, _for_places),
    (("900",), _logged_in),
    (("902", "904", "905", "906"), _login_failed),
    (("MODE",), _mode),
):
    for _command in _commands:
        HEARS[_command] = (*HEARS.get(_command, ()), _handler)
