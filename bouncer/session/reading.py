"""CHATHISTORY, SEARCH and MARKREAD: what a client asks of the history, and what it is told.

Sources: IRCv3 chathistory, read-marker; soju.im/search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.chathistory import (
    HISTORY_BATCH,
    TARGETS_BATCH,
    invalid_target,
    message_error,
    parse_request,
    target_line,
)
from bouncer.irc.read_marker import markread_line, parse_markread
from bouncer.irc.standard_replies import Refused
from bouncer.irc.timestamps import parse_time
from bouncer.irc.wire import Message, parse_tags
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.events import Found
from bouncer.session.lookups import (
    Marker,
    NoAnswer,
    ReadHistory,
    ReadMarker,
    Rows,
    Search,
    Targets,
)
from storage.messages import Row

if TYPE_CHECKING:
    from bouncer.session.session import Session

MAX_PAGE = 1_000  # messages of one answer
MAX_SEARCH = 100
SEARCH_BATCH = "soju.im/search"


def chathistory(session: Session, client: Client, message: Message, out: Effects) -> None:
    request = parse_request(message.params, session.chathistory_max or MAX_PAGE)
    target = session.target(request.target).folded if request.target else ""
    client.fetches = True
    session.look_up(client, ReadHistory(request, target), out)


def search(session: Session, client: Client, message: Message, out: Effects) -> None:
    """`SEARCH <attributes>`, attributes as message tags: in, from, after, before, text, limit."""
    asked = parse_tags(message.params[0])
    limit = asked.get("limit", "")
    number = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 9 else MAX_SEARCH
    question = Search(
        text=asked.get("text", ""),
        sender=asked.get("from", ""),
        target=session.target(asked["in"]).folded if asked.get("in") else "",
        from_ms=_time(asked.get("after", "")),
        to_ms=_time(asked.get("before", "")),
        limit=min(number, MAX_SEARCH),
    )
    session.look_up(client, question, out)


def _time(text: str) -> int | None:
    if not text:
        return None
    time_ms = parse_time(text)
    if time_ms is None:
        raise Refused("SEARCH", "INVALID_PARAMS", text, text="Invalid timestamp")
    return time_ms


def markread(session: Session, client: Client, message: Message, out: Effects) -> None:
    asked = parse_markread(message.params)
    target = session.target(asked.target)
    session.look_up(client, ReadMarker(target.folded, target.name, asked.time_ms), out)


def found(session: Session, client: Client, event: Found, out: Effects) -> None:
    """Say the answer to the client that asked; a moved marker to all that can read it."""
    match event.question, event.answer:
        case ReadHistory(request), Rows(rows):
            lines = batch(session, client, HISTORY_BATCH, request.target, rows)
        case ReadHistory(), Targets(targets):
            reference = session.reference()
            said = [
                f"@batch={reference} {target_line(name, time_ms, session.server_name)}"
                for name, time_ms in targets
            ]
            lines = framed(session, reference, TARGETS_BATCH, "", said)
        case Search(target=target), Rows(rows):
            lines = batch(session, client, SEARCH_BATCH, target, rows)
        case ReadMarker() as question, Marker(time_ms):
            line = str(markread_line(question.name, time_ms, session.server_name))
            lines = [line]
            if question.time_ms is not None:
                _tell_others(session, client, line, out)
        case _, NoAnswer(unknown_message):
            lines = [str(_failure(event, unknown_message).reply(session.server_name))]
        case _:
            raise AssertionError(f"{event.answer} is no answer to {event.question}")
    session.answer(client, event.label, lines, out)


def _failure(event: Found, unknown_message: bool) -> Refused:
    match event.question:
        case ReadHistory(request):
            return invalid_target(request) if unknown_message else message_error(request)
        case ReadMarker(_, name):
            return Refused("MARKREAD", "INTERNAL_ERROR", name, text="The marker cannot be read")
    return Refused("SEARCH", "INTERNAL_ERROR", text="The history cannot be searched now")


def _tell_others(session: Session, asker: Client, line: str, out: Effects) -> None:
    """read-marker: the server tells "all of the user's connections"."""
    for client in session.clients.by_id.values():
        if client is not asker and "draft/read-marker" in client.dialect.caps:
            out.tell(client.id, line)


def batch(session: Session, client: Client, kind: str, param: str, rows: list[Row]) -> list[str]:
    """The rows as one batch in the client's dialect."""
    reference = session.reference()
    inside = f"batch={reference}" if client.dialect.batch else ""
    lines = [client.dialect.backlog(row, inside) for row in rows]
    return framed(session, reference, kind, param, lines) if inside else lines


def framed(session: Session, reference: str, kind: str, param: str, lines: list[str]) -> list[str]:
    opening = f":{session.server_name} BATCH +{reference} {kind} {param}".rstrip()
    return [opening, *lines, f":{session.server_name} BATCH -{reference}"]
