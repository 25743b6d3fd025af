"""The claims table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from fallback.claims.values import Action, Claim, Desk, Event
from fallback.tables import Table

TABLE: Table[Claim, Action] = Table("claims", [])


def step(desk: Desk, event: Event, now: float) -> tuple[Desk, list[Action]]:
    """The desk after `event` at `now`, and what the shell is to do, in order."""
    raise NotImplementedError


def wake_at(desk: Desk, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    raise NotImplementedError
