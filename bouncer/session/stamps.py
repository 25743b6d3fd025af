"""When something was said on a network, and under which msgid.

A time that has passed is believed, be it long ago: networks play back their own history. One that
is still to come is not: until then the message would stand last in its conversation, and markers
could not pass it. It counts as said now, and clients are told once that a clock is wrong. Sources:
IRCv3 server-time, which says nothing of wrong clocks; message-ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.timestamps import parse_time

if TYPE_CHECKING:
    from bouncer.session.effects import Effects
    from bouncer.session.session import Session

AHEAD_MS = 600_000  # how far a network's clock may be ahead of ours

Stamp = tuple[int, str, str]  # epoch milliseconds, msgid, the other tags raw


def read(session: Session, raw_tags: str, out: Effects) -> Stamp:
    """The stamp of a message that comes now."""
    now_ms = session.now_ms
    time_ms, msgid, others = now_ms, "", ""
    for tag in raw_tags.split(";") if raw_tags else ():
        if tag[:5] == "time=":
            told_ms = parse_time(tag[5:])
            time_ms = now_ms if told_ms is None else told_ms
        elif tag[:6] == "msgid=":
            # what has to be escaped could not be named in a command, and must not end a tag of ours
            msgid = "" if "\\" in tag else tag[6:]
        elif tag[:6] != "batch=" and tag[:6] != "label=":
            others = f"{others};{tag}" if others else tag
    if time_ms > now_ms + AHEAD_MS:
        _tell(session, time_ms - now_ms, out)
        time_ms = now_ms
    return time_ms, msgid, others


def _tell(session: Session, ahead_ms: int, out: Effects) -> None:
    """To whoever is there, once."""
    if session.told_clock or not session.clients.by_id:
        return
    session.told_clock = True
    session.notify(
        out,
        f"The clock of {session.network.name} is {ahead_ms // 60_000} min ahead of ours, or ours is"
        " slow: what it says to come from the future is taken as said now",
    )
