"""How far the user has read, told to all of their clients. Markers only move forward.

Sources: IRCv3 read-marker; soju.im/read, its forerunner, which says READ and the client's own mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bouncer.irc.read_marker import markread_line, parse_markread
from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.folding import Fold
from bouncer.session.lookups import ReadMarker
from bouncer.session.stamps import AHEAD_MS
from bouncer.session.unbound import is_unbound
from storage.records import Subscription

if TYPE_CHECKING:
    from bouncer.session.session import Session

FORMS = {"MARKREAD": "draft/read-marker", "READ": "soju.im/read"}


@dataclass(frozen=True, slots=True)
class Noted:
    """What the store has noted of a network's conversations: read markers (milliseconds) by folded
    target, pieces of the user's own metadata by (folded target, key), and who is called by Web
    Push."""

    markers: Mapping[str, int]
    marks: Mapping[tuple[str, str], str]
    subscriptions: Sequence[Subscription] = ()


NOTHING_NOTED = Noted(MappingProxyType({}), MappingProxyType({}))


class Markers:
    """The markers of one network by folded target; the store has them, too."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = dict(known)

    def of(self, target: str) -> int | None:
        return self._known.get(target)

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        known, self._known = self._known, {}
        for target, time_ms in known.items():
            self.move(refold(target), time_ms)

    def rename(self, target: str, new: str) -> None:
        """A conversation is called otherwise now. What is known of the new name stays."""
        if target in self._known:
            self._known.setdefault(new, self._known[target])

    def move(self, target: str, time_ms: int) -> bool:
        """Take a marker as the store has it now. True when that is news."""
        if time_ms <= self._known.get(target, -1):
            return False
        self._known[target] = time_ms
        return True


def markread(session: Session, client: Client, message: Message, out: Effects) -> None:
    """MARKREAD and READ: ask for a marker, or move it."""
    asked = parse_markread(message.params, message.command)
    target = session.target(asked.target)
    known = session.markers.of(target.folded)
    if asked.time_ms is None or (known is not None and asked.time_ms <= known):
        out.tell(client.id, line(session, client, message.command, asked.target, known))
        return
    if is_unbound(session):  # of talk with our service: a client marks it by itself
        session.markers.move(target.folded, asked.time_ms)
        out.tell(client.id, line(session, client, message.command, asked.target, asked.time_ms))
        return
    # "it can clamp it between the last read timestamp and the current time": read-marker
    time_ms = min(asked.time_ms, session.now_ms + AHEAD_MS)
    question = ReadMarker(target.folded, asked.target, time_ms, message.command)
    session.look_up(client, question, out)


def moved(session: Session, asker: Client, question: ReadMarker, time_ms: int, out: Effects) -> str:
    """The store has the marker: tell the others where it moved, and give the asker's answer."""
    if session.markers.move(question.target, time_ms):
        session.webpush.read(session, question.target, question.name, time_ms, out)
        for client in session.clients.by_id.values():
            if client is not asker:
                for told in lines(session, client, question.name):
                    out.tell(client.id, told)
    return line(session, asker, question.command, question.name, time_ms)


def lines(session: Session, client: Client, name: str) -> list[str]:
    """Where the marker of a conversation is, in the forms that the client has negotiated."""
    time_ms = session.markers.of(session.target(name).folded)
    return [
        line(session, client, command, name, time_ms)
        for command, cap in FORMS.items()
        if cap in client.dialect.caps
    ]


def line(session: Session, client: Client, command: str, name: str, time_ms: int | None) -> str:
    own_mask = session.state.mask if client.nick == session.state.nick else client.nick
    source = own_mask if command == "READ" else session.server_name
    return str(markread_line(name, time_ms, source)._replace(command=command))
