"""What of the store an agent goes on with after a restart."""

from __future__ import annotations

from fallback.incident.values import IncidentFact, IncidentState, Restored


def restorable(event: Restored) -> IncidentFact | None:
    """The store's incident, unless its tombstone lies beside it: killed while closing."""
    known, over = event.incident, {"", *(stone.id for stone in event.tombstones)}
    return known if known is not None and known.id not in over else None


def restored_open(_state: IncidentState, event: Restored, _now: float) -> bool:
    return (known := restorable(event)) is not None and not known.recovering


def restored_recovering(_state: IncidentState, event: Restored, _now: float) -> bool:
    return (known := restorable(event)) is not None and known.recovering


def restored_none(_state: IncidentState, event: Restored, _now: float) -> bool:
    return restorable(event) is None
