"""Who of the agents speaks on a public network: one machine per agent and network. Pure.

`step(state, event, now) -> (state, actions)`; times in epoch seconds on our own steady clock.
Announcing twice is a nuisance, silence is the failure: who can't be sure that another speaks,
speaks; who hears one with precedence, yields.
"""

from __future__ import annotations

from fallback.speaker.rows import (
    TABLE as TABLE,
    step as step,
    wake_at as wake_at,
)
from fallback.speaker.values import (
    MAX_MUTED as MAX_MUTED,
    MAX_SEEN as MAX_SEEN,
    NEVER as NEVER,
    Action as Action,
    Announce as Announce,
    Claimant as Claimant,
    ClaimHeard as ClaimHeard,
    Event as Event,
    IncidentSeen as IncidentSeen,
    LineFact as LineFact,
    LineRefused as LineRefused,
    LineSaid as LineSaid,
    LineSeen as LineSeen,
    NetworkJoined as NetworkJoined,
    NetworkLost as NetworkLost,
    Phase as Phase,
    Push as Push,
    RepeatLine as RepeatLine,
    Restored as Restored,
    Seen as Seen,
    SendClaim as SendClaim,
    SpeakerState as SpeakerState,
    Stalled as Stalled,
    StopTalking as StopTalking,
    Tick as Tick,
    TombstonesFetched as TombstonesFetched,
)
