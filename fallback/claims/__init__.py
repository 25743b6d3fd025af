"""Who is who: one desk per agent, one claim per (network, connection). Pure.

`step(desk, event, now) -> (desk, actions)`; times in epoch seconds on our own steady clock. What
needs the roster, a hash or a subprocess was done by the shell; the desk decides what it is worth.
"""

from __future__ import annotations

from fallback.claims.actions import (
    Action as Action,
    Admit as Admit,
    Burn as Burn,
    Challenge as Challenge,
    ClaimFact as ClaimFact,
    DevoiceNick as DevoiceNick,
    Kick as Kick,
    OfferNick as OfferNick,
    Refusal as Refusal,
    Refuse as Refuse,
    Replicate as Replicate,
    RevokedFact as RevokedFact,
    SpentFact as SpentFact,
    TellAdmins as TellAdmins,
    TellRoom as TellRoom,
)
from fallback.claims.desk import (
    claim_of as claim_of,
    standing as standing,
    step as step,
    wake_at as wake_at,
)
from fallback.claims.events import (
    AccountMatched as AccountMatched,
    Claimed as Claimed,
    CodeGiven as CodeGiven,
    CodeSpilled as CodeSpilled,
    CodeTwice as CodeTwice,
    Event as Event,
    EvidenceRevoked as EvidenceRevoked,
    IncidentBegan as IncidentBegan,
    IncidentClosed as IncidentClosed,
    Lost as Lost,
    NetworkDropped as NetworkDropped,
    NickChanged as NickChanged,
    NickProved as NickProved,
    Outproved as Outproved,
    PeerRevoked as PeerRevoked,
    PeerSpent as PeerSpent,
    PeerStarted as PeerStarted,
    PeerVerified as PeerVerified,
    Revoked as Revoked,
    Signed as Signed,
    StillVoiced as StillVoiced,
    Stored as Stored,
    Tick as Tick,
    UplinkDoubted as UplinkDoubted,
    Voiced as Voiced,
    Vouched as Vouched,
)
from fallback.claims.guards import (
    account_evidence as account_evidence,
)
from fallback.claims.rows import (
    TABLE as TABLE,
)
from fallback.claims.values import (
    ADMIN_PROOFS as ADMIN_PROOFS,
    BAD_CODES as BAD_CODES,
    CHALLENGE_S as CHALLENGE_S,
    EXPIRE_S as EXPIRE_S,
    LOCK_S as LOCK_S,
    MAX_NONCES as MAX_NONCES,
    MAX_REMOTE as MAX_REMOTE,
    MAX_REVOKED as MAX_REVOKED,
    MAX_UNVERIFIED as MAX_UNVERIFIED,
    MAX_VERIFIED as MAX_VERIFIED,
    NEVER as NEVER,
    SUSPEND_S as SUSPEND_S,
    VOUCH_S as VOUCH_S,
    Claim as Claim,
    Connection as Connection,
    Desk as Desk,
    Gone as Gone,
    Phase as Phase,
    Proof as Proof,
    RemoteClaim as RemoteClaim,
    digest_of as digest_of,
)
