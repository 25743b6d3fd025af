"""One voter whole: its watch, its incident and a speaker per network, wired together. Pure.

The shell feeds events (what came in, what time it is) to `step` and performs the actions in the
order given. The wiring is here, so that the simulator and the searches run what production runs:
every step of the watch is shown to the incident, every step of the incident to the speakers, our
own vote is counted like another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fallback import incident, speaker, watch
from fallback.timings import DEFAULTS, Timings


@dataclass(frozen=True, slots=True)
class ForNetwork:
    """A speaker's event, for the speaker of one network."""

    network: str
    event: speaker.Event


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due at the latest at `wake_at`, and harmless at any time."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Our own loop had a gap of so many seconds; before any event that waited meanwhile."""

    gap_s: float


Event = watch.Event | incident.Event | ForNetwork | Tick | Stalled
Action = watch.Action | incident.Action | speaker.Action


@dataclass(frozen=True, slots=True)
class VoterState:
    """A witness has neither incident nor speakers: `incident` is None."""

    me: str
    watch: watch.WatchState
    incident: incident.IncidentState | None
    speakers: tuple[speaker.SpeakerState, ...] = ()
    timings: Timings = field(default=DEFAULTS, compare=False, repr=False)


def agent(me: str, rank: int, networks: tuple[str, ...], timings: Timings) -> VoterState:
    """An agent before its start. Send `watch.Booted`, `incident.Restored`, and to each network's
    speaker `speaker.Restored`, in this order."""
    return VoterState(
        me,
        watch.WatchState(timings=timings),
        incident.IncidentState(me, timings=timings),
        tuple(speaker.SpeakerState(me, name, rank, timings=timings) for name in networks),
        timings,
    )


def witness(me: str, timings: Timings) -> VoterState:
    """A witness before its start. Send `watch.Booted`."""
    return VoterState(me, watch.WatchState(timings=timings), None, (), timings)


def step(state: VoterState, event: Event, now: float) -> tuple[VoterState, list[Action]]:
    """The voter after `event` at `now`, and what the shell is to do, in order.

    Events that only the shell sees (`incident.Watched`, `incident.Spoken`,
    `speaker.IncidentSeen`, the machines' own ticks and stalls) are made here, not by the shell.
    """
    raise NotImplementedError


def wake_at(state: VoterState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    raise NotImplementedError
