"""The incident table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from fallback.incident.values import Action, Event, IncidentState
from fallback.tables import Table

TABLE: Table[IncidentState, Action] = Table("incident", [])


def step(state: IncidentState, event: Event, now: float) -> tuple[IncidentState, list[Action]]:
    """The state after `event` at `now`, and what the shell is to do, in order."""
    return TABLE.run(state, event, now)


def wake_at(state: IncidentState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    raise NotImplementedError


def may_announce(state: IncidentState, now: float) -> bool:
    """No A here and (k fresh votes, or the solo rule), or operator, or drill; no maintenance."""
    raise NotImplementedError


def may_repeat(state: IncidentState, now: float) -> bool:
    """Whether a standing line may be said once more."""
    raise NotImplementedError
