"""What the claims desk hears, remembers and asks for: its events, actions and state. Pure values.

A claim is kept per (network, connection); the shell numbers the connections it sees (one per nick
it can follow through NICK and QUIT), so a nick taken over by somebody else is another connection.
A nick is never proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

from fallback.actions import Persist

NEVER = float("-inf")

CHALLENGE_S = 120.0
LOCK_S = 600.0
SUSPEND_S = 600.0
EXPIRE_S = 12 * 3600.0
VOUCH_S = 4 * 3600.0
BAD_CODES = 3
MAX_UNVERIFIED = (
    128  # per network; full: the oldest is forgotten, so a flood hurts its network only
)
MAX_VERIFIED = 512
MAX_REMOTE = 512  # full: the oldest is forgotten
MAX_NONCES = 4096  # the store keeps all; a nonce is good for two minutes anyway


class Phase(Enum):
    """Where one claim stands."""

    OPEN = auto()
    CHALLENGED = auto()
    LOCKED = auto()
    VERIFIED = auto()
    SUSPENDED = auto()
    SUPERSEDED = auto()
    EXPIRED = auto()
    REVOKED = auto()


class Proof(IntEnum):
    """What proved it; a greater one is stronger: ssh > account > code > vouch."""

    VOUCH = 1
    CODE = 2
    ACCOUNT = 3
    SSH = 4


ADMIN_PROOFS = frozenset({Proof.ACCOUNT, Proof.SSH})  # destructive commands need one of these


class Gone(Enum):
    """Why a connection can no longer be followed."""

    QUIT = "quit"
    SPLIT = "split"
    ACCOUNT_LOST = "account lost"
    NO_SHARED_CHANNEL = "no shared channel"
    AGENT_DISCONNECTED = "agent disconnected"


@dataclass(frozen=True, slots=True)
class Connection:
    """Somebody on a public network whom the agent can follow: `number` is unique per boot."""

    network: str
    number: int


# Events. Each names its connection; the shell has done all that needs the roster, a hash or a
# subprocess, and says what came out. ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IncidentBegan:
    """Proofs are bound to this incident from here on; sent again when its id changes (a peer's
    smaller one): what was signed for the older id stays good."""

    id: str


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    """The incident is over."""


@dataclass(frozen=True, slots=True)
class AccountMatched:
    """The network says that `nick` is logged in to the services account of `handle`."""

    connection: Connection
    nick: str
    handle: str
    account: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """`claim HANDLE`, in private; `nonce` is fresh from the shell, and names this agent.

    `handle` is '' when the roster knows no such person: everything goes on the same way, and
    no proof will fit (unknown handles get the same answers as known ones).
    """

    connection: Connection
    nick: str
    handle: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Signed:
    """`proof BASE64` checked by ssh-keygen: what the signature binds, and whether it verifies.

    All of `valid`, incident, network, nick and nonce must fit. `key` identifies the public key.
    """

    connection: Connection
    valid: bool
    incident: str
    network: str
    nick: str
    nonce: str
    key: str


@dataclass(frozen=True, slots=True)
class CodeGiven:
    """`claim HANDLE CODE`, in private. `digest` is the SHA-256 of what was given.

    `fits`: the roster has this digest for the handle. The desk itself knows what is burned.
    """

    connection: Connection
    nick: str
    handle: str
    digest: str
    fits: bool


@dataclass(frozen=True, slots=True)
class CodeSpilled:
    """A code of the roster was said in public: it is burned."""

    digest: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """`!vouch NICK HANDLE` by an admin who is verified by ssh or account."""

    connection: Connection
    nick: str
    handle: str
    admin: str


@dataclass(frozen=True, slots=True)
class NickChanged:
    """NICK seen on the same connection."""

    connection: Connection
    nick: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection, or its account, can no longer be followed."""

    connection: Connection
    gone: Gone


@dataclass(frozen=True, slots=True)
class NetworkDropped:
    """The agent itself was disconnected from the network."""

    network: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """An admin revokes what this connection holds."""

    connection: Connection
    admin: str


@dataclass(frozen=True, slots=True)
class PeerVerified:
    """A claim at another agent as it stands there; `spent` the nonce or code digest it used."""

    agent: str
    claim_id: str
    handle: str
    network: str
    nick: str
    proof: Proof
    spent: str
    phase: Phase = Phase.VERIFIED


@dataclass(frozen=True, slots=True)
class PeerSpent:
    """Another agent burned a nonce or a code."""

    agent: str
    spent: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The process has started; what its own store remembers of this incident."""

    incident: str
    spent: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outproved:
    """Made by the desk itself: the same handle has a valid proof elsewhere."""

    handle: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class CodeTwice:
    """Made by the desk itself: the code behind this claim was spent at another agent, too."""

    spent: str


@dataclass(frozen=True, slots=True)
class UplinkDoubted:
    """ISOLATED while SPEAKING: verify no new claim until the self-check is good."""

    doubted: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due at the latest at `wake_at`."""


Event = (
    IncidentBegan
    | IncidentClosed
    | AccountMatched
    | Claimed
    | Signed
    | CodeGiven
    | CodeSpilled
    | Vouched
    | NickChanged
    | Lost
    | NetworkDropped
    | Revoked
    | PeerVerified
    | PeerSpent
    | Stored
    | Outproved
    | CodeTwice
    | UplinkDoubted
    | Tick
)

# Facts and actions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpentFact:
    """Fact: this nonce or code digest was used; never again."""

    spent: str


@dataclass(frozen=True, slots=True)
class ClaimFact:
    """Fact: a claim as it stands, for the journal and `!roster`."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class RevokedFact:
    """Fact: this evidence (key, account, code) of a handle is refused for the incident."""

    evidence: str


@dataclass(frozen=True, slots=True)
class Burn:
    """Tell all agents that this nonce or code is used."""

    spent: str


@dataclass(frozen=True, slots=True)
class Replicate:
    """Tell all agents about the claim as it stands now."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send `challenge …` with the nonce and the lines to copy, in private."""

    connection: Connection
    nick: str
    nonce: str


class Refusal(Enum):
    """Why nothing was verified; the text is the person's answer, alike for unknown handles."""

    BAD = "that proof does not fit"
    LOCKED = "too many bad tries on this connection; wait ten minutes"
    UPLINK = "this agent doubts its own uplink; try again in a moment, or another agent"
    NO_INCIDENT = "no incident is open"
    FULL = "too many claims at once; try again later"
    UNASKED = "say `claim HANDLE` first"
    ALREADY = "already verified"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer in private that nothing was verified."""

    connection: Connection
    nick: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Admit:
    """Voice and invite."""

    connection: Connection
    nick: str


@dataclass(frozen=True, slots=True)
class OfferNick:
    """Offer the temp nick, after voice and invite."""

    connection: Connection
    nick: str
    handle: str


@dataclass(frozen=True, slots=True)
class DevoiceNick:
    """Take the voice away."""

    connection: Connection
    nick: str


@dataclass(frozen=True, slots=True)
class Kick:
    """Out of the room."""

    connection: Connection
    nick: str


@dataclass(frozen=True, slots=True)
class TellRoom:
    """One line for the room."""

    text: str


@dataclass(frozen=True, slots=True)
class TellAdmins:
    """One line for the admins in private, not for the channel."""

    text: str


Action = (
    Persist
    | Burn
    | Replicate
    | Challenge
    | Refuse
    | Admit
    | OfferNick
    | DevoiceNick
    | Kick
    | TellRoom
    | TellAdmins
)

# State ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """One connection's claim. `evidence` names the key, account, code or admins that proved it."""

    connection: Connection
    nick: str
    phase: Phase = Phase.OPEN
    handle: str = ""
    proof: Proof = Proof.VOUCH
    evidence: str = ""
    nonce: str = ""
    nonce_until: float = NEVER
    until: float = float("inf")  # when the phase ends by itself
    verified_at: float = NEVER
    bad: int = 0
    vouchers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RemoteClaim:
    """Somebody verified by another agent."""

    agent: str
    claim_id: str
    handle: str
    network: str
    nick: str
    proof: Proof
    spent: str
    at: float


@dataclass(frozen=True, slots=True)
class Desk:
    """All claims of one agent in one incident; a claim that says nothing is not kept."""

    incident: str = ""
    claims: tuple[Claim, ...] = ()
    remote: tuple[RemoteClaim, ...] = ()
    aliases: frozenset[str] = frozenset()  # all ids this incident has had
    spent: frozenset[str] = field(default=frozenset(), repr=False)  # codes: ten per person
    nonces: tuple[str, ...] = field(default=(), repr=False)
    revoked: frozenset[str] = frozenset()
    doubted: bool = False
