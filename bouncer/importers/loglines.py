"""The common log format: `[12:34:56] <nick> text`, a file per day and conversation. Pure.

Written by ZNC's log module, by soju's file store, and by `bouncer history export`. Times are local
and to the second; lines of one second are told apart by milliseconds in the order of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from bouncer.irc.casemap import CaseMapping
from bouncer.irc.wire import Message
from bouncer.session.secrets import is_secret
from storage.messages import Row

Fold = Callable[[str], str]


def fold_of(casemapping: str) -> Fold:
    """How the network folds names, as we have heard from it (`Network.casemapping`). Logs do not
    tell; what is brought before it was reached is renamed then."""
    return CaseMapping.named(casemapping or None).fold


FOLD = fold_of("")
CHANNEL_SIGNS = "#&+!"

_TIMED = re.compile(r"\[([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)\] (.*)", re.DOTALL | re.ASCII)
_CHAT = (
    (re.compile(r"<([^ >]+)> (.*)", re.DOTALL), "PRIVMSG", "{}"),
    (re.compile(r"-([^ ]+?)- (.*)", re.DOTALL), "NOTICE", "{}"),
    (re.compile(r"\* ([^ ]+) (.*)", re.DOTALL), "PRIVMSG", "\x01ACTION {}\x01"),
)
_MASK = r"([^ ]+) \(([^ ]*)\)"
_EVENTS = (
    (re.compile(rf"Joins: {_MASK}"), "JOIN"),
    (re.compile(rf"Parts: {_MASK} \((.*)\)", re.DOTALL), "PART"),
    (re.compile(rf"Quits: {_MASK} \((.*)\)", re.DOTALL), "QUIT"),
    (re.compile(r"([^ ]+) was kicked by ([^ ]+) \((.*)\)", re.DOTALL), "KICK"),
    (re.compile(r"([^ ]+) is now known as ([^ ]+)"), "NICK"),
    (re.compile(r"([^ ]+) changes topic to '(.*)'", re.DOTALL), "TOPIC"),
    (re.compile(r"([^ ]+) sets mode: (.*)", re.DOTALL), "MODE"),
)


class Said(NamedTuple):
    """What a line says: text as `storage.messages.Row` wants it, second of the day."""

    second: int
    command: str
    source: str
    text: str


def parse_line(line: str) -> Said | None:
    """One line without its newline; None for what is no message (dates, connects, strange ones)."""
    timed = _TIMED.fullmatch(line)
    if timed is None:
        return None
    hours, minutes, seconds, rest = timed.groups()
    second = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    if rest.startswith("*** "):
        return _event(second, rest[4:])
    for pattern, command, form in _CHAT:
        found = pattern.fullmatch(rest)
        if found:
            return Said(second, command, found[1], form.format(found[2]))
    return None


def _event(second: int, text: str) -> Said | None:
    for pattern, command in _EVENTS:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        words = found.groups()
        match command:
            case "JOIN":
                return Said(second, command, f"{words[0]}!{words[1]}", "")
            case "PART" | "QUIT":
                reason = f":{words[2]}" if words[2] else ""
                return Said(second, command, f"{words[0]}!{words[1]}", reason)
            case "KICK":
                return Said(second, command, words[1], f"{words[0]} :{words[2]}")
            case "MODE":
                return Said(second, command, words[0], words[1])
            case _:
                return Said(second, command, words[0], f":{words[1]}")
    return None


class Conversation(NamedTuple):
    """Whose log it is: `window` is the channel or the other's nick, `own_nick` the user's."""

    network_id: int
    window: str
    own_nick: str
    fold: Fold = FOLD


def rows_of(
    lines: Iterable[str], day: date, zone: tzinfo | None, conversation: Conversation
) -> Iterator[Row | None]:
    """A row (its id 0) per line of a day's file, None for a line that gives none.

    `zone` None is this machine's own.

    What must not be kept (passwords said to services) gives none.
    """
    network_id, window, own_nick, fold = conversation
    folded = fold(window)
    is_channel = window[:1] in CHANNEL_SIGNS
    midnight = datetime(day.year, day.month, day.day)
    last_s, same = -1, 0
    later = 0  # hours gone back in the night when summer time ends
    for line in lines:
        said = parse_line(line)
        if said is None:
            yield None
            continue
        if said.second < last_s - 1800:
            later = 1
        same = min(same + 1, 999) if said.second == last_s else 0
        last_s = said.second
        local = (midnight + timedelta(seconds=said.second)).replace(tzinfo=zone, fold=later)
        time_ms = int(local.timestamp()) * 1000 + same
        addressee = ""
        if not is_channel and fold(said.source.partition("!")[0]) == folded:
            addressee = own_nick
        if not addressee and is_secret(window, said.text):
            yield None
            continue
        yield Row(
            0, network_id, folded, window, time_ms, "", said.command, said.source, "", addressee,
            said.text,
        )  # fmt: skip


def format_row(row: Row) -> str:
    """The line of a row without time, '' for what the format has no form for."""
    nick, _, mask = row.source.partition("!")
    if row.command not in ("PRIVMSG", "NOTICE"):
        return _format_event(row, nick, mask)
    match row.command:
        case "PRIVMSG" if row.text.startswith("\x01ACTION "):
            return f"* {nick} {row.text[8:].rstrip(chr(1))}"
        case "PRIVMSG":
            return f"<{nick}> {row.text}"
        case _:
            return f"-{nick}- {row.text}"


def _format_event(row: Row, nick: str, mask: str) -> str:
    params = Message.parse(f"X {row.text}").params
    first, last = (params[0], params[-1]) if params else ("", "")
    match row.command:
        case "JOIN":
            return f"*** Joins: {nick} ({mask})"
        case "PART" | "QUIT":
            return f"*** {row.command.title()}s: {nick} ({mask}) ({last})"
        case "KICK":
            reason = last if len(params) > 1 else ""
            return f"*** {first} was kicked by {nick} ({reason})"
        case "NICK":
            return f"*** {nick} is now known as {last}"
        case "TOPIC":
            return f"*** {nick} changes topic to '{last}'"
        case "MODE":
            return f"*** {nick} sets mode: {row.text}"
        case _:
            return ""
