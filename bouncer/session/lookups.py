"""What a client asks of the store: questions the hub puts to the store, answers said in dialect.

A session cannot read the store. It emits `Lookup` with one of these questions; the answer comes
back as the event `Found`, with the client's label if it gave one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bouncer.irc.chathistory import HistoryRequest, MsgId, Selector, Subcommand, Timestamp
from storage.message import Row, msgid_of
from storage.records import Subscription


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """A CHATHISTORY request; `target` is the folded conversation, '' for TARGETS."""

    request: HistoryRequest
    target: str
    events: bool = False  # also who came and went, and the like
    # of messages that the client was told, with msgids asked for: a help that changes no answer
    numbers: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Search:
    """soju.im/search: the newest messages that match all that is given."""

    text: str
    sender: str
    target: str  # folded
    from_ms: int | None
    to_ms: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class ReadMarker:
    """How far the user has read in `target` (folded, called `name`); `time_ms` moves it."""

    target: str
    name: str
    time_ms: int | None
    command: str = "MARKREAD"


@dataclass(frozen=True, slots=True)
class PlaySince:
    """What was said in `buffers` (folded, with wildcards) after `from_ms` and before `to_ms`."""

    buffers: tuple[str, ...]
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Keep where a client wants to be called."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    endpoint: str


Question = ReadHistory | Search | ReadMarker | PlaySince | Subscribe | Unsubscribe


@dataclass(frozen=True, slots=True)
class Rows:
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Targets:
    """(name, epoch milliseconds of its latest message) pairs."""

    targets: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Marker:
    """The marker as it is now, None for none."""

    time_ms: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked has been done."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is none: an unknown msgid, or a store that cannot be read now."""

    unknown_message: bool


Answer = Rows | Targets | Marker | Subscription | Done | NoAnswer


def is_full(question: ReadHistory, page: Rows) -> bool:
    """Whether there may be more."""
    return len(page.rows) >= question.request.limit


def next_pages(question: ReadHistory, answer: Answer) -> list[ReadHistory]:
    """How a client may go on from a page: by the msgid, or the time, of its last message. Empty
    when there is no more, or the question is none that goes on."""
    if not isinstance(answer, Rows) or not answer.rows or not is_full(question, answer):
        return []
    request = question.request
    if request.subcommand.goes_back:
        command, last = Subcommand.BEFORE, answer.rows[0]
    elif request.subcommand is Subcommand.AFTER:
        command, last = Subcommand.AFTER, answer.rows[-1]
    else:
        return []
    ways: tuple[Selector, ...] = (MsgId(msgid_of(last)), Timestamp(last.time_ms))
    return [
        replace(
            question,
            request=request._replace(subcommand=command, start=way),
            numbers=(last.id,) if last.msgid else (),
        )
        for way in ways
    ]
