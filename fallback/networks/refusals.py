"""What a network refuses us: a nick, an entry, a line to a channel or to a person. Pure.

Networks give numerics different meanings; what tells them apart is whom they name, and whether we
are there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message

MUTED_S = 300.0  # after this long we try to be heard again
TOO_FAST_S = 60.0  # Libera.Chat: "10, then one a minute", where the network does not say itself
LONGEST_S = 300.0
_SECONDS = re.compile(r"(\d{1,6}) ?s")

NICKS = frozenset({"432", "433", "437"})  # erroneous, in use, held by services
# 470: solanum sends us to another channel instead.
ENTRIES = frozenset(
    {"403", "405", "437", "439", "470", "471", "473", "474", "475", "477", "480", "489"}
)
SPEECH = frozenset({"404", "415", "477"})  # 415: solanum's +R; 477: OFTC's +M
TOO_FAST = frozenset({"439", "707"})  # of ircu and Unreal; of solanum, ERR_TARGCHANGE
# Gone; wants none but those who are logged in (Unreal, InspIRCd); asks before it hears us (+g).
UNREACHABLE = frozenset({"401", "486", "531", "716", "717"})


class What(Enum):
    """What is refused."""

    NICK = auto()
    ENTRY = auto()
    SPEECH = auto()
    PERSON = auto()  # takes no line from us
    TOO_MANY = auto()  # people written to; later, then


@dataclass(frozen=True, slots=True)
class Refusal:
    """`target` as the network names it, `wait_s` until it may be tried again."""

    what: What
    target: str
    why: str
    wait_s: float


def read_refusal(message: Message, state: NetworkState) -> Refusal | None:
    """What this message refuses, if it does."""
    target = message.params[1] if len(message.params) > 1 else ""
    what = _what(message.command, target, state)
    if what is None:
        return None
    why = message.params[-1] if message.params else ""
    return Refusal(what, target, why, _wait_s(why) if message.command in TOO_FAST else MUTED_S)


def _what(command: str, target: str, state: NetworkState) -> What | None:
    if not state.isupport.is_channel(target):
        if command in NICKS:
            return What.NICK
        if not target:
            return None
        if command in UNREACHABLE:
            return What.PERSON
        return What.TOO_MANY if command in TOO_FAST else None
    inside = state.channel(target) is not None
    if command in SPEECH | TOO_FAST and (inside or command not in ENTRIES):
        return What.SPEECH
    if command in NICKS and inside:
        return What.NICK  # ircu's 437: "Cannot change nickname while banned on channel"
    return What.ENTRY if command in ENTRIES else None


def _wait_s(why: str) -> float:
    found = _SECONDS.search(why)
    return min(max(float(found[1]), 1.0), LONGEST_S) if found else TOO_FAST_S
