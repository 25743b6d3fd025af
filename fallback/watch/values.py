"""What a watch hears, remembers and asks for: its events, actions and state. Pure values.

`now` is seconds since the epoch on the voter's own steady clock: it never jumps while the voter
runs; a suspension or a jump of the wall clock is reported as `Stalled` before anything else.

Evidence comes in two classes. A: an authenticated heartbeat, direct or forwarded. B: something of
the primary answered without authentication. Silence is counted from the last A.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from fallback.actions import Persist, TellOps
from fallback.timings import DEFAULTS, Timings

MAX_NOTICES = 16  # windows remembered at once; the earliest-ending is dropped
MAX_ENDED = 64  # ended windows remembered, so that a copy can't begin one again


class Phase(Enum):
    """Where a watch stands. BOOTING is before the persisted facts are read."""

    BOOTING = auto()
    UNARMED = auto()
    WATCHING = auto()
    SUSPECT = auto()
    DOWN_SITE = auto()
    DOWN_SERVICE = auto()
    ISOLATED = auto()
    MAINTENANCE = auto()


DOWN = frozenset({Phase.DOWN_SITE, Phase.DOWN_SERVICE})
ARMED = frozenset(Phase) - {Phase.BOOTING, Phase.UNARMED}


class Verdict(Enum):
    """What a vote says. SERVICE is weaker than SITE, and HOME than both."""

    SITE = "site"
    SERVICE = "service"
    HOME = "home"  # the bouncer is up, its home IRC server is not


@dataclass(frozen=True, slots=True)
class Notice:
    """A maintenance window, signed by the bouncer; the shell has checked the signature.

    `begins` and `ends` in epoch seconds. `term_boot` is set in the short notice the bouncer
    sends when it is stopped by TERM: the boot id it had. Such a notice has no overrun and ends
    with the first A of another boot.
    """

    id: str
    begins: float
    ends: float
    term_boot: str = ""


# Events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booted:
    """The process has started; what its own store remembers."""

    armed: bool
    notices: tuple[Notice, ...] = ()
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Class A: a heartbeat whose tag, signature and nonce are good.

    `at`: when it was received, by us or (direct=False) by the voter that forwards it, on our
    clock: the shell subtracts the age the forwarder states. A forwarded heartbeat is as old as
    its receipt, or two voters would keep each other calm with their last ones for ever.

    `home_down`: the bouncer says in it that its home IRC server is unreachable. Where that is to
    be announced, such a heartbeat is class B: something answers, but nobody can be met there.
    """

    boot: str
    at: float
    direct: bool = True
    drill: bool = False
    home_down: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """Class B: TCP accept or refusal, TLS handshake, CAP LS or PING answered; `at` our clock."""

    at: float


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """The landmarks' state: how many of how many were heard within `landmark_fresh_s`.

    Sent at each change and every second in SUSPECT, DOWN and ISOLATED. While a burst is younger
    than `landmark_fresh_s`, a landmark still unanswered counts as it was before the burst.
    """

    fresh: int
    of: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """Our own loop had a gap: the largest of the monotonic, boottime and wall deltas, seconds.

    The shell reports it before any event that waited meanwhile.
    """

    gap_s: float


@dataclass(frozen=True, slots=True)
class Noticed:
    """A valid maintenance notice came, direct or as forwarded signed bytes."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class NoticeEnded:
    """The signed `!maintenance end` of one window."""

    id: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due at the latest at `wake_at`."""


Event = Booted | Heartbeat | Answered | SelfCheck | Stalled | Noticed | NoticeEnded | Tick

# Actions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Armed:
    """Fact: this voter has heard its primary at least once."""


@dataclass(frozen=True, slots=True)
class KnownNotices:
    """Fact: the maintenance windows known, and the ids of those that were ended."""

    notices: tuple[Notice, ...]
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AckNotice:
    """Tell the bouncer that the notice is kept; also sent for a copy."""

    id: str


@dataclass(frozen=True, slots=True)
class BurstProbes:
    """Two connects a second to every site address and family; landmarks in a burst."""


@dataclass(frozen=True, slots=True)
class CalmProbes:
    """Back to the peacetime rhythm of probes and landmarks."""


@dataclass(frozen=True, slots=True)
class AskVoters:
    """Ask every other voter: forward your last heartbeat and notices; probe for me."""


@dataclass(frozen=True, slots=True)
class Vote:
    """Send our vote to all voters, ourselves included; `silent_from` in epoch seconds."""

    verdict: Verdict
    silent_from: float
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take our vote back at once, at all voters."""


@dataclass(frozen=True, slots=True)
class GapCounted:
    """A silence in SUSPECT ended by A: seconds, for metrics."""

    gap_s: float


@dataclass(frozen=True, slots=True)
class Degraded:
    """Someone has A while we have none directly: an ops notice only."""


Action = (
    Persist
    | TellOps
    | AckNotice
    | BurstProbes
    | CalmProbes
    | AskVoters
    | Vote
    | Withdraw
    | GapCounted
    | Degraded
)

# State ------------------------------------------------------------------------------------------

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class WatchState:
    """All a watch remembers; times in epoch seconds. Make one with `WatchState()`, send `Booted`.

    `drill`: this is the watch of a drill, for which a heartbeat flagged `drill` is silence; its
    votes are drill votes. The real watch takes the same heartbeat as A.
    """

    phase: Phase = Phase.BOOTING
    drill: bool = False
    silent_from: float = 0.0  # the silence clock: the last A, or a fresh start
    heard_at: float = NEVER  # the last A
    steady_from: float = NEVER  # since when A has come without a gap of `suspect_s`
    answered_at: float = 0.0  # the last B, or a fresh start
    down_from: float = NEVER  # since when the verdict has stood
    home_from: float = NEVER  # since when every heartbeat says that the home server is down
    home_at: float = NEVER  # the last heartbeat that says so
    home_told: bool = False
    gap_s: float = 0.0  # the silence the last A ended
    boot: str = ""
    check_good: bool = False
    check_full: bool = False  # all landmarks fresh
    check_at: float = NEVER
    good_from: float = NEVER  # since when the self-check has been good without a break
    degraded: bool = False
    ask_at: float = 0.0
    vote_at: float = 0.0
    notices: tuple[Notice, ...] = ()
    ended: tuple[str, ...] = ()
    overrun_told: tuple[str, ...] = ()
    timings: Timings = field(default=DEFAULTS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the incident machine needs of its own watch."""

    phase: Phase = Phase.BOOTING
    silent_from: float = 0.0
    heard_at: float = NEVER
    steady_from: float = NEVER
    down_from: float = NEVER
    checked_until: float = NEVER  # the self-check counts as good until then
    full: bool = False
    home: bool = False  # what is missing is the home server alone


def sight(state: WatchState) -> Sight:
    """The watch as the incident machine sees it."""
    until = state.check_at + state.timings.landmark_fresh_s if state.check_good else NEVER
    return Sight(
        state.phase,
        state.silent_from,
        state.heard_at,
        state.steady_from,
        state.down_from,
        until,
        state.check_full,
        state.timings.announce_home and state.home_from != NEVER,
    )
