"""What an incident machine hears, remembers and asks for: its events, actions, state. Pure values.

Between agents, ages travel, not times: the shell turns an age into a time on our own clock, so
that a peer's wrong clock moves nothing here. Only an incident's id holds a time, for its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

from fallback.actions import Persist, TellOps
from fallback.timings import DEFAULTS, Timings
from fallback.watch import NEVER, Sight, Verdict

UNSEEN = Sight()  # before the first step of our watch
MAX_TOMBSTONES = 256  # the oldest is dropped; an id so old is refused by its age instead
MAX_VOTERS = 16
MAX_RETOLD = 16  # closings said again at once, the latest ones
TOMBSTONE_AGE_S = 30 * 86400.0  # an incident proposed longer ago than this is never adopted


class Phase(Enum):
    """Where an agent's incident stands."""

    NONE = auto()
    OPEN = auto()
    RECOVERING = auto()


class Kind(IntEnum):
    """Why an incident is open; a greater one wins: operator > quorum > solo > drill."""

    DRILL = 1
    SOLO = 2
    QUORUM = 3
    OPERATOR = 4


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as last heard; fresh for `vote_ttl_s` after `heard_at` (our clock)."""

    voter: str
    verdict: Verdict
    silent_from: float
    heard_at: float


@dataclass(frozen=True, slots=True)
class Shown:
    """When a voter last showed A or a valid maintenance (our clock)."""

    voter: str
    at: float


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A closed incident; gossiped until every voter of the roster has acked it.

    `at`: when it was closed, or for one closed by hand when the order was given (our clock).
    """

    id: str
    by_hand: bool
    at: float
    acked: frozenset[str] = frozenset()


# Events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """The process has started; what its own store remembers (see the facts below)."""

    incident: IncidentFact | None = None
    tombstones: tuple[Tombstone, ...] = ()
    stood_down: bool = False
    order: StanddownFact | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """Our own watch took a step; given after every one."""

    sight: Sight


@dataclass(frozen=True, slots=True)
class VoteHeard:
    """A fresh vote, also our own; the shell has checked signature, nonce and drill flag."""

    voter: str
    verdict: Verdict
    silent_from: float
    drill: bool = False


@dataclass(frozen=True, slots=True)
class VoteWithdrawn:
    """The voter took its vote back."""

    voter: str


@dataclass(frozen=True, slots=True)
class VoterShows:
    """A voter showed A no older than `suspect_s`, or a valid maintenance, at `at`."""

    voter: str
    at: float


@dataclass(frozen=True, slots=True)
class PeerIncident:
    """Another agent's open incident, as it gossips it every second."""

    agent: str
    id: str
    kind: Kind
    spoken: bool
    recovering: bool
    verdict: Verdict
    silent_from: float
    drill_ends: float = NEVER


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """CLOSED(id) of another agent. `at` as in `Tombstone`; `in_force`: closed by hand, and the
    sender has not heard A for 60 s since, so that its stand-down still holds."""

    agent: str
    id: str
    by_hand: bool
    at: float
    in_force: bool = False


@dataclass(frozen=True, slots=True)
class CloseAcked:
    """A voter keeps our tombstone now."""

    voter: str
    id: str


@dataclass(frozen=True, slots=True)
class VotersKnown:
    """The roster's other voters (names): whose acks a tombstone needs."""

    voters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Declared:
    """`!declare REASON` or `!confirm` of an admin, heard here. `id` is proposed by us."""

    admin: str


@dataclass(frozen=True, slots=True)
class StanddownOrdered:
    """`!standdown` of an admin, heard here or replicated; `at` when it was given (our clock)."""

    admin: str
    at: float


@dataclass(frozen=True, slots=True)
class HeldOrdered:
    """`!hold DUR` of an admin, heard here or replicated; `until` on our clock."""

    admin: str
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class DrillOrdered:
    """A signed drill order: the incident's id stands in it, so that all agents open the same."""

    id: str
    ends: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A speaker of this agent is about to announce (its own Persist came before)."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The bouncer counts us among its agents no more; `still_votes`: but among its witnesses."""

    still_votes: bool = False


@dataclass(frozen=True, slots=True)
class Stalled:
    """Our own loop had a gap; before any event that waited meanwhile."""

    gap_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due at the latest at `wake_at`."""


Event = (
    Restored
    | Watched
    | VoteHeard
    | VoteWithdrawn
    | VoterShows
    | PeerIncident
    | PeerClosed
    | CloseAcked
    | VotersKnown
    | Declared
    | StanddownOrdered
    | HeldOrdered
    | DrillOrdered
    | Spoken
    | Dismissed
    | Stalled
    | Tick
)

# Facts (inside Persist) -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """Fact: the incident that is open here; replaced at each change, `id` '' when none is."""

    id: str
    kind: Kind
    recovering: bool
    spoken: bool
    verdict: Verdict
    silent_from: float
    opened_at: float
    operator_at: float = NEVER
    drill_ends: float = NEVER


@dataclass(frozen=True, slots=True)
class TombstoneFact:
    """Fact: a closed incident and who has acked its closing."""

    tombstone: Tombstone


@dataclass(frozen=True, slots=True)
class StoodDownFact:
    """Fact: stood down by hand, or no longer."""

    stood_down: bool


@dataclass(frozen=True, slots=True)
class StanddownFact:
    """Fact: a stand-down is ordered (`at`), or none is (NEVER); a hold runs `held_until`."""

    at: float
    held_until: float


# Actions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gossip:
    """Send our incident to the other agents now; the shell repeats it every second while open."""


class Line(Enum):
    """What the speakers that have a line standing are to say."""

    BACK = "the primary is back; staying until it has been stable"
    AGAIN = "unreachable again"
    WORSE = "not a drill: unreachable"
    LAST = "closed"
    CLOSING = "an admin stands down"
    HELD = "an admin holds what was to be closed"
    WITHDRAWN = "no agent any more"


@dataclass(frozen=True, slots=True)
class Say:
    """A line for every network where this agent speaks; `since` in epoch seconds."""

    line: Line
    since: float = NEVER


@dataclass(frozen=True, slots=True)
class SendClosed:
    """Send CLOSED to all voters now; the shell repeats it until `CloseAcked` of each, and tells
    with it whether this agent is stood down at that moment."""

    tombstone: Tombstone
    in_force: bool


@dataclass(frozen=True, slots=True)
class AckClosed:
    """Tell `agent` that the closing is kept here."""

    agent: str
    id: str


@dataclass(frozen=True, slots=True)
class RelayOrder:
    """Pass a `!standdown` or `!hold` on to the other agents, with its age."""

    order: StanddownOrdered | HeldOrdered


@dataclass(frozen=True, slots=True)
class Devoice:
    """The incident is closed: devoice the verified; the journal is kept as data."""


Action = Persist | TellOps | Gossip | Say | SendClosed | AckClosed | RelayOrder | Devoice

# State ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IncidentState:
    """All an agent remembers of incidents; make one with its name, send `Restored`."""

    me: str
    phase: Phase = Phase.NONE
    id: str = ""
    kind: Kind = Kind.DRILL
    spoken: bool = False
    verdict: Verdict = Verdict.SITE
    silent_from: float = NEVER  # for the line: "unreachable from here since"
    opened_at: float = NEVER
    operator_at: float = NEVER
    drill_ends: float = NEVER
    sight: Sight = UNSEEN
    ballots: tuple[Ballot, ...] = ()
    shown: tuple[Shown, ...] = ()
    voters: frozenset[str] = frozenset()
    tombstones: tuple[Tombstone, ...] = ()
    stood_down: bool = False
    stood_down_told: bool = False
    order_at: float = NEVER  # a `!standdown` waits since then
    held_until: float = NEVER
    hold_at: float = NEVER  # when the hold that runs was ordered
    booted_at: float = NEVER
    asked: bool = False  # solo = "ask": ops were asked for `!confirm`
    deaf_until: float = NEVER  # after a stall: what queued meanwhile is not fresh
    timings: Timings = field(default=DEFAULTS, compare=False, repr=False)
