"""A split of the network, or its end, as one batch for clients that know batches.

People who go or come together are framed as far as the network says so in one go. Its own batch
tells what it is; without one, the reason of a QUIT does. Sources: IRCv3 batch, the types netsplit
and netjoin; RFC 1459 section 4.1.6.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bouncer.irc.wire import Message
from bouncer.session.effects import Effects

if TYPE_CHECKING:
    from bouncer.session.session import Session

# "the quit message is composed of the names of two servers involved, separated by a space"
_SERVERS = re.compile(r"([\w*-]+(?:\.[\w*-]+)+) ([\w*-]+(?:\.[\w*-]+)+)", re.ASCII)
KINDS = {"QUIT": "netsplit", "JOIN": "netjoin"}


class Event(NamedTuple):
    kind: str
    servers: tuple[str, ...]


class Netsplit:
    """The batch that is open towards clients, and what of the message in hand belongs to it."""

    def __init__(self) -> None:
        self._tag = ""  # of the QUIT or JOIN in hand
        self._open: Event | None = None
        self._reference = ""

    def take(self, session: Session, message: Message, out: Effects) -> None:
        """A QUIT or JOIN is about to be told: open a batch for it where it is of a split."""
        event = _event(session, message)
        self._tag = ""
        if event is None:
            return
        if event != self._open:
            self.close(session, out)
            self._open, self._reference = event, session.reference()
            _frame(session, (f"+{self._reference}", event.kind, *event.servers), out)
        self._tag = f"batch={self._reference}"

    def of(self, message: Message) -> str:
        """The tag of the message in hand, for clients that know batches."""
        return self._tag if message.command in KINDS else ""

    def is_over(self) -> None:
        """What is told of next is no part of it, QUIT or JOIN as it may be."""
        self._tag = ""

    def close(self, session: Session, out: Effects) -> None:
        """The network has nothing more to say for now."""
        if self._open is not None:
            self._open, self._tag = None, ""
            _frame(session, (f"-{self._reference}",), out)


def _event(session: Session, message: Message) -> Event | None:
    kind = KINDS[message.command]
    batch = session.batches.receive(message)
    if batch is not None:
        return Event(kind, batch.params) if batch.kind == kind else None
    reason = message.params[-1] if message.command == "QUIT" and message.params else ""
    servers = _SERVERS.fullmatch(reason)
    return Event(kind, servers.groups()) if servers is not None else None


def _frame(session: Session, params: tuple[str, ...], out: Effects) -> None:
    line = str(Message("BATCH", params, session.server_name))
    for dialect, clients, _ in session.clients.groups:
        if dialect.batch:
            for client in clients:
                out.tell(client.id, line)
