"""The two ends that a hub holds together: an attached client, and a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bouncer.connections.outbox import Outbox, OutboxFull
from bouncer.connections.upstream import Upstream
from bouncer.connections.wire_log import Tap, closed_tap
from bouncer.hub.ahead import Ahead
from bouncer.session.session import Session

MAX_CLIENTS = 100  # of one user at once: each may have a full outbox

log = structlog.get_logger("hub")


class TooManyClients(Exception):
    """There is no room for another client of this user."""


@dataclass(slots=True)
class Attachment:
    """A client's end of things: where its lines go, and how it is dropped."""

    id: int
    outbox: Outbox
    offer: Callable[[frozenset[str]], None]  # told the network's capabilities
    user: str = ""
    name: str = ""
    fingerprint: str = ""  # of the certificate that it has shown
    record_id: int = 0  # of its cursor; 0 for none
    link: Link | None = None
    put_id: int = 0  # the last message whose line, if it had one, is in the outbox or sent
    quit_id: int = 0  # what QUIT showed it to have
    follows_networks: bool = False  # soju.im/bouncer-networks-notify
    tap: Tap = field(default_factory=closed_tap)
    ahead: Ahead = field(default_factory=Ahead)

    @property
    def delivered_id(self) -> int:
        """The last message that it is known to have when it ends now, cleanly; 0 for unknown."""
        if self.quit_id:
            return self.quit_id
        return 0 if self.outbox.closed or self.outbox.waiting else self.put_id

    def tell(self, data: bytes) -> None:
        """Send it lines. One that reads too slowly for them is dropped, it alone."""
        if self.tap.is_open:
            self.tap.note("out", filter(None, data.decode("utf-8", "replace").split("\r\n")))
        try:
            self.outbox.put(data)
        except OutboxFull as full:
            log.info("client dropped", user=self.user, client=self.name, reason=str(full))
            self.drop(f"You read too slowly: {full}; reconnect to go on from where you were")

    def drop(self, reason: str) -> None:
        """Say why, and close when that is sent."""
        self.outbox.put_last(f"ERROR :{reason}\r\n".encode())


@dataclass(slots=True)
class Link:
    """One network of the user: the session, and the task that keeps it connected."""

    session: Session
    upstream: Upstream | None = None
