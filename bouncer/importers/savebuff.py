"""Buffers that ZNC's module savebuff keeps on disk: what was said last, with times and hosts. Pure.

They are sealed with Blowfish (CFB of 64 bits, which begins with zeros) under the MD5 of a password:
the module's argument, or what its owner typed, or, without either, one that everybody knows.
Sources: ZNC 1.8, modules/savebuff.cpp, src/Utils.cpp (CBlowfish), src/ZNCString.cpp (NamedFormat).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from bouncer.importers.loglines import CHANNEL_SIGNS, fold_of
from bouncer.importers.texts import text_of
from bouncer.irc.wire import Message, ProtocolError
from bouncer.session.secrets import is_secret
from storage.messages import Row
from storage.records import Network

ASKED = "--ask-pass"  # the argument by which the password is typed instead
_UNSET = "::__:NOPASS:__::"
_HEADS = ("::__:CHANBUFF:__::", "::__:QUERYBUFF:__::")
_BLOCK = 8  # octets

# No more digits: beyond the year 9999 no time can be told to clients.
_TIMED = re.compile(r"@(\d{1,11}),(\d{1,6}) (.*)", re.DOTALL)
_PLACE = re.compile(r"\\(.)|\{(\w+)\}", re.DOTALL)


class Kept(NamedTuple):
    """A line of a buffer; `{target}` in it, its owner's nick, is filled in."""

    time_us: int
    line: str


class Buffer(NamedTuple):
    name: str  # of the channel or the other's nick
    kept: list[Kept]


def passwords(arguments: str, typed: str) -> list[str]:
    """Which may open a network's buffers, by the module's arguments and what the owner gives."""
    configured = "" if arguments == ASKED else arguments
    return list(dict.fromkeys(each for each in (typed, configured, _UNSET) if each))


def open_buffer(data: bytes, tried: Iterable[str], own_nick: str) -> Buffer | None:
    """None where none of the passwords opens it."""
    for password in tried:
        text = text_of(_unsealed(data, password))
        for head in _HEADS:
            if text.startswith(head):
                name, *lines = text.removeprefix(head).split("\n")
                return Buffer(name.strip(), list(_kept(lines, own_nick)))
    return None


def _unsealed(data: bytes, password: str) -> bytes:
    """Each block is masked with the enciphered block before it."""
    key = hashlib.md5(password.encode(), usedforsecurity=False).digest()
    before = bytes(_BLOCK) + data + bytes(-len(data) % _BLOCK)
    mask = Cipher(Blowfish(key), modes.ECB()).encryptor().update(before)[: len(data)]
    return bytes(a ^ b for a, b in zip(data, mask, strict=True))


def _kept(lines: list[str], own_nick: str) -> Iterable[Kept]:
    """Two lines for each: the time and a form, then the text that is put into it."""
    for head, text in zip(lines[::2], lines[1::2], strict=False):
        timed = _TIMED.fullmatch(head)
        if timed is None:
            return
        values = {"text": text, "target": own_nick}

        def filled(match: re.Match[str], values: dict[str, str] = values) -> str:
            return match[1] or values.get(match[2], "")

        time_us = int(timed[1]) * 1_000_000 + int(timed[2])
        yield Kept(time_us, _PLACE.sub(filled, timed[3]))


def row_of(network: Network, name: str, kept: Kept) -> Row | None:
    """None for what modules have put in, and what must not be kept."""
    try:
        message = Message.parse(kept.line)
    except ProtocolError:
        return None
    if message.command not in ("PRIVMSG", "NOTICE") or len(message.params) < 2:
        return None
    first, text = message.params[0], message.params[-1]
    if message.nick.startswith("*"):
        return None
    is_channel = name[:1] in CHANNEL_SIGNS
    if not is_channel and is_secret(first, text):
        return None
    fold = fold_of(network.casemapping)
    addressee = "" if fold(first) == fold(name) else first
    return Row(
        0, network.id, fold(name), name, kept.time_us // 1000, "", message.command, message.source,
        "", addressee, text,
    )  # fmt: skip
