"""What we know of one network, and the few changes that all its messages come down to.

Pure, and bounded: a hostile server can make this wrong but cannot make it grow without end.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from sys import intern

from bouncer.irc.casemap import CaseMapping
from bouncer.irc.isupport import ISupport
from bouncer.irc.people import Channel, Member, User

MAX_CHANNELS = 2_000  # full: a channel more is not known; networks allow 20 to 200
MAX_MEMBERSHIPS = 100_000  # over all channels; full: further members are not listed
MAX_MOTD_LINES = 2_000  # full: the rest is cut
MAX_NAME = 300  # characters of a nick or channel; a longer one is not taken for one
MAX_DETAIL = 512  # characters of a host, realname or away text; the rest is cut


def is_name(name: str) -> bool:
    """Whether it can be a nick or channel: it stands in the middle of our own lines."""
    return 0 < len(name) <= MAX_NAME and " " not in name


class Known:
    """Keys of `channels`, `users` and `members` are folded. `account` is None when logged out;
    `away` is None when here, '' when away with a text the network did not repeat. `casemapping` is
    how the network folded names when it last told: see `ISupport`."""

    def __init__(self, nick: str, casemapping: CaseMapping | None = None) -> None:
        self.isupport = ISupport(casemapping)
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
        self.now_s = 0

    def realname_in(self, trailing: str) -> str:
        """The realname in the last parameter of a 352: "<hopcount> <realname>", and in irc2 from
        2.11 on "<hopcount> <SID> <realname>"."""
        words = trailing.split(" ", 2)
        has_sid = bool(self.myinfo) and self.myinfo[0].startswith("2.11.")
        return " ".join(words[2:] if has_sid else words[1:])

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

    # Changes. Each keeps the bounds, and `users` to those we share a channel with.

    def rename_me(self, nick: str) -> None:
        if is_name(nick):
            self.nick = nick
            self.folded_nick = self.isupport.fold(nick)

    def learn(self, source: str) -> None:
        """Take user and host from `nick!user@host`, for us or for somebody we know."""
        nick, _, rest = source.partition("!")
        user, at, host = rest.rpartition("@")
        if not at or " " in source:
            return
        user, host = user[:MAX_DETAIL], host[:MAX_DETAIL]
        folded_nick = self.isupport.fold(nick)
        if folded_nick == self.folded_nick:
            self.user, self.host = user, host
        known = self.users.get(folded_nick)
        if known is not None and (known.user != user or known.host != host):
            self.users[folded_nick] = known._replace(user=intern(user), host=intern(host))

    def change_user(self, nick: str, **changes: str | None) -> None:
        folded_nick = self.isupport.fold(nick)
        known = self.users.get(folded_nick)
        if known is not None:
            cut = {name: text and text[:MAX_DETAIL] for name, text in changes.items()}
            self.users[folded_nick] = known._replace(**cut)  # type: ignore[arg-type]

    def add_member(self, channel: Channel, nick: str, prefixes: str = "") -> None:
        folded_nick = self.isupport.fold(nick)
        known = channel.members.get(folded_nick)
        if known is None:
            if not is_name(nick) or self.memberships >= MAX_MEMBERSHIPS:
                return
            nick, folded_nick = intern(nick), intern(folded_nick)  # a team knows the same people
            self.memberships += 1
            self._shared[folded_nick] = self._shared.get(folded_nick, 0) + 1
            if folded_nick not in self.users:
                self.users[folded_nick] = User(nick)
        elif len(prefixes) == 1 and prefixes == known.prefixes[:1]:
            prefixes = known.prefixes  # without multi-prefix a list shows only the highest
        channel.members[folded_nick] = Member(nick, prefixes)

    def rename(self, nick: str, new: str) -> None:
        folded_old, folded_new = self.isupport.fold(nick), self.isupport.fold(new)
        if folded_old not in self.users or not is_name(new):
            return
        user = self.users.pop(folded_old)
        shared = self._shared.pop(folded_old)
        for channel in self.channels.values():
            member = channel.members.pop(folded_old, None)
            if member is not None:
                self.drop_member(channel, folded_new)  # who held the nick cannot hold it still
                channel.members[folded_new] = Member(new, member.prefixes)
        self.users[folded_new] = user._replace(nick=new)
        self._shared[folded_new] = shared + self._shared.get(folded_new, 0)

    def rename_channel(self, name: str, new: str) -> None:
        """With all that is known of it: IRCv3 channel-rename."""
        folded, folded_new = self.isupport.fold(name), self.isupport.fold(new)
        if folded not in self.channels or not is_name(new):
            return
        channel = self.channels.pop(folded)
        self.drop_channel(folded_new)  # what was called so cannot be so still
        channel.name = new
        self.channels[folded_new] = channel

    def drop_member(self, channel: Channel, folded_nick: str) -> None:
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

    def drop_channel(self, folded_channel: str) -> None:
        channel = self.channels.pop(folded_channel, None)
        if channel is not None:
            for folded_nick in channel.members:
                self._lost(folded_nick)

    def greeted(self) -> None:
        """The greeting is over: what the network has not told has its default."""
        self.isupport.told()
        self.refold()

    def refold(self) -> None:
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
