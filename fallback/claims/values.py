"""What the claims desk remembers: one claim per (network, connection), and its bounds. Pure values.

The shell numbers the connections it sees (one per nick
it can follow through NICK and QUIT), so a nick taken over by somebody else is another connection.
A nick is never proof.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

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
MAX_REVOKED = 1024  # full: no more are taken from other agents
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


def good_for_s(proof: Proof) -> float:
    """How long a proof lasts."""
    return VOUCH_S if proof is Proof.VOUCH else EXPIRE_S


@dataclass(frozen=True, slots=True)
class Connection:
    """Somebody on a public network whom the agent can follow: `number` is unique per boot."""

    network: str
    number: int


def digest_of(evidence: str) -> str:
    """How agents name to each other what proved somebody: short, whatever it is."""
    return hashlib.blake2s(evidence.encode(), digest_size=16).hexdigest() if evidence else ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One connection's claim. `evidence` names the key, account, code or admins that proved it.

    `host` is the user@host under which it was voiced in the room, '' before, and `account` what the
    network told of one then, None where it did not. `away`: the agent was off the network since.
    `recalled`: known again by its voice, so not good for what destroys. `unseen`: by account, so it
    outlasts that the agent was off the network; the same person has another number since.
    """

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
    host: str = ""
    account: str | None = None
    away: bool = False
    recalled: bool = False
    unseen: bool = False

    @property
    def may_return(self) -> bool:
        """Whether the agent alone was away: the same connection may be known again."""
        return self.phase is Phase.SUSPENDED and self.away

    @property
    def proof_ends(self) -> float:
        """Until when its proof is good."""
        return self.verified_at + good_for_s(self.proof)


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
    evidence: str = ""  # its digest
    phase: Phase = Phase.VERIFIED
    recalled: bool = False

    @property
    def ends(self) -> float:
        """Until when its proof can be good, told that late or not: its agent may be gone."""
        return self.at + good_for_s(self.proof)


@dataclass(frozen=True, slots=True)
class Desk:
    """All claims of one agent in one incident; a claim that says nothing is not kept."""

    incident: str = ""
    claims: tuple[Claim, ...] = ()
    remote: tuple[RemoteClaim, ...] = ()
    aliases: frozenset[str] = frozenset()  # all ids this incident has had
    spent: frozenset[str] = field(default=frozenset(), repr=False)  # codes: ten per person
    nonces: tuple[str, ...] = field(default=(), repr=False)
    revoked: frozenset[str] = frozenset()  # digests of evidence
    doubted: bool = False
