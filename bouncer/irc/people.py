"""Channels and people as values: what NetworkState holds and burst shows.

Source: modern.ircdocs.horse; the order of prefixes is the server's PREFIX, highest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MAX_CHANNEL_MODES = 64  # letters; a server has some 30


class Member(NamedTuple):
    """Somebody in a channel. `prefixes` are symbols like `@+`, highest first."""

    nick: str
    prefixes: str = ""


class User(NamedTuple):
    """Somebody we share a channel with. '' where the network has not told us.

    `account` is None while unknown, '' for logged out. `away` is None when here, else the
    message, '' where only the fact is known. `bot` is the flag of WHO by which a bot is known.
    """

    nick: str
    user: str = ""
    host: str = ""
    account: str | None = None
    away: str | None = None
    realname: str = ""
    bot: str = ""

    @property
    def mask(self) -> str:
        """`nick!user@host`, or the nick alone while the rest is unknown."""
        return f"{self.nick}!{self.user}@{self.host}" if self.user and self.host else self.nick


@dataclass(slots=True)
class Channel:
    """A channel we are in. Times are Unix seconds; `topic` is None while not told, '' for none.

    `modes` has no lists (bans and the like) and no memberships. `names_complete` says that the
    server has ended its list of members (366).
    """

    name: str
    topic: str | None = None
    topic_by: str = ""
    topic_at: int = 0
    modes: dict[str, str | None] = field(default_factory=dict)
    modes_known: bool = False
    created: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    names_complete: bool = False


def matches(mask: str, source: str) -> bool:
    """Whether `*` and `?` of the mask can stand for the rest of the source, both folded."""
    at = read = 0  # in the mask, in the source
    star, mark = -1, 0  # the last `*`, and where what it stands for ends
    while read < len(source):
        if at < len(mask) and mask[at] == "*":
            star, mark = at, read
            at += 1
        elif at < len(mask) and mask[at] in ("?", source[read]):
            at, read = at + 1, read + 1
        elif star >= 0:
            mark += 1
            at, read = star + 1, mark
        else:
            return False
    return all(char == "*" for char in mask[at:])


def full_mask(mask: str) -> str:
    """`nick` as `nick!*@*`, `*@host` as `*!*@host`."""
    if "!" in mask:
        return mask
    return f"*!{mask}" if "@" in mask else f"{mask}!*@*"
