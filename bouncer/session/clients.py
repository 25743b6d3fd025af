"""One attached client as its session sees it: what it can read, has been sent and has confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from bouncer.irc.monitor import MonitorList
from bouncer.irc.multiline import MultilineReader
from bouncer.session.dialect import Dialect
from storage.message import Row

CONFIRM_TOKEN = "muster-"  # our PING's token: this and the message id that its PONG confirms
CONFIRM_EVERY_MS = 2_000
MAX_PAGE_ENDS = 64  # remembered; full: the memory starts anew
MAX_SAID = 1_000  # own messages during a playback; full: the playback tells the rest again


@dataclass(slots=True)
class Client:
    """`sent_id` is the last kept message put in its outbox, `confirmed_id` the last one that it
    is known to have. Until it is `live` the backlog brings it everything kept."""

    id: int
    name: str
    nick: str
    dialect: Dialect
    sent_id: int
    confirmed_id: int
    live: bool = False
    said: set[int] = field(default_factory=set)  # by itself, before it was live; bounded below
    owed: tuple[int, int] | None = None  # message ids (after, up to): what it may fetch itself
    played: bool = False  # what it is owed is on its way, for it has not fetched it
    attached_ms: int = 0
    # what it had when it came, and the message id of then; None where nothing is played back to it
    began: tuple[int, int] | None = None
    shown_id: int = 0  # it need not be told what was said before that in channels then attached
    awaits: str = ""  # a channel (folded): it is live again once it has what it missed there
    pasted: MultilineReader | None = None  # a message of several lines that is on its way
    pasted_label: str = ""
    subscriptions: set[str] = field(default_factory=set)  # metadata keys; bounded by metadata
    monitor: MonitorList | None = None
    page_ends: dict[str, int] = field(default_factory=dict)  # msgids of messages, their numbers
    supported: int = 0  # the hash of what it was told in 005
    asked_ms: int = 0  # when our last confirming PING was put
    asked_id: int = 0  # what its PONG will confirm

    @property
    def has_id(self) -> int:
        """The last message that it has, with all before it, once its outbox is empty."""
        return self.sent_id if self.owed is None else self.owed[0]

    def has_said(self, message_id: int) -> None:
        """It knows this message, for it has said it while it caught up."""
        if len(self.said) < MAX_SAID:
            self.said.add(message_id)

    def has_page(self, rows: list[Row]) -> None:
        """It was told these: it mostly goes on from one of their ends."""
        if len(self.page_ends) >= MAX_PAGE_ENDS:
            self.page_ends.clear()
        self.page_ends.update((row.msgid, row.id) for row in (*rows[:1], *rows[-1:]) if row.msgid)

    def fetched(self) -> None:
        """It reads the history itself: nothing has to be played back to it."""
        if self.owed is not None:
            self.sent_id = max(self.sent_id, self.owed[1])
            self.owed = None

    def confirmation(self, now_ms: int) -> str | None:
        """The PING that asks whether everything sent has arrived, when it is time for one."""
        if self.owed is not None or self.sent_id <= max(self.asked_id, self.confirmed_id):
            return None
        if 0 <= now_ms - self.asked_ms < CONFIRM_EVERY_MS:  # a clock may be set back
            return None
        self.asked_ms, self.asked_id = now_ms, self.sent_id
        return f"PING :{CONFIRM_TOKEN}{self.sent_id}"

    def confirmed(self, token: str) -> bool:
        """Take the token of a PONG. True when it confirms something new."""
        if not token.startswith(CONFIRM_TOKEN):
            return False
        number = token.removeprefix(CONFIRM_TOKEN)
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            return False
        message_id = min(int(number), self.asked_id)  # it cannot have what it was not sent
        if message_id <= self.confirmed_id:
            return False
        self.confirmed_id = message_id
        return True


class Group(NamedTuple):
    """The clients of one dialect."""

    dialect: Dialect
    clients: list[Client]
    ids: tuple[int, ...]


@dataclass(slots=True)
class Clients:
    """The attached clients, also grouped by dialect so that a line is rendered once for each."""

    by_id: dict[int, Client] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def add(self, client: Client) -> None:
        self.by_id[client.id] = client
        self._regroup()

    def remove(self, client_id: int) -> Client | None:
        client = self.by_id.pop(client_id, None)
        self._regroup()
        return client

    def speak(self, client: Client, caps: frozenset[str]) -> None:
        """The client has changed its capabilities."""
        client.dialect = Dialect(caps)
        self._regroup()

    def _regroup(self) -> None:
        groups: dict[Dialect, list[Client]] = {}
        for client in self.by_id.values():
            groups.setdefault(client.dialect, []).append(client)
        self.groups = [
            Group(dialect, clients, tuple(client.id for client in clients))
            for dialect, clients in groups.items()
        ]
