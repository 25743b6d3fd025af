"""Whether there is an incident, and of what kind: one machine per agent. Pure.

`step(state, event, now) -> (state, actions)`; times in epoch seconds on our own steady clock.
Ids and kinds converge over the mesh: the smaller id, the greater kind, "spoken" or-ed.
"""

from __future__ import annotations

from fallback.incident.rows import (
    TABLE as TABLE,
    may_announce as may_announce,
    may_repeat as may_repeat,
    step as step,
    wake_at as wake_at,
)
from fallback.incident.values import (
    MAX_TOMBSTONES as MAX_TOMBSTONES,
    MAX_VOTERS as MAX_VOTERS,
    TOMBSTONE_AGE_S as TOMBSTONE_AGE_S,
    UNSEEN as UNSEEN,
    AckClosed as AckClosed,
    Action as Action,
    Ballot as Ballot,
    CloseAcked as CloseAcked,
    Declared as Declared,
    Devoice as Devoice,
    Dismissed as Dismissed,
    DrillOrdered as DrillOrdered,
    Event as Event,
    Gossip as Gossip,
    HeldOrdered as HeldOrdered,
    IncidentFact as IncidentFact,
    IncidentState as IncidentState,
    Kind as Kind,
    Line as Line,
    PeerClosed as PeerClosed,
    PeerIncident as PeerIncident,
    Phase as Phase,
    RelayOrder as RelayOrder,
    Restored as Restored,
    Say as Say,
    SendClosed as SendClosed,
    Shown as Shown,
    Spoken as Spoken,
    Stalled as Stalled,
    StanddownFact as StanddownFact,
    StanddownOrdered as StanddownOrdered,
    StoodDownFact as StoodDownFact,
    Tick as Tick,
    Tombstone as Tombstone,
    TombstoneFact as TombstoneFact,
    VoteHeard as VoteHeard,
    VoterShows as VoterShows,
    VotersKnown as VotersKnown,
    VoteWithdrawn as VoteWithdrawn,
    Watched as Watched,
)
