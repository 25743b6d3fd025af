"""Answers the questions that sessions ask of the store. Each is one transaction in a thread."""

from __future__ import annotations

from collections.abc import Callable

import outcome
import structlog
from outcome import Outcome
from sqlalchemy import Connection

from bouncer.irc.chathistory import MsgId, Selector, Subcommand, Timestamp
from bouncer.irc.people import matches
from bouncer.session.effects import PlayBack
from bouncer.session.lookups import (
    Answer,
    Done,
    Marker,
    NoAnswer,
    PlaySince,
    Question,
    ReadHistory,
    ReadMarker,
    Rows,
    Search,
    Subscribe,
    Targets,
    Unsubscribe,
)
from bouncer.session.stamps import AHEAD_MS
from storage import accounts, messages, search, subscriptions
from storage.errors import StorageError
from storage.messages import Position, Row
from storage.store import Store

MAX_PLAYED = 5_000  # messages of one `PLAY`
MAX_SKIPPED = 20  # pages of newer messages, before those that a client missed

Answered = Callable[[Outcome[Answer]], None]

log = structlog.get_logger("history")


class _UnknownMessage(LookupError):
    """A msgid that is not, or no longer, in the conversation."""


def backlog(connection: Connection, network_id: int, wanted: PlayBack, limit: int) -> list[Row]:
    """One page of what a client missed: the oldest rows, or the newest of one conversation."""
    after_id, upto_id, target = wanted.after_id, wanted.upto_id, wanted.target
    rows = messages.since(
        connection, network_id, after_id, limit if not target else 1, events=False
    )
    if not target or not rows:
        return rows
    found: list[Row] = []
    earliest = Position.before_ms(rows[0].time_ms - AHEAD_MS)  # numbers follow our clock alone
    before = messages.LAST_POSITION
    for _ in range(MAX_SKIPPED):
        page = messages.before(
            connection, network_id, target, before, limit, earliest, events=False
        )
        found = [row for row in page if after_id < row.id <= upto_id] + found
        if len(page) < limit or len(found) >= limit:
            break
        before = Position(page[0].time_ms, page[0].id)
    return found[-limit:]


def ask(store: Store, network_id: int, question: Question, answered: Answered) -> None:
    """Put one question to the store. `answered` is called in trio's thread and must neither wait
    nor raise; an error in it is a fault of ours."""

    def then(result: Outcome[Answer]) -> None:
        answered(outcome.capture(_answer, question, result))

    try:
        match question:
            case ReadMarker(time_ms=None):
                store.ask(then, _marker, network_id, question)
            case ReadMarker():
                store.order(then, _marker, network_id, question)
            case ReadHistory():
                store.ask(then, _history, network_id, question)
            case PlaySince():
                store.ask(then, _since, network_id, question)
            case Search():
                store.ask(then, _search, network_id, question)
            case Subscribe(subscription):
                store.order(then, subscriptions.put, subscription)
            case Unsubscribe(endpoint):
                store.order(then, _unsubscribe, network_id, endpoint)
    except StorageError as error:  # it is closed
        then(outcome.Error(error))


def _answer(question: Question, result: Outcome[Answer]) -> Answer:
    try:
        return result.unwrap()
    except _UnknownMessage:
        return NoAnswer(unknown_message=True)
    except StorageError as error:
        log.error("not answered", question=type(question).__name__, reason=str(error))
        return NoAnswer(unknown_message=False)


def _marker(connection: Connection, network_id: int, question: ReadMarker) -> Marker:
    if question.time_ms is None:
        return Marker(accounts.get_marker(connection, network_id, question.target))
    return Marker(accounts.put_marker(connection, network_id, question.target, question.time_ms))


def _unsubscribe(connection: Connection, network_id: int, endpoint: str) -> Done:
    subscriptions.remove(connection, network_id, endpoint)
    return Done()


def _since(connection: Connection, network_id: int, question: PlaySince) -> Rows:
    """The newest MAX_PLAYED messages of the buffers that match, in the order of their ids."""
    after, before = Position.after_ms(question.from_ms), messages.LAST_POSITION
    if question.to_ms is not None:
        before = Position.after_ms(question.to_ms)
    found = []
    for target in messages.buffer_targets(connection, network_id):
        if any(matches(wanted, target) for wanted in question.buffers):
            found += messages.before(
                connection, network_id, target, before, MAX_PLAYED, after, events=False
            )
    return Rows(sorted(found)[-MAX_PLAYED:])


def _search(connection: Connection, network_id: int, question: Search) -> Rows:
    return Rows(
        search.search(
            connection,
            network_id,
            question.text,
            question.sender,
            question.target,
            question.from_ms,
            question.to_ms,
            question.limit,
        )
    )


def _history(connection: Connection, network_id: int, question: ReadHistory) -> Rows | Targets:
    request = question.request
    if request.subcommand is Subcommand.TARGETS:
        assert isinstance(request.start, Timestamp)
        assert isinstance(request.end, Timestamp)
        bounds = (request.start.time_ms, request.end.time_ms)
        return Targets(messages.targets(connection, network_id, *bounds, request.limit))
    return Rows(_page(connection, network_id, question))


def _page(connection: Connection, network_id: int, question: ReadHistory) -> list[Row]:
    """IRCv3 chathistory: the selectors are exclusive, but for AROUND."""
    request, target, events = question.request, question.target, question.events
    limit = request.limit

    def at(selector: Selector | None, *, later: bool) -> Position:
        """Where the selector stands; a timestamp stands after (`later`) or before its
        millisecond."""
        match selector:
            case MsgId(msgid):
                numbers = question.numbers
                found = messages.find_msgid(connection, network_id, target, msgid, numbers)
                if found is None:
                    raise _UnknownMessage
                return found
            case Timestamp(time_ms):
                return Position.after_ms(time_ms) if later else Position.before_ms(time_ms)
        return messages.FIRST_POSITION

    match request.subcommand:
        case Subcommand.LATEST:
            after = at(request.start, later=True)
            return messages.latest(connection, network_id, target, limit, after, events=events)
        case Subcommand.BEFORE:
            before = at(request.start, later=False)
            return messages.before(connection, network_id, target, before, limit, events=events)
        case Subcommand.AFTER:
            after = at(request.start, later=True)
            return messages.after(connection, network_id, target, after, limit, events=events)
        case Subcommand.AROUND:
            middle = at(request.start, later=False)
            return messages.around(connection, network_id, target, middle, limit, events=events)
        case _:
            first, second = at(request.start, later=True), at(request.end, later=False)
            if first > second:  # backwards: counted from the later end
                first, second = at(request.start, later=False), at(request.end, later=True)
                if first <= second:  # both of one millisecond: nothing lies between
                    return []
            return messages.between(
                connection, network_id, target, first, second, limit, events=events
            )
