"""What a server says it supports (005). Total: a token we cannot read leaves its default.

Source: modern.ircdocs.horse, RPL_ISUPPORT parameters; where a token is missing, its default there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from bouncer.irc.casemap import CaseMapping
from bouncer.irc.numerics import RPL_ISUPPORT
from bouncer.irc.wire import MAX_LINE, Message

MAX_TOKENS = 500  # real servers send 30 to 60; full: further new tokens are ignored
MAX_PREFIXES = 32  # membership modes; the longest known list has 8
TOKENS_PER_LINE = 13  # 15 parameters less the nick and the text: RFC 1459 section 2.3
MAX_NUMBER = 1_000_000_000

_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}\Z")
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
_TRAILER = "are supported by this server"

# What a server says of itself that is not so behind the bouncer, which serves history itself. What
# the last four let a client switch on for all alike, each has by a capability, or by MONITOR.
NOT_REPLAYED = frozenset({
    "CHATHISTORY", "MSGREFTYPES", "VAPID", "BOUNCER_NETID", "FILEHOST",
    "NAMESX", "UHNAMES", "STARTTLS", "WATCH",
})  # fmt: skip
NOT_REPLAYED_PREFIXES = ("soju.im/", "draft/")


class ChannelModes(NamedTuple):
    """CHANMODES: letters of lists, always with, with an argument when set, never with one."""

    a: frozenset[str]
    b: frozenset[str]
    c: frozenset[str]
    d: frozenset[str]


DEFAULT_PREFIX = "(ov)@+"
DEFAULT_CHANMODES = ChannelModes(
    frozenset("beI"), frozenset("k"), frozenset("l"), frozenset("imnpst")
)


class ISupport:
    """The tokens of one server, and what they mean. Attributes are brought up by `update`.

    `prefix` maps membership letters to symbols, highest first; `symbols` is the same the other
    way round. `tokens` holds values unescaped; None where a token came without '='.
    """

    def __init__(self, casemapping: CaseMapping | None = None) -> None:
        """`casemapping` counts until a token tells, or `told` says that none does."""
        self.tokens: dict[str, str | None] = {}
        self._untold = casemapping or CaseMapping.named(None)
        self._read()

    def told(self) -> None:
        """All has been told that comes in the greeting: what is missing has its default."""
        self._untold = CaseMapping.named(None)
        self._read()

    def update(self, params: Sequence[str]) -> None:
        """Take the parameters of one 005: the nick, tokens, and the closing text."""
        words = list(params[1:])
        if words and (" " in words[-1] or words[-1].startswith(":")):
            words.pop()
        for word in words:
            self._take(word)
        self._read()

    def _take(self, word: str) -> None:
        if word.startswith("-"):
            self.tokens.pop(word[1:].partition("=")[0], None)
            return
        name, equals, value = word.partition("=")
        if not _TOKEN_NAME.match(name):
            return
        if name in self.tokens or len(self.tokens) < MAX_TOKENS:
            # Users of one network are told the same: kept once.
            self.tokens[intern(name)] = intern(_unescape(value)) if equals else None

    def _read(self) -> None:
        get = self.tokens.get
        told = "CASEMAPPING" in self.tokens
        self.casemapping = CaseMapping.named(get("CASEMAPPING")) if told else self._untold
        self.fold: Callable[[str], str] = self.casemapping.fold
        self.prefix, self.symbols = _memberships(_text(self.tokens, "PREFIX", DEFAULT_PREFIX))
        self.chanmodes = _chanmodes(get("CHANMODES"), "".join(self.prefix))
        # An empty CHANTYPES says that the server has no channels.
        self.chantypes = _letters(_text(self.tokens, "CHANTYPES", "#&"))
        self.statusmsg = _letters(get("STATUSMSG") or "")
        self.network = get("NETWORK") or ""
        self.nicklen = _number(get("NICKLEN")) or 9
        self.channellen = _number(get("CHANNELLEN")) or 200
        self.topiclen = _number(get("TOPICLEN"))
        self.awaylen = _number(get("AWAYLEN"))
        self.modes = _number(get("MODES")) or 3
        self.linelen = max(_number(get("LINELEN")) or MAX_LINE, MAX_LINE)
        self.monitor = "MONITOR" in self.tokens
        self.monitor_limit = _number(get("MONITOR"))  # None: no limit told
        self.whox = "WHOX" in self.tokens
        self.bot = (get("BOT") or "")[:1]  # bot-mode: a user mode, and a flag of WHO
        self.maxlist = _limits(get("MAXLIST"))
        self._targmax = _targmax(get("TARGMAX"))

    def is_channel(self, name: str) -> bool:
        return bool(name) and name[0] in self.chantypes

    def without_status(self, target: str) -> str:
        """`#channel` for `@#channel` where the server has STATUSMSG; else the target itself."""
        bare = target.lstrip("".join(self.statusmsg)) if self.statusmsg else target
        return bare if self.is_channel(bare) else target

    def targmax(self, command: str, unlisted: int | None = 1) -> int | None:
        """How many targets a command takes; None is no limit."""
        return self._targmax.get(command.upper(), unlisted)

    def lines(
        self,
        nick: str,
        server: str,
        extra: Mapping[str, str | None] = MappingProxyType({}),
    ) -> list[Message]:
        """The 005s that tell a client the same; `extra` is the bouncer's own and wins."""
        told = {name: value for name, value in self.tokens.items() if is_replayed(name)} | dict(
            extra
        )
        words = [
            name if value is None else f"{name}={_escape(value)}" for name, value in told.items()
        ]
        room = MAX_LINE - 2 - len(f":{server} 005 {nick}  :{_TRAILER}".encode())
        lines: list[Message] = []
        batch: list[str] = []
        used = 0
        for word in words:
            size = len(word.encode("utf-8", "replace")) + 1
            if size > room:
                continue  # it could not be sent; it came on a line longer than RFC 1459 allows
            if len(batch) == TOKENS_PER_LINE or used + size > room:
                lines.append(Message(RPL_ISUPPORT, (nick, *batch, _TRAILER), server))
                batch, used = [], 0
            batch.append(word)
            used += size
        if batch:
            lines.append(Message(RPL_ISUPPORT, (nick, *batch, _TRAILER), server))
        return lines


def is_replayed(name: str) -> bool:
    """Whether a network's token holds for a client behind the bouncer too."""
    return name not in NOT_REPLAYED and not name.startswith(NOT_REPLAYED_PREFIXES)


def _unescape(value: str) -> str:
    """What could end a line of ours is left out."""
    return _ESCAPED.sub(_character, value) if "\\" in value else value


def _character(escaped: re.Match[str]) -> str:
    char = chr(int(escaped[1], 16))
    return "" if char in "\r\n\0" else char


def _escape(value: str) -> str:
    # Space, backslash, '=' and what would end a line: RPL_ISUPPORT, value escapes.
    return "".join(
        f"\\x{ord(char):02X}" if char in " \\=" or ord(char) < 32 else char for char in value
    )


def _text(tokens: Mapping[str, str | None], name: str, default: str) -> str:
    return tokens[name] or "" if name in tokens else default


def _number(text: str | None) -> int | None:
    """A decimal number, else None; int() alone takes signs, '_' and any script's digits."""
    if not text or len(text) > 10 or not (text.isascii() and text.isdecimal()):
        return None
    return min(int(text), MAX_NUMBER)


# Users of one network are told the same, and share what that means.
_shared = lru_cache(maxsize=64)


@_shared
def _letters(value: str) -> frozenset[str]:
    return frozenset(value)


@_shared
def _memberships(value: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """`(ov)@+`: symbols by letter, highest first, and letters by symbol."""
    letters, closed, symbols = value[1:].partition(")")
    if value and (value[0] != "(" or not closed or len(letters) != len(symbols)):
        return _memberships(DEFAULT_PREFIX)
    # "no value": the server has no membership prefixes
    prefix = dict(zip(letters[:MAX_PREFIXES], symbols[:MAX_PREFIXES], strict=True))
    by_symbol = {symbol: letter for letter, symbol in prefix.items()}
    return MappingProxyType(prefix), MappingProxyType(by_symbol)


@_shared
def _chanmodes(value: str | None, memberships: str) -> ChannelModes:
    if value is None:
        return DEFAULT_CHANMODES
    # "To allow for future modes, more than four types may be sent": they take unknown arguments.
    groups = [frozenset(group).difference(memberships) for group in value.split(",")[:4]]
    groups += [frozenset[str]()] * (4 - len(groups))
    return ChannelModes(*groups)


@_shared
def _limits(value: str | None) -> Mapping[str, int]:
    """`beI:100,q:50` by letter."""
    limits = {}
    for pair in (value or "").split(","):
        letters, _, text = pair.partition(":")
        number = _number(text)
        if number is not None:
            limits.update(dict.fromkeys(letters, number))
    return MappingProxyType(limits)


@_shared
def _targmax(value: str | None) -> Mapping[str, int | None]:
    """`PRIVMSG:4,NOTICE:` by command; an empty number is no limit."""
    limits = {}
    for pair in (value or "").split(","):
        command, colon, text = pair.partition(":")
        if command and colon:
            limits[command.upper()] = _number(text)
    return MappingProxyType(limits)
