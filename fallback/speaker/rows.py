"""The speaker table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from fallback.speaker.values import Action, Event, SpeakerState
from fallback.tables import Table

TABLE: Table[SpeakerState, Action] = Table("speaker", [])


def step(state: SpeakerState, event: Event, now: float) -> tuple[SpeakerState, list[Action]]:
    """The state after `event` at `now`, and what the shell is to do, in order."""
    return TABLE.run(state, event, now)


def wake_at(state: SpeakerState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    raise NotImplementedError
