"""Which temporary nick a person gets: the same in every incident. Pure.

The order is the specification's: the usual nick if it is free or held by one's own account, the
grouped alternate likewise, `alice_`, `alice-k7`, then longer. The two characters are base32 of a
hash of organisation key and handle, so that nobody has to remember or agree on them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

NICKLEN = 9  # until a 005 says more: RFC 1459, 1.2
TAG_CHARS = 2
LONGEST_TAG = 6
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\`_^{|}")
_ALLOWED = _LETTERS | frozenset("0123456789-")  # RFC 2812, 2.3.1: nickname


def tag(org_key: bytes, handle: str, chars: int = TAG_CHARS) -> str:
    """The characters that mark `handle` in this organisation, lower-case base32."""
    digest = hashlib.blake2s(handle.casefold().encode(), key=org_key[:32]).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:chars]


def plain(name: str) -> str:
    """`name` with what no network allows in a nick left out; never empty."""
    kept = "".join(char for char in name if char in _ALLOWED)
    return kept if kept and kept[0] in _LETTERS else f"u{kept}"


def candidates(
    handle: str, usual: Sequence[str], org_key: bytes, nicklen: int = NICKLEN
) -> Iterator[tuple[str, bool]]:
    """The nicks to try, in order, each with whether it may be held by one's own account.

    `usual`: the nick preferences of this network in order (the first is the usual nick, others
    are grouped alternates). `nicklen` from ISUPPORT.
    """
    for nick in usual:
        if len(nick) <= nicklen:
            yield nick, True
    base = plain(usual[0] if usual else handle)
    yield base[: nicklen - 1] + "_", False
    for chars in range(TAG_CHARS, LONGEST_TAG + 1):
        yield f"{base[: nicklen - chars - 1]}-{tag(org_key, handle, chars)}", False


def temp_nick(
    handle: str,
    usual: Sequence[str],
    org_key: bytes,
    held: Mapping[str, str | None],
    own_account: str | None,
    fold: Callable[[str], str],
    nicklen: int = NICKLEN,
) -> str:
    """The nick this person should use now.

    `held`: the folded nicks in use, with the account of who holds each (None: not logged in or
    not known). `fold` is the network's casemapping. When all are taken, the longest is returned:
    the person can add what they like, the claim counts and not the nick.
    """
    nick = handle
    for nick, own_may_hold in candidates(handle, usual, org_key, nicklen):
        folded_nick = fold(nick)
        if folded_nick not in held:
            return nick
        account = held[folded_nick]
        if own_may_hold and account and own_account and fold(account) == fold(own_account):
            return nick
    return nick
