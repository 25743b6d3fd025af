"""What a client asks of the store: questions the hub puts to the store, answers said in dialect.

A session cannot read the store. It emits `Lookup` with one of these questions; the answer comes
back as the event `Found`, with the client's label if it gave one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bouncer.irc.chathistory import HistoryRequest, MsgId, Subcommand, Timestamp
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


def end_of(question: ReadHistory, page: Rows) -> Row | None:
    """The message from which a client may go on; None where there is no more, or no way to."""
    request = question.request
    if request.subcommand not in _ONWARDS or len(page.rows) < request.limit:
        return None
    return page.rows[0] if request.subcommand.goes_back else page.rows[-1]


def next_page(question: ReadHistory, end: Row, *, by_time: bool) -> ReadHistory:
    """How a client goes on from a page that ends there: by the msgid of that message, or its
    time."""
    subcommand, target, _, _, limit = question.request
    start = Timestamp(end.time_ms) if by_time else MsgId(msgid_of(end))
    request = HistoryRequest(_ONWARDS[subcommand], target, start, None, limit)
    return ReadHistory(request, question.target, question.events, (end.id,) if end.msgid else ())


_ONWARDS = {
    Subcommand.LATEST: Subcommand.BEFORE,
    Subcommand.BEFORE: Subcommand.BEFORE,
    Subcommand.AFTER: Subcommand.AFTER,
}
