"""Being away while nobody is there, and with the user's own words when they said so themself.

A client that says `AWAY *` (IRCv3 pre-away) counts as nobody. What the user has set by hand stays,
also over reconnects, until they take it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.ours import ask

if TYPE_CHECKING:
    from bouncer.session.session import Session

AUTO_TEXT = "No client is attached"
NOBODY = "*"  # pre-away: "the user is not present for an unspecified reason"
GRACE_MS = 3_000  # a client that comes back at once was never gone
PRE_AWAY = "draft/pre-away"


class Presence:
    """What the network is to think of where the user is."""

    def __init__(self) -> None:
        self.by_hand = ""  # the user's own text, '' for none
        self.idle: set[int] = set()  # clients that run without their user
        self._said = ""  # what the network was told, '' for here
        self._nobody_since_ms: int | None = 0  # None while somebody is there

    def reset(self) -> None:
        """A new connection: the network takes us for here."""
        self._said = ""

    def asked(self, session: Session, client: Client, text: str, out: Effects) -> bool:
        """A client says AWAY; True when that needs no answer of the network."""
        if text == NOBODY and PRE_AWAY in client.dialect.caps:
            self.idle.add(client.id)
            numeric, line = "306", "You have been marked as being away"
            out.tell(client.id, str(Message(numeric, (client.nick, line), session.server_name)))
            self.update(session, out)
            return True
        self.idle.discard(client.id)
        self.by_hand = text
        self._said = text  # the client's own command says it
        self._nobody_since_ms = None
        if session.ready:
            return False
        numeric = "306" if text else "305"
        line = "You have been marked as being away" if text else "You are no longer away"
        out.tell(client.id, str(Message(numeric, (client.nick, line), session.server_name)))
        return True

    def came(self, client: Client, away: str) -> None:
        """A client is attached that had said AWAY before: IRCv3 pre-away."""
        if away == NOBODY:
            self.idle.add(client.id)
        elif away:
            self.by_hand = away

    def left(self, session: Session, client_id: int) -> None:
        self.idle.discard(client_id)
        if not session.clients.by_id:
            self._nobody_since_ms = session.now_ms

    def update(self, session: Session, out: Effects) -> None:
        """Tell the network where it does not know; after a moment where somebody left."""
        if all(client_id in self.idle for client_id in session.clients.by_id):
            if self._nobody_since_ms is None:
                self._nobody_since_ms = session.now_ms
        else:
            self._nobody_since_ms = None
        if not session.ready:
            return
        text = self.by_hand
        if not text and session.network.auto_away and self._nobody_since_ms is not None:
            if session.now_ms - self._nobody_since_ms < GRACE_MS:
                return
            text = AUTO_TEXT
        if text != self._said:
            self._said = text
            ask(session, Message("AWAY", (text,) if text else ()), out)
