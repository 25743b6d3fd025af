"""Messages of several lines from clients: collected, then said as one message, or line by line.
What is too long for one line of the network is made one of several.

Inside, such a message is one text (`irc.multiline`): one row, one msgid. A network without
multiline has single lines, so that is what others see of it, what is kept, and what comes back as
echo. Source: IRCv3 multiline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.caps import MULTILINE_BYTES, MULTILINE_LINES
from bouncer.irc.multiline import (
    COMMANDS,
    Limits,
    Line,
    Multiline,
    MultilineReader,
    packed,
    single_lines,
)
from bouncer.irc.split import room_for_text, split_text
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session.answers import OUR_SERVICES
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.secrets import SERVICES, is_secret

if TYPE_CHECKING:
    from bouncer.session.session import Session

CAP = "draft/multiline"
ACTION = "\x01ACTION "
LEAST_ROOM = 80  # octets for a text; where there is less no such target can exist
SHORT = LEAST_ROOM // 4  # characters, which have at most 4 octets each


def takes(client: Client, message: Message) -> bool:
    """Whether the message opens, closes or belongs to a batch of lines."""
    if client.pasted is None:
        if message.command != "BATCH" or CAP not in client.dialect.caps:
            return False
        client.pasted = MultilineReader(MULTILINE_BYTES, MULTILINE_LINES)
    return client.pasted.takes(message)


def collect(session: Session, client: Client, message: Message, out: Effects) -> list[Message]:
    """What is to be said once the batch is whole, else nothing.

    The label of the opening line is that of the whole: it is `session.label` then.
    """
    assert client.pasted is not None
    if message.command == "BATCH" and "".join(message.params[:1])[:1] == "+":
        client.pasted_label = session.take_label()
    try:
        whole = client.pasted.receive(message)
    except Refused as refused:
        label, client.pasted_label = client.pasted_label or session.take_label(), ""
        session.answer(client, label, [str(refused.reply(session.server_name))], out)
        return []
    if whole is None:
        return []
    session.label, client.pasted_label = client.pasted_label, ""
    return _said(session, whole)


def fitting(session: Session, message: Message) -> list[Message]:
    """A message as it is, or as several where servers would cut it on its way to others."""
    if len(message.params) < 2 or message.command not in COMMANDS:
        return [message]
    target, text = message.params[:2]
    line = Line(text, joined=False)
    if len(text) < SHORT or len(_cut(session, target, message.command, line)) == 1:
        return [message]
    return _said(session, Multiline(target, message.command, (line,), message.raw_tags))


def _said(session: Session, whole: Multiline) -> list[Message]:
    lines = [
        part for line in whole.lines for part in _cut(session, whole.target, whole.command, line)
    ]
    whole = whole._replace(lines=tuple(lines))
    first, *rest = _texts(session, whole)
    # "Any tags that would have been added to the batch [...] MUST be included on the first message
    # line to be sent": multiline, fallback
    said = Message(whole.command, (whole.target, first), "", whole.raw_tags)
    return [said, *(Message(whole.command, (whole.target, text)) for text in rest)]


def _texts(session: Session, whole: Multiline) -> list[str]:
    """The texts of the messages to say: as few as the network's limits allow, else single lines.

    What is for us or a service, or holds what must not be kept, goes line by line: each is judged.
    """
    limits = Limits.parse(session.upstream_caps.get(CAP, ""), MULTILINE_LINES)
    if limits is None or "batch" not in session.upstream_caps or not _is_chat(session, whole):
        return single_lines(whole.text)
    return [packed(part) for part in limits.parts(whole.lines)]


def _cut(session: Session, target: str, command: str, line: Line) -> list[Line]:
    """A line in as many as it needs; none of a secret, or of what is for us, is torn apart."""
    if target.lower() in OUR_SERVICES or target[:1] == "*" or is_secret(target, line.text):
        return [line]
    text, head, tail = line.text, "", ""
    if text[:1] == "\x01":
        if not text.startswith(ACTION):
            return [line]
        text, head, tail = text.removeprefix(ACTION).removesuffix("\x01"), ACTION, "\x01"
    mask = session.state.mask if "@" in session.state.mask else ""
    longest = max(target.split(","), key=len)
    room = room_for_text(command, longest, mask, session.state.isupport.linelen)
    room -= len(head) + len(tail)
    if room < LEAST_ROOM:
        return [line]
    first, *rest = split_text(text, room)
    parts = [Line(f"{head}{first}{tail}", line.joined)]
    return parts + [Line(f"{head}{part}{tail}", joined=not head) for part in rest]


def _is_chat(session: Session, whole: Multiline) -> bool:
    """Whether it is conversation with one channel or one other person."""
    target = whole.target
    if whole.command != "PRIVMSG":  # "batches MUST only contain one or more PRIVMSG lines"
        return False
    if "," in target or session.state.is_me(target):
        return False
    if session.target(target).is_channel:
        return True
    name = target.lower().partition("@")[0]
    return not (
        name in SERVICES
        or name in OUR_SERVICES
        or name[:1] == "*"  # ZNC's modules
        or any(is_secret(target, line.text) or line.text[:1] == "\x01" for line in whole.lines)
    )
