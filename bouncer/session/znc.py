"""`*playback`, ZNC's module for clients that remember when they last heard something.

`PLAY <buffers> [<from> [<to>]]`: buffers by commas, with wildcards; times in seconds. Source: the
playback module's page in ZNC's wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects, PlayBack
from bouncer.session.lookups import PlaySince

if TYPE_CHECKING:
    from bouncer.session.session import Session

NAME = "*playback"
BATCH = "znc.in/playback"
CAP = "znc.in/playback"
USAGE = "PLAY <buffer,buffer…|*> [<from> [<to>]]: times in seconds since 1970"
MAX_BUFFERS = 100


def spoken(client: Client, message: Message, out: Effects) -> Message | None:
    """ZNC's own command, `ZNC [*module] text…`, as what is said to the module; None where that is
    done. Who asks for one channel after the other, as The Lounge, means what it missed, and never
    asks for private messages: it gets all that it is owed, at once."""
    module, *words = message.params
    if module[:1] != "*":
        module, words = "*status", list(message.params)
    only_some = len(words) > 1 and words[0].upper() == "PLAY" and "*" not in words[1]
    if module.lower() == NAME and only_some and (client.owed is not None or client.played):
        if client.owed is not None and not client.played:
            client.played = True
            out.others.append(PlayBack(client.id, *client.owed))
        return None
    return Message("PRIVMSG", (module, " ".join(words)))


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
