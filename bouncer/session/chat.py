"""PRIVMSG and NOTICE of a network: kept, and told. The hot path: every line of chat comes here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bouncer.irc.multiline import single_lines
from bouncer.irc.timestamps import second_ms
from bouncer.irc.wire import Message, parse_tags
from bouncer.session import answers, notices, stamps
from bouncer.session.dialect import CHAT
from bouncer.session.effects import Effects
from bouncer.session.routing import Reply
from bouncer.session.secrets import is_secret
from bouncer.session.stamps import AHEAD_MS, Stamp
from bouncer.session.telling import event, tell_untold
from storage.message import Row

if TYPE_CHECKING:
    from bouncer.session.folding import Target
    from bouncer.session.session import Session

# One match costs a third of Message.parse: nearly all lines of a busy network have this form, and
# most servers write time and msgid first.
_LINE = re.compile(
    r"(?:@((?:time=([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.)([0-9]{3})Z"
    r";msgid=([^ ;\\]+)(?:;([^ ]+))?|[^ ]+)) )?"
    r":([^ ]+) (PRIVMSG|NOTICE) ([^: ][^ ]*) :(.*)",
    re.DOTALL,
)
_SPECIAL = ("", "!", "\x01")  # a text's first character: a bot command, CTCP
_OURS = re.compile(r"(?:^|;)(?:time|msgid|batch|label)=")


def line(session: Session, line: str, out: Effects) -> bool:
    """Take a line of chat in the form in which servers send it. False for every other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return False
    raw_tags, second, ms, msgid, tags, source, command, addressee, text = match.groups("")
    if (
        msgid
        and (at_ms := second_ms(second)) is not None
        and at_ms <= session.now_ms + AHEAD_MS
        and not (tags and _OURS.search(tags))
    ):  # as we would write them: most clients have the line so
        stamp, whole = (at_ms + int(ms), msgid, tags), line
    else:
        stamp, whole = stamps.read(session, raw_tags, out), ""
    target = session.target(addressee)
    if (
        target.is_channel
        and text[:1] not in _SPECIAL
        and not session.screened
        and session.target(source.partition("!")[0]).folded != session.state.folded_nick
    ):  # nearly all: what others say, told later in one go
        row = _row(session, target, stamp, command, source, addressee, text)
        session.last_kept_id = row.id
        out.keep.append(row)
        out.untold.append(whole)
        if session.webpush.wanted:
            session.webpush.said(session, row, out)
    else:
        tell_untold(session, out)
        said(session, stamp, raw_tags, source, command, addressee, text, out)
    return True


def message(session: Session, message: Message, out: Effects) -> None:
    """The same in a form that servers seldom use, or of several lines."""
    if session.arriving and (whole := session.arriving.line(message)) is not None:
        several(session, whole, out)
    elif len(message.params) >= 2:
        _message(session, message, out)


def several(session: Session, whole: list[Message], out: Effects) -> None:
    """Messages that came as several lines and are whole now."""
    for each in whole:
        _message(session, each, out)


def _message(session: Session, message: Message, out: Effects) -> None:
    stamp = stamps.read(session, message.raw_tags, out)
    addressee, text = message.params[:2]
    said(session, stamp, message.raw_tags, message.source, message.command, addressee, text, out)


def said(
    session: Session,
    stamp: Stamp,
    raw_tags: str,
    source: str,
    command: str,
    addressee: str,
    text: str,
    out: Effects,
) -> None:
    """Keep it, then tell it."""
    if session.screened and session.screen.ignores(session, source):
        return
    target = session.target(addressee)
    nick, bang, _ = source.partition("!")
    folded_me = session.state.folded_nick
    speaker = session.target(nick)
    own = speaker.folded == folded_me
    if not target.is_channel:
        if not own and (not bang or target.folded != folded_me):
            # a server's notice, or one to everybody: for whoever is looking, not for the record
            notices.heard(session, Message(command, (addressee, text), source, raw_tags), out)
            return
        if not own:
            target = speaker
            if command == "NOTICE":
                session.upkeep.notice(session, nick, text, out)
        elif is_secret(addressee, text):
            return
    if text[:1] == "\x01" and not text.startswith("\x01ACTION"):
        # a CTCP question or answer is not conversation
        told = Message(command, (addressee, single_lines(text)[0]), source, raw_tags)
        event(session, told, out, echo_only=own)
        return
    row = _row(session, target, stamp, command, source, addressee, text)
    if own:
        _own_echo(session, row, raw_tags, out, hidden=not target.is_channel)
    else:
        session.keep(row, out)
        if session.webpush.wanted:
            session.webpush.said(session, row, out)
    if text[:1] == "!":
        message = Message(command, (addressee, single_lines(text)[0]), source)
        session.ops_heard(message, parse_tags(stamp[2]).get("account", ""), out)


def _row(
    session: Session,
    target: Target,
    stamp: Stamp,
    command: str,
    source: str,
    addressee: str,
    text: str,
) -> Row:
    time_ms, msgid, tags = stamp
    return Row(
        session.new_id(), session.network.id, target.folded, target.name, time_ms, msgid, command,
        source, tags, "" if addressee == target.name else addressee, text,
    )  # fmt: skip


def _own_echo(session: Session, row: Row, raw_tags: str, out: Effects, *, hidden: bool) -> None:
    """Something this user said comes back: from one of our clients, or from elsewhere."""
    reply = _answered(session, raw_tags)
    said = reply.question if reply is not None else None
    said = session.echoes.heard(row.command, row.target, row.text, said)
    to_oneself = row.target == session.state.folded_nick
    if said is not None and to_oneself:
        # said to oneself it comes twice: this is the echo, and what is delivered is kept
        answers.say_back(session, said, row.command, row.addressee or row.name, row.text, out)
    else:
        session.keep(row, out, said=said, hidden=hidden and not to_oneself)
    if said is not None and (reply is None or reply.last):  # else more comes in its batch
        answers.heard(session, Reply(said, last=True), out)


def _answered(session: Session, raw_tags: str) -> Reply | None:
    """What was said, where the network's tags tell that this is what has become of it."""
    if "label=" not in raw_tags and "batch=" not in raw_tags:
        return None
    reply = answers.by_label(session, Message("PRIVMSG", (), "", raw_tags))
    return reply if reply is not None and reply.question.command in CHAT else None
