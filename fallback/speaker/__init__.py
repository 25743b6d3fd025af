"""Who of the agents speaks on a public network: one machine per agent and network. Pure.

`step(state, event, now) -> (state, actions)`; times in epoch seconds on our own steady clock.
Announcing twice is a nuisance, silence is the failure: who can't be sure that another speaks,
speaks; who hears one with precedence, yields.
"""

from __future__ import annotations

from fallback.speaker.rows import TABLE, step, wake_at
from fallback.speaker.values import (
    MAX_MUTED,
    MAX_SEEN,
    NEVER,
    Action,
    Announce,
    Claimant,
    ClaimHeard,
    Event,
    IncidentSeen,
    LineFact,
    LineSaid,
    LineSeen,
    NetworkJoined,
    NetworkLost,
    Phase,
    RepeatLine,
    Restored,
    Seen,
    SendClaim,
    SpeakerState,
    Stalled,
    StopTalking,
    Tick,
    TombstonesFetched,
)

__all__ = [
    "MAX_MUTED",
    "MAX_SEEN",
    "NEVER",
    "TABLE",
    "Action",
    "Announce",
    "ClaimHeard",
    "Claimant",
    "Event",
    "IncidentSeen",
    "LineFact",
    "LineSaid",
    "LineSeen",
    "NetworkJoined",
    "NetworkLost",
    "Phase",
    "RepeatLine",
    "Restored",
    "Seen",
    "SendClaim",
    "SpeakerState",
    "Stalled",
    "StopTalking",
    "Tick",
    "TombstonesFetched",
    "step",
    "wake_at",
]
