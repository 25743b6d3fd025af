"""What a network plays back of its own history when we come in: kept where we have not heard it.

Channels with a history (mode +H of InspIRCd and UnrealIRCd), and bouncers and servers that hold a
session for us, say their last lines at each JOIN. The lines of such a batch are collected, what we
have of their time is read, and the rest is said. Source: IRCv3 chathistory, the batch type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session import chat, stamps
from bouncer.session.dialect import CHAT
from bouncer.session.effects import Effects, Recall
from bouncer.session.events import Recalled
from storage.message import Row

if TYPE_CHECKING:
    from bouncer.session.session import Session

KINDS = frozenset({"chathistory", "znc.in/playback"})
MAX_OPEN = 16  # batches at once; full: one more is said as it is
MAX_WAITING = 20_000  # lines that wait for the store; full: one more batch is said as it is
MAX_LINES = 1_000  # of one batch; full: they are taken for all of it, and what still comes for more
AROUND_MS = 1_000  # some servers remember whole seconds


@dataclass(slots=True)
class _Replay:
    target: str  # as the network names it
    lines: list[Message] = field(default_factory=list)


class Replays:
    """The batches of one network that are open, and those whose lines wait for the store."""

    def __init__(self) -> None:
        self._open: dict[str, _Replay] = {}
        self._waiting: dict[str, list[Message]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def batch(self, session: Session, message: Message, out: Effects) -> None:
        """Take a BATCH of any kind."""
        word = message.params[0] if message.params else ""
        sign, reference = word[:1], word[1:]
        if sign == "-" and (ended := self._open.pop(reference, None)):
            self._recall(session, ended, out)
        _, kind, target, *_ = (*message.params, "", "", "")
        if sign == "+" and kind in KINDS and target and len(self._open) < MAX_OPEN:
            self._open[reference] = _Replay(target)

    def takes(self, session: Session, message: Message, out: Effects) -> bool:
        """Whether the message is of such a batch. What happened then is not to happen again."""
        replay = self._open.get(message.tags.get("batch", ""))
        if replay is None or message.command == "BATCH":
            return False
        if message.command in CHAT and len(message.params) > 1:
            replay.lines.append(message)
            if len(replay.lines) >= MAX_LINES:
                self._recall(session, replay, out)
                replay.lines = []
        return True

    def give_up(self, session: Session, out: Effects) -> None:
        """The connection is gone: what has come of them is all."""
        for replay in self._open.values():
            self._recall(session, replay, out)
        self._open.clear()

    def _recall(self, session: Session, replay: _Replay, out: Effects) -> None:
        if not replay.lines:
            return
        if sum(map(len, self._waiting.values())) >= MAX_WAITING:
            chat.several(session, replay.lines, out)
            return
        times = [stamps.read(session, line.raw_tags, out)[0] for line in replay.lines]
        reference = session.reference()
        self._waiting[reference] = replay.lines
        target = session.target(replay.target).folded
        span = (min(times) - AROUND_MS, max(times) + AROUND_MS)
        out.others.append(Recall(reference, target, *span))

    def recalled(self, session: Session, event: Recalled, out: Effects) -> None:
        """Say what is not among what we have."""
        known = _Known(event.rows)
        lines = self._waiting.pop(event.reference, [])
        new = [line for line in lines if not known.has(session, line, out)]
        chat.several(session, new, out)


class _Known:
    """Messages that we have: by msgid, else by who said what in which second."""

    def __init__(self, rows: list[Row]) -> None:
        self._msgids = {row.msgid for row in rows if row.msgid}
        self._said = {_said(row.time_ms, row.source, row.text) for row in rows}
        self._unnamed = {_said(row.time_ms, row.source, row.text) for row in rows if not row.msgid}

    def has(self, session: Session, line: Message, out: Effects) -> bool:
        time_ms, msgid, _ = stamps.read(session, line.raw_tags, out)
        said = _said(time_ms, line.source, line.params[1])
        if msgid:
            return msgid in self._msgids or said in self._unnamed
        return said in self._said


def _said(time_ms: int, source: str, text: str) -> tuple[int, str, str]:
    return time_ms // 1000, source.partition("!")[0], text


def recalled(session: Session, event: Recalled, out: Effects) -> None:
    """What the store has of the time of a replay."""
    session.replays.recalled(session, event, out)
