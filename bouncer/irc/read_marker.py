"""How far somebody has read: MARKREAD requests and what tells of them.

Source: IRCv3 read-marker. A marker only moves forward; that is for whoever keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bouncer.irc.standard_replies import Refused
from bouncer.irc.timestamps import format_time, parse_time
from bouncer.irc.wire import Message


class MarkRead(NamedTuple):
    """`time_ms` is None where the client asks for the marker; else it sets it."""

    target: str
    time_ms: int | None


def parse_markread(params: Sequence[str], command: str = "MARKREAD") -> MarkRead:
    """Raises Refused, whose `reply` the client is sent."""
    if not params or not params[0]:
        raise Refused(command, "NEED_MORE_PARAMS", text="Missing parameters")
    target = params[0]
    if " " in target:
        raise Refused(command, "INVALID_PARAMS", "*", text="Invalid target")
    if len(params) == 1:
        return MarkRead(target, None)
    kind, _, value = params[1].partition("=")
    time_ms = parse_time(value) if kind == "timestamp" else None
    if time_ms is None:
        raise Refused(command, "INVALID_PARAMS", target, text="Invalid timestamp")
    return MarkRead(target, time_ms)


def markread_line(target: str, time_ms: int | None, source: str) -> Message:
    """Where the marker is; `*` where there is none."""
    marker = "*" if time_ms is None else f"timestamp={format_time(time_ms)}"
    return Message("MARKREAD", (target, marker), source)
