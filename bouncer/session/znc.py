"""`*playback`, ZNC's module for clients that remember when they last heard something.

`PLAY <buffers> [<from> [<to>]]`: buffers by commas, with wildcards; times in seconds. Source: the
playback module's page in ZNC's wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.lookups import PlaySince

if TYPE_CHECKING:
    from bouncer.session.session import Session

NAME = "*playback"
BATCH = "znc.in/playback"
CAP = "znc.in/playback"
USAGE = "PLAY <buffer,buffer…|*> [<from> [<to>]]: times in seconds since 1970"
MAX_BUFFERS = 100


def said(session: Session, client: Client, text: str, out: Effects) -> None:
    """A client has said `text` to the module."""
    command, *words = text.split(" ")
    times = [_milliseconds(word) for word in words[1:]]
    if command.upper() != "PLAY" or not words or None in times or len(times) > 2:
        out.tell(client.id, str(Message("NOTICE", (client.nick, USAGE), f"{NAME}!{NAME}@znc.in")))
        return
    buffers = tuple(session.state.fold(word) for word in words[0].split(",")[:MAX_BUFFERS])
    from_ms, to_ms = (*times, None, None)[:2]
    client.fetched()
    session.look_up(client, PlaySince(buffers, from_ms or 0, to_ms), out)


def _milliseconds(word: str) -> int | None:
    whole, _, fraction = word.partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 12):
        return None
    if fraction and not (fraction.isascii() and fraction.isdecimal()):
        return None
    return int(whole) * 1000 + int((fraction + "000")[:3])
