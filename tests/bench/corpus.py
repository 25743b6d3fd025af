"""What is said on the benchmarks' network: the same chat-like lines in every run.

A line is 100 to 200 octets without its tags. Each carries `~m` and a running number, by which
clients count and check what they were shown; a line whose delay is measured carries `~t` and the
monotonic clock in nanoseconds as well (one machine, one clock, so processes can compare).
"""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

SPEAKERS = 60
VARIANTS = 997  # prime, so that bodies and channels do not fall into step
LEAD_MS = 4 * 3_600_000  # before the clock: so many lines a flood may have
ACCOUNT_EVERY = 3
TICKET_EVERY = 1000  # every so many lines hold a word of their own: the rare word of a search
COMMON_WORD = "switch"
MSGID_OCTETS = 22

NUMBER = re.compile(rb"~m(\d+)")
STAMP = re.compile(rb"~t(\d+)")

_TALK = (
    "the a to and of in on is it we I that for with at not now can was are be this have but "
    "rack power link port switch router uplink fibre disk raid backup restore deploy rollback "
    "alert page queue latency packet loss route prefix session customer ticket night shift "
    "please check again thanks looks good wait still down up back since before after restart "
    "server database mirror cache proxy certificate expires tomorrow "
    "https://status.example.net/ "
)
_WORDS = _TALK.split()


class Dialect(NamedTuple):
    """The tags that a connection has negotiated."""

    time: bool = False  # server-time
    msgid: bool = False  # message-tags
    account: bool = False  # account-tag

    @classmethod
    def of(cls, caps: set[str]) -> Dialect:
        return cls("server-time" in caps, "message-tags" in caps, "account-tag" in caps)


def speaker(index: int) -> str:
    """The full source of one of the people in every channel."""
    return f"user{index:02d}!~ident{index % 7}@host-{index:02d}.example.net"


def ticket(number: int) -> str:
    """The word that stands in no line but this one (`number` a multiple of TICKET_EVERY)."""
    return f"ticket{number:07d}"


def _variants() -> list[tuple[bytes, bytes, bytes]]:
    """(account tag, ":source PRIVMSG ", text) of each variant; the whole line fits 100 to 200."""
    chance = random.Random(1459)
    variants = []
    for index in range(VARIANTS):
        who = chance.randrange(SPEAKERS)
        head = f":{speaker(who)} PRIVMSG ".encode()
        room = chance.randint(108, 180) - len(head) - len("#chan00 :~m0000000 \r\n")
        text = ""
        while len(text) < room:
            text += chance.choice(_WORDS) + " "
        account = f"account=user{who:02d}".encode() if index % ACCOUNT_EVERY == 0 else b""
        variants.append((account, head, text[:room].strip().encode()))
    return variants


class Corpus:
    """Makes lines. Numbers, times and msgids go on from line to line and never repeat."""

    def __init__(self, session: str) -> None:
        self._variants = _variants()
        self._session = session.encode()
        self._next_ms = 0
        self.next_number = 0

    def lines(
        self, count: int, channels: Sequence[bytes], dialects: Sequence[Dialect], now_ms: int
    ) -> dict[Dialect, bytes]:
        """The next `count` lines, round robin over the channels, once per dialect.

        Their times are a millisecond apart and begin LEAD_MS before `now_ms`: a flood is faster
        than a line each millisecond, and what comes from the future counts as said now.
        """
        first = self.next_number
        self.next_number += count
        start_ms = max(self._next_ms, now_ms - LEAD_MS)
        self._next_ms = start_ms + count
        bodies = [self._body(number, channels) for number in range(first, first + count)]
        times = _times(start_ms, count) if any(d.time for d in dialects) else []
        return {d: self._tagged(d, first, bodies, times) for d in set(dialects)}

    def stamped(
        self, channel: bytes, dialects: Sequence[Dialect], now_ms: int, clock_ns: int
    ) -> dict[Dialect, bytes]:
        """The next line, with the clock in it."""
        number = self.next_number
        self.next_number += 1
        self._next_ms = max(self._next_ms, now_ms) + 1
        _, head, text = self._variants[number % VARIANTS]
        body = b"%b%b :~m%d ~t%d %b\r\n" % (head, channel, number, clock_ns, text)
        times = _times(self._next_ms - 1, 1)
        return {d: self._tagged(d, number, [body], times) for d in set(dialects)}

    def said(self, number: int) -> tuple[str, str, str]:
        """(account tag, source, text) of the line of that number."""
        account, head, text = self._variants[number % VARIANTS]
        source = head.split(b" ", 1)[0][1:]
        return account.decode(), source.decode(), (_numbered(number) + text).decode()

    def _body(self, number: int, channels: Sequence[bytes]) -> bytes:
        _, head, text = self._variants[number % VARIANTS]
        channel = channels[number % len(channels)]
        return b"%b%b :%b%b\r\n" % (head, channel, _numbered(number), text)

    def _tagged(
        self, dialect: Dialect, first: int, bodies: list[bytes], times: list[bytes]
    ) -> bytes:
        if not any(dialect):
            return b"".join(bodies)
        lines = []
        for offset, body in enumerate(bodies):
            number = first + offset
            tags = []
            if dialect.time:
                tags.append(b"time=" + times[offset])
            if dialect.msgid:
                tags.append(b"msgid=" + self.msgid(number))
            account = self._variants[number % VARIANTS][0]
            if dialect.account and account:
                tags.append(account)
            lines.append(b"@%b %b" % (b";".join(tags), body) if tags else body)
        return b"".join(lines)

    def msgid(self, number: int) -> bytes:
        return msgid(self._session, number)


def _numbered(number: int) -> bytes:
    """How the text of a line begins."""
    if number % TICKET_EVERY == 0:
        return b"~m%d %b " % (number, ticket(number).encode())
    return b"~m%d " % number


def msgid(session: bytes, number: int) -> bytes:
    """The id of a line, MSGID_OCTETS long with a session of eight, as servers make them."""
    return b"%b%014d" % (session, number)


def _times(start_ms: int, count: int) -> list[bytes]:
    """`count` server-time values, a millisecond apart."""
    times: list[bytes] = []
    while len(times) < count:
        second, millisecond = divmod(start_ms + len(times), 1000)
        moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
        prefix = moment.strftime("%Y-%m-%dT%H:%M:%S.").encode()
        until = min(1000, millisecond + count - len(times))
        times += [b"%b%03dZ" % (prefix, ms) for ms in range(millisecond, until)]
    return times
