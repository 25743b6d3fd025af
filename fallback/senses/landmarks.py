"""Outside addresses by which a voter judges its own uplink; nothing of the primary is among them.

DNS queries to resolver addresses, NTP, and PING on the IRC connections it holds anyway. Every 30 s
in peacetime, in bursts while the primary is silent, so that "fresh" then means five seconds. A
connection that is not held is no landmark: a network that is away, or does not want us, would keep
a lone agent silent on all others. But what is lost together with the primary may be cut by our own
line. So one that was lost since shortly before the silence counts on, for ten minutes.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Awaitable, Callable, Sequence

import trio

from bouncer.config import Address
from fallback.config import Landmark
from fallback.senses.datagram import ask_udp
from fallback.watch import SelfCheck

CALM_S = 30.0
BURST_S = 1.5
ANSWER_S = 2.0  # a landmark that needs longer did not answer
CALM_FRESH_S = CALM_S + 5.0
UNHELD_S = 600.0  # sooner it may be our own line that has cut it,
APART_S = 120.0  # unless it was lost so long before the primary fell silent
NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970: RFC 5905 section 6

Ping = Callable[[], Awaitable[bool]]


class Landmarks:
    """When each landmark was last heard. `now` is the voter's clock.

    `irc` gives, by network, what sends a PING there and waits for its PONG; it raises OSError where
    no connection is held. At least `needed` count, held or not.
    """

    def __init__(
        self,
        places: Sequence[Landmark],
        now: Callable[[], float],
        *,
        fresh_s: float,
        needed: int,
        changed: Callable[[SelfCheck], None],
        irc: dict[str, Ping] | None = None,
    ) -> None:
        self._asks: dict[str, Ping] = {
            f"{place.kind} {place.address}": asker(place) for place in places
        }
        self._irc = {f"irc {name}": ping for name, ping in (irc or {}).items()}
        self._asks |= self._irc
        self._unheld_from: dict[str, float] = {}  # of connections to public networks
        self._needed = needed
        self._now = now
        self._fresh_s = fresh_s
        self._changed = changed
        self._burst_from: float | None = None
        self._wake = trio.Event()
        self.heard_at: dict[str, float] = {name: float("-inf") for name in self._asks}

    def burst(self) -> None:
        """Ask without pause from here on."""
        if self._burst_from is None:
            self._burst_from = self._now()
            self._wake.set()

    def calm(self) -> None:
        if self._burst_from is not None:  # else nobody would be woken for the next burst
            self._burst_from = None
            self._wake = trio.Event()

    def state(self) -> SelfCheck:
        """How many are fresh. In a burst younger than `fresh_s`, one still unanswered counts as it
        was before the burst."""
        now = self._now()
        fresh = 0
        held = [at for name, at in self.heard_at.items() if not self._is_unheld(name, now)]
        for heard_at in held:
            limit = CALM_FRESH_S
            if self._burst_from is not None:
                young = now - self._burst_from < self._fresh_s
                limit = CALM_FRESH_S + now - self._burst_from if young else self._fresh_s
            fresh += now - heard_at <= limit
        return SelfCheck(fresh, max(len(held), min(self._needed, len(self.heard_at))))

    def _is_unheld(self, name: str, now: float) -> bool:
        since = self._unheld_from.get(name, float("inf"))
        apart = self._burst_from is not None and self._burst_from >= since + APART_S
        return apart or now >= since + UNHELD_S

    def silent(self) -> list[str]:
        """The places that have not answered for longer than they are left alone in peacetime."""
        since = self._now() - CALM_FRESH_S
        places = self._asks.keys() - self._irc.keys()
        return sorted(name for name in places if self.heard_at[name] < since)

    async def run(self) -> None:
        """Ask until cancelled; every answer and every round may change the state."""
        async with trio.open_nursery() as nursery:
            for name, ask in self._asks.items():
                nursery.start_soon(self._ask, name, ask)
            nursery.start_soon(self._report)

    async def _ask(self, name: str, ask: Ping) -> None:
        while True:
            answered = False
            try:
                with trio.move_on_after(ANSWER_S):
                    answered = await ask()
            except OSError:
                if name in self._irc:
                    self._unheld_from.setdefault(name, self._now())
            if answered:  # a network that throws us out as soon as we are in is not held
                self._unheld_from.pop(name, None)
                self.heard_at[name] = self._now()
            if self._burst_from is not None:
                await trio.sleep(BURST_S)
            else:
                with trio.move_on_after(CALM_S if answered else CALM_S / 10):
                    await self._wake.wait()

    async def _report(self) -> None:
        last = None
        while True:
            state = self.state()
            # Each second while it matters, else at a change.
            if state != last or self._burst_from is not None:
                self._changed(state)
            last = state
            await trio.sleep(1.0)


def asker(place: Landmark) -> Ping:
    """What asks this landmark once; the caller sets the time limit."""
    match place.kind:
        case "dns":
            return lambda: ask_dns(place.address)
        case "ntp":
            return lambda: ask_ntp(place.address)
        case _:
            return lambda: ask_tcp(place.address)


async def ask_dns(address: Address) -> bool:
    """One query for the root's name servers: RFC 1035 section 4. Any answer to it will do."""
    number = os.urandom(2)
    query = number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)

    def fits(data: bytes) -> bool:
        return data[:2] == number and len(data) >= 12

    return bool(await ask_udp(address, query, fits))


async def ask_ntp(address: Address) -> bool:
    """One client packet: RFC 5905 section 7.3. The answer echoes our transmit time as origin."""
    stamp = os.urandom(8)  # any value will do, and a random one cannot be guessed
    query = b"\x23" + bytes(39) + stamp
    return bool(await ask_udp(address, query, lambda data: _is_ntp(data, stamp)))


def _is_ntp(data: bytes, stamp: bytes) -> bool:
    return len(data) >= 48 and data[24:32] == stamp


async def ask_clock(address: Address) -> float:
    """How many seconds our wall clock is ahead of an NTP server's, about. Raises OSError."""
    stamp, before = os.urandom(8), time.time()
    data = await ask_udp(address, b"\x23" + bytes(39) + stamp, lambda data: _is_ntp(data, stamp))
    after = time.time()
    seconds, fraction = struct.unpack_from("!II", data, 40)  # its transmit timestamp
    server = float(seconds - NTP_EPOCH_S + fraction / 2**32)
    return (before + after) / 2 - server


async def ask_tcp(address: Address) -> bool:
    """Whether a connection is accepted."""
    stream = await trio.open_tcp_stream(address.host, address.port)
    await trio.aclose_forcefully(stream)
    return True
