"""Messages of several lines from clients: collected, then said as one message, or line by line.

Inside, such a message is one text (`irc.multiline`): one row, one msgid. A network without
multiline has single lines, so that is what others see of it, what is kept, and what comes back as
echo. Source: IRCv3 multiline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.caps import MULTILINE_BYTES, MULTILINE_LINES
from bouncer.irc.multiline import Limits, Multiline, MultilineReader, packed, single_lines
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session.answers import OUR_SERVICES
from bouncer.session.clients import Client
from bouncer.session.effects import Effects
from bouncer.session.secrets import SERVICES, is_secret

if TYPE_CHECKING:
    from bouncer.session.session import Session

CAP = "draft/multiline"


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
        label, client.pasted_label = client.pasted_label, ""
        session.answer(client, label, [str(refused.reply(session.server_name))], out)
        return []
    if whole is None:
        return []
    session.label, client.pasted_label = client.pasted_label, ""
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
