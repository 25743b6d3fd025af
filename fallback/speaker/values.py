"""What a speaker hears, remembers and asks for: its events, actions and state. Pure values.

One machine per agent and public network. A CLAIM says "I speak on this network"; it carries the
age of the claimant's line in the lobby, because only who was joined then can judge it mute.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from fallback.actions import Persist
from fallback.timings import DEFAULTS, Timings

NEVER = float("-inf")
MAX_MUTED = 16
MAX_SEEN = 16
LEARNT_LATE_S = 3600.0  # a line seen so long before we knew of the incident may be its line


class Phase(Enum):
    """Where this agent stands on one network. HUSHED: silent for one lease after a stall."""

    QUIET = auto()
    WAITING = auto()
    SPEAKING = auto()
    FOLLOWING = auto()
    HUSHED = auto()


# Events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """The process has started. `line_at`: when our line of the incident that is open was said on
    this network, from the store; None if it was not, or belongs to an older incident."""

    line_at: float | None = None


@dataclass(frozen=True, slots=True)
class TombstonesFetched:
    """Another agent has told us all its tombstones since our start, or there is none to ask.

    Without an answer for two leases we go on all the same: the others may be dead."""


@dataclass(frozen=True, slots=True)
class IncidentSeen:
    """Our incident machine took a step: `id` '' when none is open.

    `may_announce` is `incident.may_announce`; `may_repeat` whether a standing line may be
    repeated now.
    """

    id: str
    may_announce: bool
    may_repeat: bool


@dataclass(frozen=True, slots=True)
class NetworkJoined:
    """We stand in lobby and room of this network."""


@dataclass(frozen=True, slots=True)
class NetworkLost:
    """The connection ended, or the network bans or mutes us."""


@dataclass(frozen=True, slots=True)
class ClaimHeard:
    """A CLAIM of another agent for this network.

    `line_at`: when its line was sent to the lobby, on our clock (the shell subtracts the age it
    states); None: it has no line here.
    """

    agent: str
    rank: int
    line_at: float | None


@dataclass(frozen=True, slots=True)
class LineSaid:
    """The line of an `Announce` has been written to the network."""


@dataclass(frozen=True, slots=True)
class LineRefused:
    """The network did not take our line, or one after it, or the connection ended before anything
    showed that it had come: it may not be read in the lobby."""


@dataclass(frozen=True, slots=True)
class LineSeen:
    """We saw a line of this agent's account in the lobby."""

    agent: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """Our own loop had a gap; before any event that waited meanwhile."""

    gap_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due at the latest at `wake_at`."""


Event = (
    Restored
    | TombstonesFetched
    | IncidentSeen
    | NetworkJoined
    | NetworkLost
    | ClaimHeard
    | LineSaid
    | LineRefused
    | LineSeen
    | Stalled
    | Tick
)

# Facts and actions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineFact:
    """Fact: our line of this incident stands on this network since `line_at`. One per network.

    Kept when the line has been written, not before: who is killed in between says it again,
    for silence is the failure. ("spoken", a fact of the incident, is kept before.)"""

    network: str
    incident_id: str
    line_at: float


@dataclass(frozen=True, slots=True)
class Announce:
    """Say the line in lobby and room, the temp nicks in the room. Names the agreed place."""

    network: str
    incident_id: str


@dataclass(frozen=True, slots=True)
class Push:
    """Push the line that now stands on this network to the operators' topics. Asked for when the
    line's fact is kept, so that who is killed and starts again does not push a second time."""

    network: str
    incident_id: str


@dataclass(frozen=True, slots=True)
class RepeatLine:
    """Say the standing line in lobby and room once more."""

    network: str
    incident_id: str


@dataclass(frozen=True, slots=True)
class SendClaim:
    """CLAIM this network at all agents; `line_at` of our line here, None if there is none."""

    network: str
    incident_id: str
    rank: int
    line_at: float | None


@dataclass(frozen=True, slots=True)
class StopTalking:
    """Drop what waits to be said on this network; another agent speaks."""

    network: str


Action = Persist | Announce | Push | RepeatLine | SendClaim | StopTalking

# State ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimant:
    """The agent we follow: its last CLAIM, and when it says that its line was sent."""

    agent: str
    rank: int
    heard_at: float
    line_at: float | None
    line_from: float = NEVER  # since when its claims carry a line


@dataclass(frozen=True, slots=True)
class Seen:
    """When we last saw a line of an agent in the lobby; outlives an incident that is dropped
    unspoken here and comes back from a peer."""

    agent: str
    at: float


@dataclass(frozen=True, slots=True)
class SpeakerState:
    """All an agent remembers about speaking on `network`; `rank` 0 speaks first."""

    me: str
    network: str
    rank: int
    phase: Phase = Phase.QUIET
    booted_at: float = NEVER
    restored: bool = False
    fetched: bool = False
    joined_from: float | None = None
    incident_id: str = ""
    open_from: float = NEVER  # since when an incident is open here
    may_announce: bool = False
    may_repeat: bool = False
    line_at: float | None = None
    pushed: bool = False  # the line of this incident, from this network
    waiting_until: float = NEVER
    hushed_until: float = NEVER
    claim_at: float = NEVER  # our next CLAIM
    heard_at: float = NEVER  # the last CLAIM that counts
    claimant: Claimant | None = None
    seen: tuple[Seen, ...] = ()
    muted: frozenset[str] = frozenset()
    repeated_at: float = NEVER
    timings: Timings = field(default=DEFAULTS, compare=False, repr=False)
