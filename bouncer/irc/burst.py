"""What we know of a network as the lines its server would greet a client with. Pure.

Sources: RFC 1459 section 6, modern.ircdocs.horse (registration, NAMES), IRCv3 extended-join,
multi-prefix, userhost-in-names, no-implicit-names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from bouncer.irc import numerics
from bouncer.irc.batch import wrap
from bouncer.irc.isupport import ISupport
from bouncer.irc.people import Channel, Member
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import MAX_LINE, Message

NO_IMPLICIT_NAMES = (
    "draft/no-implicit-names",
    "no-implicit-names",
    "soju.im/no-implicit-names",
)
NOTHING: Mapping[str, str | None] = MappingProxyType({})


def registration_burst(
    state: NetworkState,
    nick: str,
    server_name: str,
    version: str,
    caps: Collection[str],
    extra: Mapping[str, str | None] = NOTHING,
) -> list[Message]:
    """001 to 005, the message of the day, and our user modes if told.

    `nick` is the one the client shall know itself by; `extra` are 005 tokens of the bouncer.
    """
    network = state.isupport.network or state.server or "IRC"
    mask = state.mask if nick == state.nick else nick

    def reply(numeric: str, *params: str) -> Message:
        return Message(numeric, (nick, *params), server_name)

    version_word = version.replace(" ", "-")
    _, umodes, chanmodes, *rest = (*state.myinfo, "", "", "")[:4]
    about = (version_word, umodes or "iosw", chanmodes or "biklmnopstv", *filter(None, rest))
    lines = [
        reply(numerics.RPL_WELCOME, f"Welcome to the {network} network, {mask}"),
        reply(numerics.RPL_YOURHOST, f"Your host is {server_name}, running {version}"),
        reply(numerics.RPL_CREATED, "Your bouncer keeps this connection for you"),
        reply(numerics.RPL_MYINFO, server_name, *about),
        *isupport_lines(state.isupport, nick, server_name, caps, extra),
    ]
    if state.motd is None:
        lines.append(reply(numerics.ERR_NOMOTD, "MOTD File is missing"))
    else:
        host = state.server or server_name
        lines.append(reply(numerics.RPL_MOTDSTART, f"- {host} Message of the day -"))
        lines += [reply(numerics.RPL_MOTD, text) for text in state.motd]
        lines.append(reply(numerics.RPL_ENDOFMOTD, "End of /MOTD command"))
    if state.umodes_known:
        lines.append(umode_line(state, nick, server_name))
    return lines


def isupport_lines(
    isupport: ISupport,
    nick: str,
    server_name: str,
    caps: Collection[str],
    extra: Mapping[str, str | None] = NOTHING,
) -> list[Message]:
    """The 005s, in a batch for those who asked for it: IRCv3 extended-isupport."""
    lines = isupport.lines(nick, server_name, extra)
    if lines and "batch" in caps and "draft/extended-isupport" in caps:
        return wrap("isupport", "draft/isupport", (), lines, server_name)
    return lines


def channel_burst(
    state: NetworkState, channel: Channel, server_name: str, caps: Collection[str]
) -> list[Message]:
    """What a client sees on entering: its JOIN, the topic if any, and who is there."""
    lines = [join_line(state, channel, caps), *topic_lines(state, channel, server_name)]
    if not any(cap in caps for cap in NO_IMPLICIT_NAMES):
        lines += names_lines(state, channel, server_name, caps)
    return lines


def join_line(state: NetworkState, channel: Channel, caps: Collection[str]) -> Message:
    """Our own JOIN. With extended-join: the account or `*`, and the realname."""
    if "extended-join" in caps:
        params = (channel.name, state.account or "*", state.realname or state.nick)
        return Message("JOIN", params, state.mask)
    return Message("JOIN", (channel.name,), state.mask)


def topic_lines(state: NetworkState, channel: Channel, server_name: str) -> list[Message]:
    """332 and 333; nothing where there is no topic, as a server does after a JOIN."""
    if not channel.topic:
        return []
    head = (state.nick, channel.name)
    lines = [Message(numerics.RPL_TOPIC, (*head, channel.topic), server_name)]
    if channel.topic_by and channel.topic_at:
        who_time = (channel.topic_by, str(channel.topic_at))
        lines.append(Message(numerics.RPL_TOPICWHOTIME, (*head, *who_time), server_name))
    return lines


def mode_lines(state: NetworkState, channel: Channel, server_name: str) -> list[Message]:
    """324, and 329 where that is known."""
    head = (state.nick, channel.name)
    arguments = [argument for argument in channel.modes.values() if argument is not None]
    letters = "+" + "".join(channel.modes)
    lines = [Message(numerics.RPL_CHANNELMODEIS, (*head, letters, *arguments), server_name)]
    if channel.created:
        created = (*head, str(channel.created))
        lines.append(Message(numerics.RPL_CREATIONTIME, created, server_name))
    return lines


def umode_line(state: NetworkState, nick: str, server_name: str) -> Message:
    """221."""
    return Message(numerics.RPL_UMODEIS, (nick, "+" + "".join(sorted(state.umodes))), server_name)


def names_lines(
    state: NetworkState, channel: Channel, server_name: str, caps: Collection[str]
) -> list[Message]:
    """353s of at most 512 octets, and 366."""
    head = (state.nick, _visibility(channel), channel.name)
    room = MAX_LINE - 2 - len(f":{server_name} 353 {' '.join(head)} :".encode("utf-8", "replace"))
    entries = _entries(state, channel.members, caps)
    lines = [
        Message(numerics.RPL_NAMREPLY, (*head, text), server_name)
        for text in _filled(entries, room)
    ]
    lines.append(
        Message(
            numerics.RPL_ENDOFNAMES, (state.nick, channel.name, "End of /NAMES list"), server_name
        )
    )
    return lines


def _visibility(channel: Channel) -> str:
    if "s" in channel.modes:
        return "@"
    return "*" if "p" in channel.modes else "="


def _entries(
    state: NetworkState, members: Mapping[str, Member], caps: Collection[str]
) -> Iterable[str]:
    every_prefix = "multi-prefix" in caps
    with_host = "userhost-in-names" in caps
    for folded_nick, member in members.items():
        prefixes = member.prefixes if every_prefix else member.prefixes[:1]
        user = state.users.get(folded_nick) if with_host else None
        yield prefixes + (user.mask if user else member.nick)


def _filled(words: Iterable[str], room: int) -> Iterable[str]:
    """The words in lines of at most `room` octets; a longer word stands alone."""
    line: list[str] = []
    used = 0
    for word in words:
        size = len(word.encode("utf-8", "replace")) + 1
        if line and used + size > room + 1:
            yield " ".join(line)
            line, used = [], 0
        line.append(word)
        used += size
    if line:
        yield " ".join(line)
