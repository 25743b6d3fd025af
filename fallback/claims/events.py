"""What the claims desk hears. Pure values.

Each names its connection; the shell has done all that needs the roster, a hash or a subprocess, and
says what came out.
"""

from __future__ import annotations

from dataclasses import dataclass

from fallback.claims.values import Claim, Connection, Gone, Phase, Proof


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
    """`!vouch NICK HANDLE` by an admin who is verified by ssh or account.

    `overheard`: another agent answers it, who knows the admin. So it is a first vouch here, too:
    the second may be ours to answer. It never is the second, or both agents would verify.
    """

    connection: Connection
    nick: str
    handle: str
    admin: str
    overheard: bool = False


@dataclass(frozen=True, slots=True)
class NickChanged:
    """NICK seen on the same connection."""

    connection: Connection
    nick: str


@dataclass(frozen=True, slots=True)
class Voiced:
    """The connection gets its voice in the room under this user@host and account, or has others
    now. None: the network has not told the account; '': that there is none."""

    connection: Connection
    host: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class StillVoiced:
    """We are back on the network, and in the room this nick, from this user@host and of this
    account (as in `Voiced`), has a voice.

    The network keeps a voice with its connection and takes it along through NICK; whoever else
    takes the nick has none.
    """

    connection: Connection
    nick: str
    host: str
    account: str | None = None


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
    """A claim at another agent as it stands there; `spent` the nonce or code digest it used,
    `evidence` the digest of what proved it."""

    agent: str
    claim_id: str
    handle: str
    network: str
    nick: str
    proof: Proof
    spent: str
    phase: Phase = Phase.VERIFIED
    evidence: str = ""
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class PeerStarted:
    """Another agent has started, and knows nothing yet of whom we have verified."""

    agent: str


@dataclass(frozen=True, slots=True)
class PeerRevoked:
    """An admin has revoked, here or at another agent, what this evidence (a digest) proved."""

    evidence: str
    admin: str


@dataclass(frozen=True, slots=True)
class PeerSpent:
    """Another agent burned a nonce or a code."""

    agent: str
    spent: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The process has started; what its own store remembers of this incident.

    `lately` are of the `spent` those that the other agents may not have been told of. `claims` are
    those that stood; their connections' numbers are of no later boot.
    """

    incident: str
    spent: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    lately: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def last_number(self) -> int:
        """The highest number that an earlier boot gave to a connection, as far as it is kept."""
        return max((claim.connection.number for claim in self.claims), default=0)


@dataclass(frozen=True, slots=True)
class Outproved:
    """Made by the desk itself: the same handle has a valid proof elsewhere; where another agent
    tells of it, on `network` under `nick`."""

    handle: str
    proof: Proof
    network: str = ""
    nick: str = ""


@dataclass(frozen=True, slots=True)
class NickProved:
    """Made by the desk itself: another agent has seen that this nick is this person."""

    network: str
    nick: str
    handle: str


@dataclass(frozen=True, slots=True)
class CodeTwice:
    """Made by the desk itself: the code behind this claim was spent at another agent, too."""

    spent: str


@dataclass(frozen=True, slots=True)
class EvidenceRevoked:
    """Made by the desk itself: what proved this claim (a digest) was revoked elsewhere."""

    evidence: str
    admin: str


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
    | Voiced
    | StillVoiced
    | Lost
    | NetworkDropped
    | Revoked
    | PeerVerified
    | PeerStarted
    | PeerRevoked
    | PeerSpent
    | Stored
    | Outproved
    | NickProved
    | CodeTwice
    | EvidenceRevoked
    | UplinkDoubted
    | Tick
)
