"""Messages of several lines from clients: collected, then said line by line.

The network has single lines, so that is what others see of it, what is kept, and what comes back as
echo. Source: IRCv3 multiline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.caps import MULTILINE_BYTES, MULTILINE_LINES
from bouncer.irc.multiline import MultilineReader
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session.clients import Client
from bouncer.session.effects import Effects

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
    first, *rest = whole.fallback()
    # "Any tags that would have been added to the batch [...] MUST be included on the first message
    # line to be sent": multiline, fallback
    said = Message(whole.command, (whole.target, first), "", whole.raw_tags)
    return [said, *(Message(whole.command, (whole.target, text)) for text in rest)]
