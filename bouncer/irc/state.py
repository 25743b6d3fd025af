"""What one network has told us: who we are, which channels we are in, who is in them.

Pure and total: a hostile server can make this wrong but not make it raise, nor grow without bound.
Lines of conversation change nothing here and cost one look-up. Handlers are rows of a table, one
for each command; they take the message and find the parameters they need or do nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

from bouncer.irc import numerics
from bouncer.irc.isupport import ISupport
from bouncer.irc.modes import parse_modes, parse_user_modes, takes_argument
from bouncer.irc.people import MAX_CHANNEL_MODES, Channel, Member, User
from bouncer.irc.wire import Message

MAX_CHANNELS = 2_000  # full: a channel more is not known; networks allow 20 to 200
MAX_MEMBERSHIPS = 100_000  # over all channels; full: further members are not listed
MAX_NAME = 300  # characters of a nick or channel; a longer one is not taken for one
MAX_DETAIL = 512  # characters of a host, realname or away text; the rest is cut
MAX_MOTD_LINES = 2_000  # full: the rest is cut
OWN_WHOX = ("%tcuhnfar", "793")  # the fields and the token of the WHO we ask ourselves

Handler = Callable[["NetworkState", Message], None]


class NetworkState:
    """Feed every message of a network to `receive`; read the attributes.

    A connection begins with a new one. Keys of `channels`, `users` and `members` are folded.
    """

    def __init__(self, nick: str) -> None:
        self.isupport = ISupport()
        self.nick = nick
        self.folded_nick = self.isupport.fold(nick)
        self.user = ""
        self.host = ""
        self.account: str | None = None
        self.realname = ""
        self.away: str | None = None
        self.umodes: set[str] = set()
        self.umodes_known = False
        self.server = ""
        self.myinfo: tuple[str, ...] = ()  # of 004: version, user modes, channel modes
        self.motd: list[str] | None = None  # None: the network has none, or has not sent it
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, User] = {}
        self.memberships = 0
        self._shared: dict[str, int] = {}  # folded nick: channels we share; 0 is not kept
        self._now_s = 0

    def receive(self, message: Message, now_s: int = 0) -> None:
        """Take a message in. `now_s` is the Unix time, wanted only for the age of a topic."""
        handler = _HANDLERS.get(message.command)
        if handler is not None and len(message.params) >= _ARITY[message.command]:
            self._now_s = now_s
            handler(self, message)

    def fold(self, name: str) -> str:
        return self.isupport.fold(name)

    def is_me(self, nick: str) -> bool:
        return nick == self.nick or self.isupport.fold(nick) == self.folded_nick

    def channel(self, name: str) -> Channel | None:
        return self.channels.get(self.isupport.fold(name))

    def user_named(self, nick: str) -> User | None:
        return self.users.get(self.isupport.fold(nick))

    def channels_of(self, nick: str) -> list[Channel]:
        """The channels we share with somebody: ask before handing in their QUIT or NICK."""
        folded_nick = self.isupport.fold(nick)
        return [channel for channel in self.channels.values() if folded_nick in channel.members]

    @property
    def mask(self) -> str:
        """Our `nick!user@host`, or the nick alone while the network has not told the rest."""
        return f"{self.nick}!{self.user}@{self.host}" if self.user and self.host else self.nick

    # What handlers share.

    def _rename_me(self, nick: str) -> None:
        if 0 < len(nick) <= MAX_NAME:
            self.nick = nick
            self.folded_nick = self.isupport.fold(nick)

    def _learn(self, source: str) -> None:
        """Take user and host from `nick!user@host`, for us or for somebody we know."""
        nick, _, rest = source.partition("!")
        user, at, host = rest.rpartition("@")
        if not at:
            return
        user, host = user[:MAX_DETAIL], host[:MAX_DETAIL]
        folded_nick = self.isupport.fold(nick)
        if folded_nick == self.folded_nick:
            self.user, self.host = user, host
        known = self.users.get(folded_nick)
        if known is not None and (known.user != user or known.host != host):
            self.users[folded_nick] = known._replace(user=user, host=host)

    def _change_user(self, nick: str, **changes: str | None) -> None:
        folded_nick = self.isupport.fold(nick)
        known = self.users.get(folded_nick)
        if known is not None:
            cut = {name: text and text[:MAX_DETAIL] for name, text in changes.items()}
            self.users[folded_nick] = known._replace(**cut)  # type: ignore[arg-type]

    def _add_member(self, channel: Channel, nick: str, prefixes: str = "") -> None:
        folded_nick = self.isupport.fold(nick)
        known = channel.members.get(folded_nick)
        if known is None:
            if not 0 < len(nick) <= MAX_NAME or self.memberships >= MAX_MEMBERSHIPS:
                return
            self.memberships += 1
            self._shared[folded_nick] = self._shared.get(folded_nick, 0) + 1
            if folded_nick not in self.users:
                self.users[folded_nick] = User(nick)
        elif len(prefixes) == 1 and prefixes == known.prefixes[:1]:
            prefixes = known.prefixes  # without multi-prefix a list shows only the highest
        channel.members[folded_nick] = Member(nick, prefixes)

    def _drop_member(self, channel: Channel, folded_nick: str) -> None:
        if channel.members.pop(folded_nick, None) is not None:
            self._lost(folded_nick)

    def _lost(self, folded_nick: str) -> None:
        self.memberships -= 1
        left = self._shared.get(folded_nick, 1) - 1
        if left:
            self._shared[folded_nick] = left
        else:
            self._shared.pop(folded_nick, None)
            self.users.pop(folded_nick, None)

    def _drop_channel(self, folded_channel: str) -> None:
        channel = self.channels.pop(folded_channel, None)
        if channel is not None:
            for folded_nick in channel.members:
                self._lost(folded_nick)

    def _refold(self) -> None:
        """Key everything anew, after a CASEMAPPING that came late."""
        fold = self.isupport.fold
        self.folded_nick = fold(self.nick)
        self.channels = {fold(channel.name): channel for channel in self.channels.values()}
        for channel in self.channels.values():
            channel.members = {fold(member.nick): member for member in channel.members.values()}
        self._recount()
        users = {fold(user.nick): user for user in self.users.values()}
        self.users = {folded: user for folded, user in users.items() if folded in self._shared}

    def _recount(self) -> None:
        self._shared = dict(Counter(chain.from_iterable(c.members for c in self.channels.values())))
        self.memberships = sum(self._shared.values())


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
    state._rename_me(message.params[0])
    last = message.params[-1].rpartition(" ")[2]  # many end it with nick!user@host
    if "!" in last and state.is_me(last.partition("!")[0]):
        state._learn(last)


@_on(numerics.RPL_MYINFO, params=3)
def _myinfo(state: NetworkState, message: Message) -> None:
    state.server = message.params[1]
    state.myinfo = message.params[2:]


@_on(numerics.RPL_ISUPPORT, params=2)
def _isupport(state: NetworkState, message: Message) -> None:
    before = state.isupport.casemapping
    state.isupport.update(message.params)
    if state.isupport.casemapping is not before:
        state._refold()


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
    state._learn(f"{state.nick}!{user if at else state.user}@{host}")


@_on(numerics.RPL_LOGGEDIN, params=3)
def _logged_in(state: NetworkState, message: Message) -> None:
    state.account = message.params[2]
    state._change_user(state.nick, account=message.params[2])
    if state.is_me(message.params[1].partition("!")[0]):
        state._learn(message.params[1])


@_on(numerics.RPL_LOGGEDOUT, params=0)
def _logged_out(state: NetworkState, _message: Message) -> None:
    state.account = None
    state._change_user(state.nick, account="")


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
        state._drop_channel(folded_channel)
        if len(state.channels) >= MAX_CHANNELS or len(name) > MAX_NAME:
            return
        state.channels[folded_channel] = Channel(name)
    channel = state.channels.get(folded_channel)
    if channel is None or not nick:
        return
    state._add_member(channel, nick)
    state._learn(message.source)
    if len(message.params) >= 3:  # extended-join: <channel> <account> :<realname>
        account = "" if message.params[1] == "*" else message.params[1]
        state._change_user(nick, account=account, realname=message.params[2])
        if state.is_me(nick):
            state.account = account or None
            state.realname = message.params[2]


@_on("PART", params=1)
def _part(state: NetworkState, message: Message) -> None:
    for name in message.params[0].split(","):
        _leave(state, name, message.nick)


@_on("KICK", params=2)
def _kick(state: NetworkState, message: Message) -> None:
    _leave(state, message.params[0], message.params[1])


def _leave(state: NetworkState, name: str, nick: str) -> None:
    folded_channel = state.fold(name)
    channel = state.channels.get(folded_channel)
    if channel is None:
        return
    if state.is_me(nick):
        state._drop_channel(folded_channel)
    else:
        state._drop_member(channel, state.fold(nick))


@_on("QUIT", params=0)
def _quit(state: NetworkState, message: Message) -> None:
    if state.is_me(message.nick):
        return  # the connection ends; what follows is a new state
    folded_nick = state.fold(message.nick)
    if folded_nick in state.users:
        for channel in state.channels.values():
            state._drop_member(channel, folded_nick)


@_on("NICK", params=1)
def _nick(state: NetworkState, message: Message) -> None:
    new = message.params[0]
    if not message.nick or not 0 < len(new) <= MAX_NAME:
        return
    folded_old, folded_new = state.fold(message.nick), state.fold(new)
    if state.is_me(message.nick):
        state._rename_me(new)
    user = state.users.pop(folded_old, None)
    if user is None:
        return
    for channel in state.channels.values():
        member = channel.members.pop(folded_old, None)
        if member is not None:
            if folded_old != folded_new:
                state._drop_member(channel, folded_new)  # who held the nick cannot hold it still
            channel.members[folded_new] = member._replace(nick=new)
    state.users[folded_new] = user._replace(nick=new)
    state._shared[folded_new] = state._shared.pop(folded_old, 1)


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
            state._add_member(channel, nick, word[: len(word) - len(entry)])
            if bang:
                state._learn(entry)


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
        channel.topic_at = state._now_s


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
            channel.modes[letter] = argument if wants else None


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
    state._change_user(message.nick, account=account)
    if state.is_me(message.nick):
        state.account = account or None


@_on("AWAY", params=0)
def _away(state: NetworkState, message: Message) -> None:
    # An AWAY without a message, or with an empty one, is a return: RFC 2812 section 4.1.
    text = message.params[0] if message.params and message.params[0] else None
    state._change_user(message.nick, away=text)
    if state.is_me(message.nick):
        state.away = text


@_on("CHGHOST", params=2)
def _chghost(state: NetworkState, message: Message) -> None:
    user, host = message.params[:2]
    state._learn(f"{message.nick}!{user}@{host}")


@_on("SETNAME", params=1)
def _setname(state: NetworkState, message: Message) -> None:
    state._change_user(message.nick, realname=message.params[0])
    if state.is_me(message.nick):
        state.realname = message.params[0]


@_on(numerics.RPL_WHOISUSER, params=6)
def _whois_user(state: NetworkState, message: Message) -> None:
    _, nick, user, host, _, realname = message.params[:6]
    state._learn(f"{nick}!{user}@{host}")
    state._change_user(nick, realname=realname)


@_on(numerics.RPL_WHOREPLY, params=8)
def _who_reply(state: NetworkState, message: Message) -> None:
    _, _, user, host, _, nick, flags, last = message.params[:8]
    _take_who(state, nick, user, host, flags, last.partition(" ")[2])  # "<hopcount> <realname>"


@_on(numerics.RPL_WHOSPCRPL, params=9)
def _whox_reply(state: NetworkState, message: Message) -> None:
    _, token, _, user, host, nick, flags, account, realname = message.params[:9]
    if token == OWN_WHOX[1]:  # only then are these the fields we asked for
        _take_who(state, nick, user, host, flags, realname)
        state._change_user(nick, account="" if account == "0" else account)


def _take_who(
    state: NetworkState, nick: str, user: str, host: str, flags: str, realname: str
) -> None:
    known = state.user_named(nick)
    if known is not None:
        away = (known.away or "") if flags.startswith("G") else None
        state._learn(f"{nick}!{user}@{host}")
        state._change_user(nick, away=away, realname=realname)
    if state.is_me(nick):
        state.realname = realname


def _seconds(text: str) -> int:
    number = text.partition(".")[0]
    return int(number) if len(number) <= 12 and number.isascii() and number.isdecimal() else 0
