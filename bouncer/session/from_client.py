"""What an attached client may send: one table, its arity checked once.

A command without a row goes to the network as it is, and its answer comes back to who asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bouncer.irc.labels import label_of
from bouncer.irc.registration.downstream import is_nick
from bouncer.irc.split import join_lines
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message
from bouncer.session import answers, arrival, metadata, pasted, tagged, webpush, znc
from bouncer.session.bouncer_networks import command as bouncer_command
from bouncer.session.clients import Client
from bouncer.session.echoes import Echo
from bouncer.session.effects import DropClient, Effects, ForgetChannel, ServiceCommand
from bouncer.session.marks import markread
from bouncer.session.questions import (
    forward,
    ison,
    isupport,
    mode,
    motd,
    names,
    network_tags,
    reply,
    userhost,
    who,
)
from bouncer.session.reading import chathistory, search
from bouncer.session.routing import Asked
from bouncer.session.secrets import SERVICE_COMMANDS, is_secret
from bouncer.session.unbound import refuses, why_not_sent

if TYPE_CHECKING:
    from bouncer.session.session import Session

MAX_PENDING_KEYS = 500  # of JOINs not answered yet; full: a key is not remembered
MAX_MESSAGE_TARGETS = 20  # of one PRIVMSG; the rest is refused with 407


def receive(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Take one message of an attached client; a labelled one gets a labelled answer."""
    session.label, session.answer_in_hand = "", None
    if message.raw_tags and client.dialect.labels:
        session.label = label_of(message)
    if pasted.takes(client, message):
        messages = pasted.collect(session, client, message, out)
    else:
        messages = pasted.fitting(session, message)
    if not session.label or not messages:
        for each in messages:
            _handle(session, client, each, out)
        return
    before = out.take(client.id)
    for each in messages:
        _handle(session, client, each, out)
    said = out.take(client.id)
    out.tell_lines(client.id, before)
    answer = session.answer_in_hand
    if session.label:
        session.answer(client, session.take_label(), said, out)
        return
    if answer is not None:  # the rest of it comes later
        answer.begin(said, out)
    else:
        out.tell_lines(client.id, said)


def _handle(session: Session, client: Client, message: Message, out: Effects) -> None:
    row = COMMANDS.get(message.command, FORWARDED)
    if len(message.params) < row.params:
        if row.missing:
            reply(session, client, out, row.missing, "No nickname given")
        else:
            reply(session, client, out, "461", message.command, "Not enough parameters")
        return
    if not session.ready and (row.needs_network or refuses(session, message.command)):
        refuse_offline(session, client, message, out)
        return
    try:
        row.handler(session, client, message, out)
    except Refused as refused:
        out.tell(client.id, str(refused.reply(session.server_name)))


def refuse_offline(session: Session, client: Client, message: Message, out: Effects) -> None:
    text = f"{message.command} was not sent: {why_not_sent(session)}"
    out.tell(client.id, session.service_line(client, text))


def to_network(session: Session, message: Message, out: Effects) -> None:
    """Send a client's message up, without what its tags mean to the bouncer alone."""
    tags = network_tags(session, message)
    out.to_network.append(message._replace(source="", raw_tags=tags))


# --- handlers ---

Handler = Callable[["Session", Client, Message, Effects], None]


def say(session: Session, client: Client, message: Message, out: Effects) -> None:
    """PRIVMSG and NOTICE."""
    targets = message.params[0].split(",")
    text = message.params[1]
    if not text or not message.params[0]:
        numeric, missing = ("411", "No recipient given") if text else ("412", "No text to send")
        reply(session, client, out, numeric, missing)
        return
    for addressee in targets[MAX_MESSAGE_TARGETS:]:
        reply(session, client, out, "407", addressee, "Too many targets; not sent to this one")
    for addressee in targets[:MAX_MESSAGE_TARGETS]:
        one = message._replace(params=(addressee, text))
        if addressee.lower() == znc.NAME and znc.CAP in client.dialect.caps:
            znc.said(session, client, text, out)
            continue
        service = answers.OUR_SERVICES.get(addressee.lower())
        if service is not None:
            label = session.take_label()
            out.others.append(ServiceCommand(client.id, service, text, label))
            if client.dialect.echo and not label:
                out.tell(client.id, answers.service_echo(session, client, service, text))
        elif not session.ready:
            refuse_offline(session, client, one, out)
        elif addressee:
            say_to(session, client.id, one, out)


def say_to(session: Session, client: int, message: Message, out: Effects) -> None:
    """Say one message to one target. `client` is who says it, BOT for the ops bot."""
    addressee, text = message.params
    conversation = text[:1] != "\x01" or text.startswith("\x01ACTION")
    secret = is_secret(addressee, text)
    if secret or not conversation:
        if secret:
            session.upkeep.services.seen(session, addressee, text)
        session.routing.note(addressee, Asked(client, message.command, "", session.now_ms))
        to_network(session, message, out)
        if not secret and "echo-message" not in session.upstream_caps:
            asked = Asked(client, message.command, "", 0)
            answers.say_back(session, asked, message.command, addressee, text, out)
        return
    echoed = "echo-message" in session.upstream_caps
    labelled = answers.network_labels(session)
    if echoed or labelled:
        tags = network_tags(session, message)
        said = answers.ask(session, client, message, out, tags, fence=False)
    else:
        said = Asked(client, message.command, addressee, session.now_ms)
        to_network(session, message, out)
    session.routing.note(addressee, said, is_answered=echoed or labelled)
    if session.state.is_me(addressee) and not echoed:  # it is delivered to us, and so it is kept
        answers.say_back(session, said, message.command, addressee, text, out)
    elif echoed or labelled:  # others hear it when the network has it
        session.expect_echo(said, message)
    else:
        folded, tags = session.target(addressee).folded, tagged.client_tags(message)
        answers.taken(session, Echo(said, message.command, folded, text, tags), out)


def join(session: Session, client: Client, message: Message, out: Effects) -> None:
    """A channel we are in is answered from what we know; the network hears the others."""
    if message.params[0] == "0" and session.ready:  # "leave all channels": RFC 2812 section 3.2.1
        for folded in session.state.channels.keys() & session.wanted.keys():
            out.others.append(ForgetChannel(session.wanted.pop(folded)[0]))
        forward(session, client, message, out)
        return
    keys = message.params[1].split(",") if len(message.params) > 1 else []
    asked: list[Message] = []
    for index, name in enumerate(message.params[0].split(",")):
        if not name:
            continue
        if not session.ready and (" " in name or not session.state.isupport.is_channel(name)):
            reply(session, client, out, "403", name.replace(" ", "_"), "No such channel")
            continue
        folded = session.state.fold(name)
        key = keys[index] if index < len(keys) else session.wanted.get(folded, ("", ""))[1]
        channel = session.state.channel(name) if session.ready else None
        if is_detached := session.screen.is_detached(folded):
            session.screen.attach(session, folded, out)
        if channel is not None and is_detached:
            continue  # all have been shown it
        if channel is not None:
            _, *told = arrival.entering(session, client, channel)
            for line in told:  # without the JOIN that it has seen: clients would show it twice
                out.tell(client.id, line)
        elif session.ready:
            if len(session.keys) < MAX_PENDING_KEYS:
                session.keys[folded] = name, key
            asked.append(Message("JOIN", (name, key) if key else (name,)))
        elif not session.has_room(folded):
            reply(session, client, out, "405", name, "You have joined too many channels")
        else:
            session.remember(name, key, out)
            text = f"{session.network.name} is not connected now; {name} is joined when it is"
            out.tell(client.id, session.service_line(client, text))
    lines = _joined(session, asked)
    if answers.network_labels(session):  # all that comes of a line has its label
        for each in lines:
            answers.ask(session, client.id, each, out)
        return
    begun = len(out.to_network)
    for each in asked:  # a question for each channel, told apart by its name
        answers.ask(session, client.id, each, out, fence=each is asked[-1])
    fence = [each for each in out.to_network[begun:] if each.command != "JOIN"]
    out.to_network[begun:] = [*lines, *fence]


def _joined(session: Session, asked: list[Message]) -> list[Message]:
    """JOINs of one channel each as few JOINs: each line waits for the rate limit."""
    joins = [each.params for each in asked]
    pairs = [(name, key[0] if key else "") for name, *key in joins]
    few = join_lines(pairs, session.state.isupport.targmax("JOIN", unlisted=None))
    if sum(each.params[0].count(",") + 1 for each in few) < len(pairs):
        return asked  # the network is to say what is wrong with a name
    return few


def part(session: Session, client: Client, message: Message, out: Effects) -> None:
    if message.params[1:] == ("detach",):
        for name in message.params[0].split(","):
            folded = session.state.fold(name)
            if session.state.channel(name) is not None or folded in session.wanted:
                session.screen.detach(session, folded, out)
            else:
                reply(session, client, out, "442", name, "You're not on that channel")
        return
    for name in message.params[0].split(","):
        folded = session.state.fold(name)
        session.screen.forget(session, folded)
        if known := session.wanted.pop(folded, None):
            out.others.append(ForgetChannel(known[0]))  # as it is kept, by another case mapping
            for each in session.clients.by_id.values() if not session.ready else ():
                out.tell(each.id, f":{each.nick} PART {known[0]}")  # they may still show it
    if session.ready:
        forward(session, client, message, out)


def ping(session: Session, client: Client, message: Message, out: Effects) -> None:
    line = Message("PONG", (session.server_name, message.params[0]), session.server_name)
    out.tell(client.id, str(line))


def pong(session: Session, client: Client, message: Message, out: Effects) -> None:
    session.confirmed(client, message.params[-1] if message.params else "", out)


def quit_(_session: Session, client: Client, message: Message, out: Effects) -> None:
    text = message.params[0] if message.params else "Client quit"
    out.others.append(DropClient(client.id, text, clean=True))


def already_registered(session: Session, client: Client, _message: Message, out: Effects) -> None:
    reply(session, client, out, "462", "You may not reregister")


def refused(session: Session, client: Client, message: Message, out: Effects) -> None:
    reply(session, client, out, "421", message.command, "Clients may not send this")


def protocol(_session: Session, _client: Client, _message: Message, _out: Effects) -> None:
    """PROTOCTL, from before there were capabilities: said to the network it would count for all
    clients, and what it asks for we have of the network in any case."""


def nick(session: Session, client: Client, message: Message, out: Effects) -> None:
    """The nick asked for becomes the one wanted, here and after a reconnect."""
    if not session.ready and not is_nick(message.params[0]):
        reply(session, client, out, "432", "*", "Erroneous nickname")
        return
    if not session.upkeep.nick.asked(session, message.params[0], out):
        forward(session, client, message, out)


def away(session: Session, client: Client, message: Message, out: Effects) -> None:
    """Away by hand, until it is taken back."""
    text = message.params[0] if message.params else ""
    if not session.upkeep.presence.asked(session, client, text, out):
        forward(session, client, message, out)


def nickserv(session: Session, client: Client, message: Message, out: Effects) -> None:
    """NICKSERV and NS, which some networks have for PRIVMSG NickServ."""
    session.upkeep.services.seen(session, "NickServ", " ".join(message.params))
    forward(session, client, message, out)


def to_module(session: Session, client: Client, message: Message, out: Effects) -> None:
    said = znc.spoken(client, message, out)
    if said is not None:
        say(session, client, said, out)


def redact(session: Session, client: Client, message: Message, out: Effects) -> None:
    """IRCv3 message-redaction: others have the message, so only their network can delete it."""
    if "draft/message-redaction" not in session.upstream_caps:
        text = f"{session.network.name} cannot delete messages"
        raise Refused("REDACT", "INVALID_TARGET", message.params[0], text=text)
    forward(session, client, message, out)


def watch(session: Session, client: Client, message: Message, out: Effects) -> None:
    """MONITOR."""
    session.monitoring.command(session, client, message, out)


def setname(session: Session, client: Client, message: Message, out: Effects) -> None:
    """IRCv3 setname: a network without it cannot change a realname."""
    if "setname" in session.upstream_caps:
        forward(session, client, message, out)
        return
    if "standard-replies" in client.dialect.caps or "setname" in client.dialect.caps:
        text = "The network cannot change realnames"
        fail = Message("FAIL", ("SETNAME", "CANNOT_CHANGE_REALNAME", text), session.server_name)
        out.tell(client.id, str(fail))


class Command(NamedTuple):
    """`params` is how many it needs at least; `missing` the numeric where that is not 461."""

    handler: Handler
    params: int = 0
    needs_network: bool = True
    missing: str = ""


FORWARDED = Command(forward)

COMMANDS: dict[str, Command] = {
    # conversation
    "PRIVMSG": Command(say, 2, needs_network=False),
    "NOTICE": Command(say, 2, needs_network=False),
    "ZNC": Command(to_module, 1, needs_network=False),
    "TAGMSG": Command(tagged.said, 1, needs_network=False),
    "REDACT": Command(redact, 2),
    # channels
    "JOIN": Command(join, 1, needs_network=False),
    "PART": Command(part, 1, needs_network=False),
    "KICK": Command(forward, 2),
    "INVITE": Command(forward),  # without parameters it lists where we are invited to
    "MODE": Command(mode, 1),
    "TOPIC": Command(forward, 1),
    "NAMES": Command(names),
    "LIST": Command(forward),
    # people
    "NICK": Command(nick, 1, needs_network=False, missing="431"),
    "WHOIS": Command(forward, 1, missing="431"),
    "WHOWAS": Command(forward, 1, missing="431"),
    "WHO": Command(who, needs_network=False),
    "MONITOR": Command(watch, 1, needs_network=False),
    "ISON": Command(ison, 1, needs_network=False),
    "USERHOST": Command(userhost, 1, needs_network=False),
    "AWAY": Command(away, needs_network=False),
    "SETNAME": Command(setname, 1),
    # the history
    "CHATHISTORY": Command(chathistory, needs_network=False),
    "MARKREAD": Command(markread, needs_network=False),
    "METADATA": Command(metadata.command, 2, needs_network=False),
    "WEBPUSH": Command(webpush.command, 1, needs_network=False),
    "READ": Command(markread, needs_network=False),
    "SEARCH": Command(search, 1, needs_network=False),
    # the server
    "BOUNCER": Command(bouncer_command, needs_network=False),
    "ISUPPORT": Command(isupport, needs_network=False),
    "MOTD": Command(motd, needs_network=False),
    "OPER": Command(forward, 2),
    # this connection
    "PING": Command(ping, 1, needs_network=False),
    "PONG": Command(pong, needs_network=False),
    "PROTOCTL": Command(protocol, needs_network=False),
    "QUIT": Command(quit_, needs_network=False),
    "USER": Command(already_registered, needs_network=False),
    "PASS": Command(already_registered, needs_network=False),
    "SERVER": Command(refused, needs_network=False),
    "ERROR": Command(refused, needs_network=False),
    "BATCH": Command(refused, needs_network=False),
    "CONNECT": Command(forward, 1),
    # short cuts to services: forwarded and, as nothing but chat is kept, never kept
    **dict.fromkeys(SERVICE_COMMANDS - {"PASS", "OPER", "AUTHENTICATE"}, Command(forward)),
    **dict.fromkeys(("NICKSERV", "NS"), Command(nickserv)),
}
