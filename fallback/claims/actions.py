"""What the claims desk keeps as facts, and what it asks of the shell. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fallback.actions import Persist
from fallback.claims.values import Claim, Connection


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
    """Fact: the evidence (key, account, code) of this digest is refused for the incident."""

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
    UNCHECKED = "I cannot check signatures just now; send it again in a moment, or to another agent"
    UNASKED = "say `claim HANDLE` first"
    ALREADY = "you are verified as somebody else"


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
    """One line for the rooms where this agent speaks, about a nick on `network`."""

    text: str
    network: str


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
