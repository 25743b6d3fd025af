"""What one network has told us: who we are, which channels we are in, who is in them.

Pure and total. Lines of conversation change nothing here and cost one look-up. Handlers are rows of
a table, one for each command, with the least number of parameters they need.
"""

from __future__ import annotations

from collections.abc import Callable

from bouncer.irc import numerics
from bouncer.irc.known import MAX_CHANNELS, MAX_DETAIL, MAX_MOTD_LINES, Known, is_name
from bouncer.irc.modes import parse_modes, parse_user_modes, takes_argument
from bouncer.irc.people import MAX_CHANNEL_MODES, Channel
from bouncer.irc.wire import Message

OWN_WHOX = ("%tcuhnfar", "793")  # the fields and the token of the WHO we ask ourselves


class NetworkState(Known):
    """Feed every message of a network to `receive`; read the attributes.

    A connection begins with a new one.
    """

    def receive(self, message: Message, now_s: int = 0) -> None:
        """Take a message in. `now_s` is the Unix time, wanted only for the age of a topic."""
        handler = _HANDLERS.get(message.command)
        if handler is not None and len(message.params) >= _ARITY[message.command]:
            self.now_s = now_s
            handler(self, message)


Handler = Callable[[NetworkState, Message], None]
_HANDLERS: dict[str, Handler] = {}
_ARITY: dict[str, int] = {}


def _on(*commands: str, params: int) -> Callable[[Handler], Handler]:
    """Make a function the handler of these commands, called with at least so many parameters."""

    def register(handler: Handler) -> Handler:
        for command in commands:
            _HANDLERS[command] = handler
            _ARITY[command] = params
        return handler

    return register


# --- who we are ---


@_on(numerics.RPL_WELCOME, params=1)
def _welcome(state: NetworkState, message: Message) -> None:
    state.server = message.source
    if message.params[0] != "*":
        state.rename_me(message.params[0])
    last = message.params[-1].rpartition(" ")[2]  # many end it with nick!user@host
    if "!" in last and state.is_me(last.partition("!")[0]):
        state.learn(last)


@_on(numerics.RPL_MYINFO, params=3)
def _myinfo(state: NetworkState, message: Message) -> None:
    state.server = message.params[1]
    state.myinfo = message.params[2:]


@_on(numerics.RPL_ISUPPORT, params=2)
def _isupport(state: NetworkState, message: Message) -> None:
    before = state.isupport.casemapping
    state.isupport.update(message.params)
    if state.isupport.casemapping is not before:
        state.refold()


@_on(numerics.RPL_MOTDSTART, params=0)
def _motd_start(state: NetworkState, _message: Message) -> None:
    state.motd = []


@_on(numerics.RPL_MOTD, params=2)
def _motd_line(state: NetworkState, message: Message) -> None:
    if state.motd is None:
        state.motd = []
    if len(state.motd) < MAX_MOTD_LINES:
        state.motd.append(message.params[-1][:MAX_DETAIL])


@_on(numerics.ERR_NOMOTD, params=0)
def _no_motd(state: NetworkState, _message: Message) -> None:
    state.motd = None


@_on(numerics.RPL_UMODEIS, params=2)
def _umode_is(state: NetworkState, message: Message) -> None:
    state.umodes.clear()
    _change_umodes(state, message.params[1:])


@_on(numerics.RPL_VISIBLEHOST, params=2)
def _visible_host(state: NetworkState, message: Message) -> None:
    user, at, host = message.params[1].rpartition("@")  # "[<user>@]<host>"
    state.learn(f"{state.nick}!{user if at else state.user}@{host}")


@_on(numerics.RPL_LOGGEDIN, params=3)
def _logged_in(state: NetworkState, message: Message) -> None:
    state.account = message.params[2]
    state.change_user(state.nick, account=message.params[2])
    if state.is_me(message.params[1].partition("!")[0]):
        state.learn(message.params[1])


@_on(numerics.RPL_LOGGEDOUT, params=0)
def _logged_out(state: NetworkState, _message: Message) -> None:
    state.account = None
    state.change_user(state.nick, account="")


@_on(numerics.RPL_NOWAWAY, params=0)
def _now_away(state: NetworkState, _message: Message) -> None:
    state.away = state.away or ""


@_on(numerics.RPL_UNAWAY, params=0)
def _un_away(state: NetworkState, _message: Message) -> None:
    state.away = None


# --- who is where ---


@_on("JOIN", params=1)
def _join(state: NetworkState, message: Message) -> None:
    nick = message.nick
    name = message.params[0]
    folded_channel = state.fold(name)
    if state.is_me(nick):
        state.drop_channel(folded_channel)
        if len(state.channels) >= MAX_CHANNELS or not is_name(name):
            return
        state.channels[folded_channel] = Channel(name)
    channel = state.channels.get(folded_channel)
    if channel is None or not nick:
        return
    state.add_member(channel, nick)
    state.learn(message.source)
    if len(message.params) >= 3:  # extended-join: <channel> <account> :<realname>
        account = "" if message.params[1] == "*" else message.params[1]
        state.change_user(nick, account=account, realname=message.params[2])
        if state.is_me(nick):
            state.account = account or None
            state.realname = message.params[2]


@_on("PART", params=1)
def _part(state: NetworkState, message: Message) -> None:
    for name in message.params[0].split(","):
        _leave(state, name, message.nick)


@_on("RENAME", params=2)
def _rename_channel(state: NetworkState, message: Message) -> None:
    state.rename_channel(*message.params[:2])


@_on("KICK", params=2)
def _kick(state: NetworkState, message: Message) -> None:
    _leave(state, message.params[0], message.params[1])


def _leave(state: NetworkState, name: str, nick: str) -> None:
    folded_channel = state.fold(name)
    channel = state.channels.get(folded_channel)
    if channel is None:
        return
    if state.is_me(nick):
        state.drop_channel(folded_channel)
    else:
        state.drop_member(channel, state.fold(nick))


@_on("QUIT", params=0)
def _quit(state: NetworkState, message: Message) -> None:
    if state.is_me(message.nick):
        return  # the connection ends; what follows is a new state
    folded_nick = state.fold(message.nick)
    if folded_nick in state.users:
        for channel in state.channels.values():
            state.drop_member(channel, folded_nick)


@_on("NICK", params=1)
def _nick(state: NetworkState, message: Message) -> None:
    if not message.nick:
        return
    if state.is_me(message.nick):
        state.rename_me(message.params[0])
    state.rename(message.nick, message.params[0])


@_on(numerics.RPL_NAMREPLY, params=4)
def _names(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[2])
    if channel is None:
        return
    symbols = "".join(state.isupport.symbols)
    for word in message.params[3].split(" "):
        entry = word.lstrip(symbols)
        nick, bang, _ = entry.partition("!")  # userhost-in-names
        if nick:
            held = dict.fromkeys(word[: len(word) - len(entry)])  # each once
            state.add_member(channel, nick, "".join(held))
            if bang:
                state.learn(entry)


@_on(numerics.RPL_ENDOFNAMES, params=2)
def _names_end(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.names_complete = True


# --- what channels are like ---


@_on("TOPIC", params=2)
def _topic_changed(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[0])
    if channel is not None:
        channel.topic = message.params[1]
        channel.topic_by = message.source
        channel.topic_at = state.now_s


@_on(numerics.RPL_TOPIC, params=3)
def _topic(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.topic = message.params[2]


@_on(numerics.RPL_NOTOPIC, params=2)
def _no_topic(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.topic = ""


@_on(numerics.RPL_TOPICWHOTIME, params=4)
def _topic_who_time(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.topic_by = message.params[2]
        channel.topic_at = _seconds(message.params[3])


@_on(numerics.RPL_CREATIONTIME, params=3)
def _created(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.created = _seconds(message.params[2])


@_on(numerics.RPL_CHANNELMODEIS, params=3)
def _channel_mode_is(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[1])
    if channel is not None:
        channel.modes.clear()
        channel.modes_known = True
        _change_channel_modes(state, channel, message.params[2:])


@_on("MODE", params=2)
def _mode(state: NetworkState, message: Message) -> None:
    channel = state.channel(message.params[0])
    if channel is not None:
        _change_channel_modes(state, channel, message.params[1:])
    elif state.is_me(message.params[0]):
        _change_umodes(state, message.params[1:])


def _change_umodes(state: NetworkState, words: tuple[str, ...]) -> None:
    state.umodes_known = True
    for change in parse_user_modes(words):
        if not change.add:
            state.umodes.discard(change.letter)
        elif len(state.umodes) < MAX_CHANNEL_MODES:
            state.umodes.add(change.letter)


def _change_channel_modes(state: NetworkState, channel: Channel, words: tuple[str, ...]) -> None:
    for add, letter, argument in parse_modes(state.isupport, words):
        symbol = state.isupport.prefix.get(letter)
        if symbol is not None:
            _change_prefix(state, channel, symbol, add, argument or "")
        elif letter in state.isupport.chanmodes.a:
            continue  # lists are the network's to keep
        elif not add:
            channel.modes.pop(letter, None)
        elif len(channel.modes) < MAX_CHANNEL_MODES or letter in channel.modes:
            wants = takes_argument(state.isupport, letter, add)
            channel.modes[letter] = argument and argument[:MAX_DETAIL] if wants else None


def _change_prefix(
    state: NetworkState, channel: Channel, symbol: str, add: bool, nick: str
) -> None:
    folded_nick = state.fold(nick)
    member = channel.members.get(folded_nick)
    if member is not None:
        held = set(member.prefixes) - {symbol} | ({symbol} if add else set())
        prefixes = "".join(each for each in state.isupport.symbols if each in held)
        channel.members[folded_nick] = member._replace(prefixes=prefixes)


# --- what people are like ---


@_on("ACCOUNT", params=1)
def _account(state: NetworkState, message: Message) -> None:
    account = "" if message.params[0] == "*" else message.params[0]
    state.change_user(message.nick, account=account)
    if state.is_me(message.nick):
        state.account = account or None


@_on("AWAY", params=0)
def _away(state: NetworkState, message: Message) -> None:
    # An AWAY without a message, or with an empty one, is a return: RFC 2812 section 4.1.
    text = message.params[0] if message.params and message.params[0] else None
    state.change_user(message.nick, away=text)
    if state.is_me(message.nick):
        state.away = text


@_on("CHGHOST", params=2)
def _chghost(state: NetworkState, message: Message) -> None:
    user, host = message.params[:2]
    state.learn(f"{message.nick}!{user}@{host}")


@_on("SETNAME", params=1)
def _setname(state: NetworkState, message: Message) -> None:
    state.change_user(message.nick, realname=message.params[0])
    if state.is_me(message.nick):
        state.realname = message.params[0]


@_on(numerics.RPL_WHOISUSER, params=6)
def _whois_user(state: NetworkState, message: Message) -> None:
    _, nick, user, host, _, realname = message.params[:6]
    state.learn(f"{nick}!{user}@{host}")
    state.change_user(nick, realname=realname)


@_on(numerics.RPL_WHOISBOT, params=2)
def _whois_bot(state: NetworkState, message: Message) -> None:
    state.change_user(message.params[1], bot=state.isupport.bot)


@_on(numerics.RPL_WHOREPLY, params=8)
def _who_reply(state: NetworkState, message: Message) -> None:
    _, _, user, host, _, nick, flags, last = message.params[:8]
    _take_who(state, nick, user, host, flags, state.realname_in(last))


@_on(numerics.RPL_WHOSPCRPL, params=9)
def _whox_reply(state: NetworkState, message: Message) -> None:
    _, token, _, user, host, nick, flags, account, realname = message.params[:9]
    if token == OWN_WHOX[1]:  # only then are these the fields we asked for
        _take_who(state, nick, user, host, flags, realname)
        state.change_user(nick, account="" if account == "0" else account)


def _take_who(
    state: NetworkState, nick: str, user: str, host: str, flags: str, realname: str
) -> None:
    known = state.user_named(nick)
    if known is not None:
        away = (known.away or "") if flags.startswith("G") else None
        state.learn(f"{nick}!{user}@{host}")
        bot = state.isupport.bot if state.isupport.bot in flags else ""
        state.change_user(nick, away=away, realname=realname, bot=bot)
    if state.is_me(nick):
        state.realname = realname


def _seconds(text: str) -> int:
    number = text.partition(".")[0]
    return int(number) if len(number) <= 12 and number.isascii() and number.isdecimal() else 0
