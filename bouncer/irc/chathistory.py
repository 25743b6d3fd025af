"""What a client asks by CHATHISTORY, as a value; what is wrong with it, as a FAIL.

Source: IRCv3 chathistory. Pure; whether the target may be read is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from bouncer.irc.standard_replies import Refused
from bouncer.irc.timestamps import format_time, parse_time
from bouncer.irc.wire import Message

MAX_MSGID = 500  # characters; a longer one is nobody's
TARGETS_BATCH = "draft/chathistory-targets"
HISTORY_BATCH = "chathistory"


class Subcommand(Enum):
    LATEST = "LATEST"
    BEFORE = "BEFORE"
    AFTER = "AFTER"
    AROUND = "AROUND"
    BETWEEN = "BETWEEN"
    TARGETS = "TARGETS"

    @property
    def goes_back(self) -> bool:
        """Whether it asks for the newest, page after page."""
        return self in (Subcommand.LATEST, Subcommand.BEFORE)


class Timestamp(NamedTuple):
    """`timestamp=…`: milliseconds since 1970."""

    time_ms: int


class MsgId(NamedTuple):
    """`msgid=…`"""

    msgid: str


Selector = Timestamp | MsgId


class HistoryRequest(NamedTuple):
    """`start` is None for `LATEST … *`; `end` is there for BETWEEN and TARGETS alone, and may lie
    before `start`. `target` is '' for TARGETS. `limit` is at most what the server allows."""

    subcommand: Subcommand
    target: str
    start: Selector | None
    end: Selector | None
    limit: int


class _Form(NamedTuple):
    target: bool
    selectors: int


_FORMS = {
    Subcommand.LATEST: _Form(True, 1),
    Subcommand.BEFORE: _Form(True, 1),
    Subcommand.AFTER: _Form(True, 1),
    Subcommand.AROUND: _Form(True, 1),
    Subcommand.BETWEEN: _Form(True, 2),
    Subcommand.TARGETS: _Form(False, 2),
}


def parse_request(params: Sequence[str], max_limit: int) -> HistoryRequest:
    """Read the parameters of CHATHISTORY. Raises Refused, whose `reply` the client is sent.

    A limit above `max_limit` is cut to it, and 0 asks for as many as there may be; a `max_limit`
    of 0 is none.
    """
    if not params:
        raise _refused("INVALID_PARAMS", "*", text="Insufficient parameters")
    word = params[0].upper()
    try:
        subcommand = Subcommand(word)
    except ValueError:
        raise _refused("INVALID_PARAMS", params[0], text="Unknown command") from None
    form = _FORMS[subcommand]
    wanted = 1 + form.target + form.selectors + 1
    if len(params) < wanted:
        raise _refused("INVALID_PARAMS", word, text="Insufficient parameters")
    if len(params) > wanted:
        raise _refused("INVALID_PARAMS", word, text="Too many parameters")
    target = params[1] if form.target else ""
    selectors = [
        _selector(subcommand, target, text) for text in params[1 + form.target : wanted - 1]
    ]
    start, end = (*selectors, None)[:2]
    return HistoryRequest(subcommand, target, start, end, _limit(word, params[-1], max_limit))


def _selector(subcommand: Subcommand, target: str, text: str) -> Selector | None:
    if text == "*" and subcommand is Subcommand.LATEST:
        return None
    kind, _, value = text.partition("=")
    if kind == "timestamp":
        time_ms = parse_time(value)
        if time_ms is None:
            raise _refused("INVALID_PARAMS", subcommand.value, text, text="Invalid timestamp")
        return Timestamp(time_ms)
    if kind == "msgid" and subcommand is not Subcommand.TARGETS:
        if not 0 < len(value) <= MAX_MSGID:
            raise _refused("INVALID_PARAMS", subcommand.value, text, text="Invalid message id")
        return MsgId(value)
    context = (subcommand.value, target or "*", text)
    raise _refused("INVALID_MSGREFTYPE", *context, text="Use timestamp=… or msgid=…")


def _limit(word: str, text: str, max_limit: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise _refused("INVALID_PARAMS", word, text, text="Invalid limit")
    limit = int(text) or max_limit
    return min(limit, max_limit) if max_limit else limit


def _refused(code: str, *context: str, text: str) -> Refused:
    return Refused("CHATHISTORY", code, *context, text=text)


def invalid_target(request: HistoryRequest) -> Refused:
    """There is no such conversation, or not for this client."""
    context = (request.subcommand.value, request.target)
    return _refused("INVALID_TARGET", *context, text="Messages could not be retrieved")


def message_error(request: HistoryRequest) -> Refused:
    """The history cannot be read now."""
    context = (request.subcommand.value, request.target or "*")
    return _refused("MESSAGE_ERROR", *context, text="Messages could not be retrieved")


def target_line(name: str, latest_ms: int, server_name: str) -> Message:
    """One line of the answer to TARGETS: a conversation and the time of its latest message."""
    return Message("CHATHISTORY", ("TARGETS", name, format_time(latest_ms)), server_name)
