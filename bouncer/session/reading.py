"""CHATHISTORY and SEARCH: what a client asks of the history, and what it is told.

Sources: IRCv3 chathistory; soju.im/search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.chathistory import (
    HISTORY_BATCH,
    TARGETS_BATCH,
    MsgId,
    invalid_target,
    message_error,
    parse_request,
    target_line,
)
from bouncer.irc.standard_replies import Refused
from bouncer.irc.timestamps import parse_time
from bouncer.irc.wire import Message, parse_tags
from bouncer.session import marks, playback, webpush, znc
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.events import Found
from bouncer.session.lookups import (
    Marker,
    NoAnswer,
    PlaySince,
    ReadHistory,
    ReadMarker,
    Rows,
    Search,
    Subscribe,
    Targets,
    Unsubscribe,
)
from storage.message import Row

if TYPE_CHECKING:
    from bouncer.session.session import Session

MAX_PAGE = 1_000  # messages of one answer
MAX_SEARCH = 100
SEARCH_BATCH = "soju.im/search"


def page_limit(session: Session) -> int:
    """How many messages one answer has at most."""
    return min(session.chathistory_max or MAX_PAGE, MAX_PAGE)


def chathistory(session: Session, client: Client, message: Message, out: Effects) -> None:
    request = parse_request(message.params, page_limit(session))
    target = session.target(request.target).folded if request.target else ""
    request = request._replace(target=session.canonical(request.target))
    client.fetched()
    client.played = False  # it knows how to
    events = "draft/event-playback" in client.dialect.caps
    asked = [at.msgid for at in (request.start, request.end) if isinstance(at, MsgId)]
    numbers = tuple(client.page_ends[msgid] for msgid in asked if msgid in client.page_ends)
    session.look_up(client, ReadHistory(request, target, events, numbers), out)


def search(session: Session, client: Client, message: Message, out: Effects) -> None:
    """`SEARCH <attributes>`, attributes as message tags: in, from, after, before, text, limit."""
    asked = parse_tags(message.params[0])
    limit = asked.get("limit", "")
    number = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 9 else MAX_SEARCH
    # "at or after", "at or before"; the store's bounds are exclusive
    after, before = _time(asked.get("after", "")), _time(asked.get("before", ""))
    question = Search(
        text=asked.get("text", ""),
        sender=asked.get("from", ""),
        target=session.target(asked["in"]).folded if asked.get("in") else "",
        from_ms=None if after is None else after - 1,
        to_ms=None if before is None else before + 1,
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


def found(session: Session, event: Found, out: Effects) -> None:
    """Say the answer to the client that asked; a moved marker to all that can read it."""
    session.webpush.answered(event)
    client = session.clients.by_id.get(event.client)
    if client is None:
        return
    match event.question, event.answer:
        case ReadHistory(request), Rows(rows):
            client.has_page(rows)
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
            assert time_ms is not None
            lines = [marks.moved(session, client, question, time_ms, out)]
        case PlaySince(), Rows(rows):
            lines = playback.conversations(session, client, rows, znc.BATCH)
        case ((Subscribe() | Unsubscribe()), _):
            lines = [webpush.answer(session, event)]
        case _, NoAnswer(unknown_message):
            lines = [str(_failure(event, unknown_message).reply(session.server_name))]
        case _:
            raise AssertionError(f"{event.answer} is no answer to {event.question}")
    session.answer(client, event.label, lines, out)


def _failure(event: Found, unknown_message: bool) -> Refused:
    match event.question:
        case ReadHistory(request):
            return invalid_target(request) if unknown_message else message_error(request)
        case ReadMarker(name=name, command=command):
            return Refused(command, "INTERNAL_ERROR", name, text="The marker cannot be kept now")
    return Refused("SEARCH", "INTERNAL_ERROR", text="The history cannot be searched now")


def batch(session: Session, client: Client, kind: str, param: str, rows: list[Row]) -> list[str]:
    """The rows as one batch in the client's dialect."""
    reference = session.reference()
    inside = f"batch={reference}" if client.dialect.batch else ""
    lines = client.dialect.page(rows, inside)
    return framed(session, reference, kind, param, lines) if inside else lines


def framed(session: Session, reference: str, kind: str, param: str, lines: list[str]) -> list[str]:
    opening = f":{session.server_name} BATCH +{reference} {kind} {param}".rstrip()
    return [opening, *lines, f":{session.server_name} BATCH -{reference}"]
