"""The voters as the bouncer knows them: what each last acked, and how that reads in a line."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from bouncer.config import Address
from bouncer.mesh.heartbeat import NO_NONCE, Ack, Maintenance
from bouncer.mesh.link import Link
from bouncer.mesh.roster import Roster, Voter
from bouncer.mesh.ways import Ways

LINK_BEAT_S = 5.0
MAX_HELD = 256
MAX_BY_LINK = 16  # notices and orders on their way; full: the oldest goes, for they are said again
CALM = frozenset({"WATCHING"})  # what a voter that can vote and sees nothing wrong says


@dataclass(frozen=True, slots=True)
class Site:
    """What a heartbeat says about the site. `home` is `up`, `down` or `none`."""

    home: str = "none"
    certificate_ends_s: int = 0
    drill: bool = False


@dataclass(frozen=True, slots=True)
class VoterStatus:
    """One voter as the bouncer knows it. `acked_s` is None before the first ack."""

    name: str
    role: str
    state: str
    acked_s: float | None
    incident: str
    roster: int
    linked: bool
    maintenance: str


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of a notice: success may be claimed only when `acked` is `voters`."""

    window: Maintenance
    acked: int
    voters: int


@dataclass
class Tracked:
    """One voter at run time."""

    voter: Voter
    since: float
    ways: Ways = field(default_factory=Ways)
    ack: Ack | None = None
    acked_at: float = float("-inf")
    told: bool = False
    noted: int = 0  # the number of the last note of its present boot that ops were told
    link: Link | None = None
    pushed: int = -1  # the roster version that went over this link
    push: trio.Event = field(default_factory=trio.Event)
    proven: trio.Event = field(default_factory=trio.Event)  # its nonce is known
    nonce: bytes = NO_NONCE  # of its present boot
    scope: trio.CancelScope | None = None
    by_link: deque[bytes] = field(default_factory=lambda: deque(maxlen=MAX_BY_LINK))
    leaves: bool = False  # it was removed: the next roster is the last that it hears from us
    held: set[str] = field(default_factory=set)  # notices and orders its present boot has acked

    def let_go(self) -> None:
        """It is looked after no more."""
        if self.scope is not None:
            self.scope.cancel()

    def speaks_as(self, nonce: bytes) -> None:
        """Its boot. Another one may have lost what an earlier one held: its file may be another."""
        if nonce != self.nonce:
            self.held.clear()
            self.nonce, self.noted = nonce, 0

    def hold(self, name: str) -> None:
        if len(self.held) >= MAX_HELD:
            self.held.clear()  # at worst a notice is sent once more
        self.held.add(name)

    def status(self, now: float) -> VoterStatus:
        """At `now` in trio's time."""
        ack = self.ack
        return VoterStatus(
            self.voter.name,
            self.voter.role,
            ack.state if ack else "never heard",
            now - self.acked_at if ack else None,
            ack.incident if ack else "",
            ack.roster if ack else 0,
            self.link is not None,
            ack.maintenance if ack else "",
        )


def summary(voters: Sequence[VoterStatus], roster: Roster | None, wall_ms: int) -> str:
    """One line: `agents fra=OK hel=OK(w); hb 0.4s; roster v118 3h`; '' without voters."""
    if not voters or roster is None:
        return ""
    seen = []
    for voter in voters:
        state = voter.state
        if voter.acked_s is None or voter.acked_s >= LINK_BEAT_S * 2:
            state = "SILENT"
        elif state in CALM:
            # Without the newest roster it may not know the other voters, or a person on call.
            state = "OK" if voter.roster == roster.version else "OLD-ROSTER"
        seen.append(f"{voter.name}={state}{'(w)' if voter.role == 'witness' else ''}")
    newest = min((one.acked_s for one in voters if one.acked_s is not None), default=None)
    beat = "never answered" if newest is None else f"{newest:.1f}s"
    age_h = roster.age_s(wall_ms) / 3600
    return f"agents {' '.join(seen)}; hb {beat}; roster v{roster.version} {age_h:.0f}h"


def split_address(text: str) -> tuple[str, int]:
    """Host and port of a voter's `host:port` or `[v6]:port`. Raises ValueError."""
    address = Address.parse(text)
    if not address.host or not address.port:
        raise ValueError(f'"{text}" is not where a voter can be; write "host:port"')
    return address.host, address.port
