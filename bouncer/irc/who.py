"""WHO and WHOX answered from what we know of a channel or a person.

Sources: RFC 2812 section 3.6.1, IRCv3 whox (`WHO <mask> %<fields>,<token>`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from bouncer.irc import numerics
from bouncer.irc.people import User
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message

FIELDS = "tcuihsnfdlaor"  # in this order a reply has them, in whatever order they are asked for
PREFIXES = "~&@%+!"  # in use for memberships, beside those that a server names in PREFIX
MAX_TOKEN = 3  # digits: whox, querytype


class WhoRequest(NamedTuple):
    """`fields` is '' for a plain WHO; `operators` asks for IRC operators alone."""

    mask: str
    fields: str = ""
    token: str = ""
    operators: bool = False


def parse_who(params: Sequence[str]) -> WhoRequest:
    """Total: words that mean nothing are left out."""
    mask = params[0] if params else ""
    options = params[1] if len(params) > 1 else ""
    flags, percent, rest = options.partition("%")
    if not percent:
        return WhoRequest(mask, operators="o" in flags)
    asked, _, token = rest.partition(",")
    if not (0 < len(token) <= MAX_TOKEN and token.isascii() and token.isdecimal()):
        token = "0"
    fields = "".join(field for field in FIELDS if field in asked)
    return WhoRequest(mask, fields, token, "o" in flags)


def is_known(state: NetworkState, request: WhoRequest, *, follows_away: bool = False) -> bool:
    """Whether what this WHO tells of people is known here, of everybody it names: their hosts, and
    their realnames where those are asked for. Who is away is known of whoever a WHO has been about,
    where the network tells of changes; whose server is whose, and who is an operator, never."""
    asked = set(request.fields)
    if request.operators or asked & {"s", "d"} or ("f" in asked and not follows_away):
        return False
    channel = state.channel(request.mask)
    if channel is not None and not channel.names_complete:
        return False
    folded = [state.fold(request.mask)] if channel is None else channel.members
    named = [state.users.get(each) for each in folded]
    return all(
        user
        and user.host
        and (user.realname or "r" not in asked)
        and (user.realname or user.away is not None or "f" not in asked)
        for user in named
    )


def who_lines(
    state: NetworkState, request: WhoRequest, server_name: str, caps: Collection[str] = ()
) -> list[Message]:
    """352s, or 354s where fields are asked for, and 315."""
    lines = []
    channel = state.channel(request.mask)
    if channel is not None:
        for folded_nick, member in channel.members.items():
            user = state.users.get(folded_nick) or User(member.nick)
            prefixes = member.prefixes if "multi-prefix" in caps else member.prefixes[:1]
            lines.append(_line(state, request, server_name, channel.name, user, prefixes))
    else:
        known = state.user_named(request.mask)
        if known is not None:
            lines.append(_line(state, request, server_name, "*", known, ""))
    end = (state.nick, request.mask or "*", "End of WHO list")
    return [*lines, Message(numerics.RPL_ENDOFWHO, end, server_name)]


def extended(
    state: NetworkState, request: WhoRequest, message: Message, caps: Collection[str]
) -> Message:
    """A 352 of the network as the 354 that was asked for, and its own 354 as this client reads it;
    other messages as they are."""
    if message.command == numerics.RPL_WHOSPCRPL and "multi-prefix" not in caps:
        return _with_first_prefix(state, request, message)
    if message.command != numerics.RPL_WHOREPLY or len(message.params) < 8:
        return message
    _, channel, name, host, server, nick, flags, last = message.params[:8]
    if "multi-prefix" not in caps:
        flags = first_prefix(flags, state.isupport.symbols)
    known = state.user_named(nick)
    account = known.account if known is not None else None
    values = {"c": channel, "u": name, "h": host, "s": server, "n": nick, "f": flags}
    values |= {"t": request.token, "a": account or "0", "d": last.partition(" ")[0]}
    values |= {"i": "255.255.255.255", "l": "0", "o": "n/a", "r": state.realname_in(last)}
    params = tuple(values[field] for field in request.fields)
    return Message(numerics.RPL_WHOSPCRPL, (state.nick, *params), message.source, message.raw_tags)


def _with_first_prefix(state: NetworkState, request: WhoRequest, message: Message) -> Message:
    at = 1 + request.fields.find("f")  # behind our nick
    if not 0 < at < len(message.params):
        return message
    *before, flags = message.params[: at + 1]
    few = first_prefix(flags, state.isupport.symbols)
    return message._replace(params=(*before, few, *message.params[at + 1 :]))


def highest_in(channels: str, symbols: Iterable[str] = ()) -> str:
    """The channels of a WHOIS, each with the highest prefix alone. What some prefixes are, others
    call channels by: the last that could be either belongs to the name."""
    several = re.escape("".join({*PREFIXES, *symbols}))
    return re.sub(rf"(?<![^ ])([{several}])[{several}]*(?=[{several}#])", r"\1", channels)


def first_prefix(flags: str, symbols: Iterable[str] = ()) -> str:
    """The flags of a WHO with the highest prefix alone: who has no multi-prefix gets no more."""
    several = re.escape("".join({*PREFIXES, *symbols}))
    return re.sub(f"([{several}])[{several}]+", r"\1", flags)


def _line(
    state: NetworkState,
    request: WhoRequest,
    server_name: str,
    channel: str,
    user: User,
    prefixes: str,
) -> Message:
    server = state.server or server_name
    flags = ("H" if user.away is None else "G") + user.bot + prefixes
    name, host = user.user or "*", user.host or "*"
    if not request.fields:
        plain = (channel, name, host, server, user.nick, flags, f"0 {user.realname}")
        return Message(numerics.RPL_WHOREPLY, (state.nick, *plain), server_name)
    values = {
        "t": request.token,
        "c": channel,
        "u": name,
        "i": "255.255.255.255",  # "if the IP is unknown or hidden": whox
        "h": host,
        "s": server,
        "n": user.nick,
        "f": flags,
        "d": "0",
        "l": "0",
        "a": user.account or "0",
        "o": "n/a",
        "r": user.realname,
    }
    params = tuple(values[field] for field in request.fields)
    return Message(numerics.RPL_WHOSPCRPL, (state.nick, *params), server_name)
