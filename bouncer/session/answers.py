"""Answers to labelled commands, and whom a network's replies are for.

A labelled answer is passed on as it comes: its first line waits until a second one shows that a
batch is needed, so that an answer of any length takes the memory of one line. Where the network has
labeled-response our own labels tell replies apart exactly; where it has not, a PING sent behind a
command whose answer has no certain end says when the answer is over, for networks answer in order.

Source: IRCv3 labeled-response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.split import room_for_text, split_text
from bouncer.irc.timestamps import format_time
from bouncer.irc.wire import Message, format_tags
from bouncer.session.dialect import CHAT
from bouncer.session.echoes import Echo
from bouncer.session.effects import Effects
from bouncer.session.events import ServiceSaid
from bouncer.session.replies import SELF_ENDING, may_be_told_by_notices
from bouncer.session.routing import Asked, Reply
from storage.message import Row

if TYPE_CHECKING:
    from bouncer.session.clients import Client
    from bouncer.session.session import Session

OUR_SERVICES = {"bouncerserv": "BouncerServ", "*status": "*status"}
BOT = -1  # in the place of a client's number: the ops bot
FENCE = "muster-end-"  # our PING's token behind a command: this and the answer's reference


class Answer:
    """The answer to one labelled command of a client. `open` counts what it still waits for. What
    is said while the command is in hand is only gathered, until `begin`."""

    __slots__ = (
        "_gathered",
        "_held",
        "_held_rest",
        "_in_batch",
        "client",
        "closed",
        "label",
        "open",
        "reference",
        "source",
    )

    def __init__(self, client: int, label: str, reference: str, source: str) -> None:
        self.client = client
        self.label = label
        self.reference = reference
        self.source = source
        self.open = 0
        self.closed = False
        self._gathered: list[tuple[str, list[str]]] | None = []
        self._held = ""
        self._held_rest: list[str] = []
        self._in_batch = False

    def begin(self, lines: list[str], out: Effects) -> None:
        """The command has been dealt with, and the client was told these lines of it."""
        gathered, self._gathered = self._gathered or [], None
        for line, rest in [*((line, list[str]()) for line in lines), *gathered]:
            self.say(line, out, rest)

    def say(
        self, line: str, out: Effects, rest: list[str] | None = None, *, in_place: bool = False
    ) -> None:
        """Add a line; one that comes after the end goes without the label. `rest` are the lines
        of the batch that it opens, if it does. One that is to stay `in_place` among what others say
        does not wait for the next where one must come."""
        rest = rest or []
        if self._gathered is not None:
            self._gathered.append((line, rest))
        elif self.closed:
            self._tell(line, rest, out)
        elif self._in_batch:
            self._tell(self._inside(line), rest, out)
        elif not (self._held or (in_place and self.open > 1)):
            self._held, self._held_rest = line, rest
        else:
            opening = f":{self.source} BATCH +{self.reference} labeled-response"
            out.tell(self.client, self._labelled(opening))
            if self._held:
                self._tell(self._inside(self._held), self._held_rest, out)
            self._tell(self._inside(line), rest, out)
            self._held, self._in_batch = "", True

    def close(self, out: Effects) -> None:
        """Nothing more comes: "Servers MUST respond with a labeled ACK" to what has no answer."""
        if self.closed:
            return
        if self._in_batch:
            out.tell(self.client, f":{self.source} BATCH -{self.reference}")
        else:
            line = self._labelled(self._held or f":{self.source} ACK")
            self._tell(line, self._held_rest, out)
        self.closed = True

    def _tell(self, line: str, rest: list[str], out: Effects) -> None:
        for each in (line, *rest):
            out.tell(self.client, each)

    def _labelled(self, line: str) -> str:
        return tagged(line, format_tags({"label": self.label}))

    def _inside(self, line: str) -> str:
        return tagged(line, f"batch={self.reference}")


def tagged(line: str, tags: str) -> str:
    """The line with more tags before its own."""
    return f"@{tags};{line[1:]}" if line[:1] == "@" else f"@{tags} {line}"


def service_echo(session: Session, client: Client, service: str, text: str) -> str:
    """What a client said to our own service, as echo-message says it back."""
    return str(Message("PRIVMSG", (service, text), session.state.mask or client.nick))


def service_said(session: Session, event: ServiceSaid, out: Effects) -> None:
    """The answer of our own service to a client."""
    command = event.command
    client = session.clients.by_id.get(command.client)
    if client is None:
        return
    service = f"{command.service}!{command.service}@{session.server_name}"
    room = room_for_text("NOTICE", client.nick, service)
    lines = [
        session.service_line(client, piece, command.service)
        for line in event.lines
        for piece in split_text(line, room)
    ]
    if command.label and client.dialect.echo:  # the answer begins with the echo
        lines.insert(0, service_echo(session, client, command.service, command.text))
    session.answer(client, command.label, lines, out)


def say_back(
    session: Session, said: Asked, command: str, addressee: str, text: str, out: Effects
) -> None:
    """Echo what is not kept to the client that said it: echo-message."""
    client = session.clients.by_id.get(said.asker)
    if client is None or not client.dialect.echo:
        return
    tags = client.dialect.tags(format_time(session.now_ms), "", "")
    line = f"{tags}:{session.state.mask} {command} {addressee} :{text}"
    if said.answer is not None:
        said.answer.say(line, out)
    else:
        out.tell(client.id, line)


def keep_own(session: Session, echo: Echo, out: Effects, time_ms: int) -> None:
    """Keep what this user has said, where the network does not say it back."""
    addressee = echo.said.subject
    target = session.target(addressee)
    name, tags = session.canonical(target.name), with_account(session, echo.tags)
    row = Row(
        session.new_id(), session.network.id, target.folded, name, time_ms, "", echo.command,
        session.state.mask, tags, "" if addressee == target.name else addressee, echo.text,
    )  # fmt: skip
    session.keep(row, out, said=echo.said, hidden=not target.is_channel)


def with_account(session: Session, tags: str) -> str:
    """The tags of an own message as the network says them to others: IRCv3 account-tag."""
    account = session.state.account
    if not account or "account-tag" not in session.upstream_caps:
        return tags
    return ";".join(filter(None, (format_tags({"account": account}), tags)))


def taken(session: Session, echo: Echo, out: Effects) -> None:
    """The network has what this user says, and others hear it now."""
    keep_own(session, echo, out, session.now_ms)
    if echo.said.asker != BOT:
        said = Message(echo.command, (echo.said.subject, echo.text), session.state.mask)
        session.ops_heard(said, session.state.account or "", out)


# --- asking ---


def in_hand(session: Session, client: int) -> Answer | None:
    """The answer to the labelled command in hand, from now on given as its parts come in."""
    if session.label:
        label = session.take_label()
        session.answer_in_hand = Answer(client, label, session.reference(), session.server_name)
    return session.answer_in_hand


def network_labels(session: Session) -> bool:
    caps = session.upstream_caps
    return "labeled-response" in caps and "batch" in caps


def ask(
    session: Session,
    client: int,
    message: Message,
    out: Effects,
    tags: str = "",
    *,
    fence: bool = True,
) -> Asked:
    """Send a client's command to the network and remember who asked. `tags` go with it; without a
    `fence` something else is sure to end the answer."""
    answer = in_hand(session, client)
    label = session.reference() if network_labels(session) else ""
    most = None
    if message.params and "," in message.params[0]:
        most = session.state.isupport.targmax(message.command, unlisted=None)
    question = session.routing.ask(client, message, session.now_ms, answer, label, most)
    if label:
        tags = f"label={label};{tags}" if tags else f"label={label}"
    out.to_network.append(message._replace(source="", raw_tags=tags))
    question.hears_notices = not label and may_be_told_by_notices(message.command)
    if answer is not None:
        answer.open += 1
    fenced = fence and not label and message.command not in SELF_ENDING
    if fenced and (answer is not None or question.hears_notices):
        if answer is not None:
            answer.open += 1
        reference = session.reference() if answer is None else answer.reference
        ping = Message("PING", (FENCE + reference,))
        session.routing.ask(client, ping, session.now_ms, answer).behind = question
        out.to_network.append(ping)
    return question


def give_up(session: Session, questions: list[Asked], out: Effects) -> None:
    """These get no further answer."""
    for question in questions:
        finish(session, question, out)


def finish(session: Session, question: Asked, out: Effects) -> None:
    """The question is answered; its labelled answer is over with the last one. What was said, and
    not refused, has been taken: without echo-message nothing else tells when."""
    if question.command in CHAT and "echo-message" not in session.upstream_caps:
        echo = session.echoes.settled(question)
        if echo is not None:
            taken(session, echo, out)
    answer = question.answer
    if answer is not None:
        question.answer = None
        answer.open -= 1
        if answer.open <= 0:
            answer.close(out)


# --- hearing ---


def by_label(session: Session, message: Message) -> Reply | None:
    """The question that this message answers by the label we gave, or by its batch."""
    if message.command != "BATCH" and "label=" in message.raw_tags:
        question = session.routing.labelled(message.tags.get("label", ""))
        return Reply(question, last=True) if question is not None else None
    batch = session.batches.receive(message)
    if batch is None or not batch.label:
        return None
    question = session.routing.labelled(batch.label)
    if question is None:
        return None
    closing = message.command == "BATCH" and message.params[0] == f"-{batch.reference}"
    return Reply(question, last=closing and batch.parent is None)


def from_who_we_were(session: Session, message: Message) -> Message:
    """InspIRCd 3 says the answer to a labelled NICK as if we had had the new nick before."""
    reply, new = session.reply, "".join(message.params[:1])
    if reply is None or reply.question.command != "NICK" or message.nick != new:
        return message
    return message._replace(source=session.state.nick + message.source[len(new) :])


def tell(session: Session, client: int, line: str, out: Effects) -> None:
    """Tell a client what comes of the message in hand; to who asked it is the answer."""
    answer = session.reply.question.answer if session.reply is not None else None
    if answer is not None and client == answer.client:
        answer.say(line, out)
    else:
        out.tell(client, line)


def heard(session: Session, reply: Reply, out: Effects) -> None:
    """A reply has been told; where it was the last one its question is over."""
    if reply.last:
        session.routing.end(reply.question)
        finish(session, reply.question, out)


def pong(session: Session, token: str, out: Effects) -> None:
    """The network has answered everything that was sent before our PING."""
    if token.startswith(FENCE):
        fence = session.routing.fence(token)
        if fence is not None and fence.answer is not None:
            answer = fence.answer
            give_up(session, session.routing.end_all(answer), out)
        elif fence is not None:
            session.routing.end(fence)
            if fence.behind is not None:
                fence.behind.hears_notices = False
