"""One voter whole: its watch, its incident and a speaker per network, wired together. Pure.

The shell feeds events (what came in, what time it is) to `step` and performs the actions in the
order given. The wiring is here, so that the simulator and the searches run what production runs:
every step of the watch is shown to the incident, every step of the incident to the speakers, our
own vote is counted like another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import get_args

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
    """An agent before its `start`; `rank` is its place among the roster's agents, from 0."""
    return VoterState(
        me,
        watch.WatchState(timings=timings),
        incident.IncidentState(me, timings=timings),
        tuple(speaker.SpeakerState(me, name, rank, timings=timings) for name in networks),
        timings,
    )


def witness(me: str, timings: Timings) -> VoterState:
    """A witness before its `start`."""
    return VoterState(me, watch.WatchState(timings=timings), None, (), timings)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a voter's store remembers at its start: the last fact of each type and key."""

    armed: bool = False
    notices: watch.KnownNotices | None = None
    opened: incident.IncidentFact | None = None
    tombstones: tuple[incident.Tombstone, ...] = ()
    stood_down: bool = False
    order: incident.StanddownFact | None = None
    lines: tuple[speaker.LineFact, ...] = ()


Done = tuple[VoterState, list[Action]]


def start(state: VoterState, kept: Kept, now: float) -> Done:
    """A new voter after its start, with what its store remembers; the first step of its life."""
    known = kept.notices or watch.KnownNotices((), ())
    booted = watch.Booted(kept.armed, known.notices, known.ended)
    state, actions = step(state, booted, now)
    if state.incident is None:
        return state, actions
    restart = incident.Restored(kept.opened, kept.tombstones, kept.stood_down, kept.order)
    state, more = step(state, restart, now)
    actions += more
    # An incident whose time was over while we were dead has closed in this very step: its line
    # must not pass for the next one's, which would then never be said.
    still_open = state.incident is not None and bool(state.incident.id)
    for said in state.speakers:
        restored = speaker.Restored(_line_at(kept, said.network) if still_open else None)
        state, more = step(state, ForNetwork(said.network, restored), now)
        actions += more
    return state, actions


def _line_at(kept: Kept, network: str) -> float | None:
    """When our line of the open incident was said; one said before it opened is an older one's."""
    opened = kept.opened
    if opened is None or not opened.id:
        return None
    lines = (line for line in kept.lines if line.network == network)
    return next((line.line_at for line in lines if line.line_at >= opened.opened_at), None)


def step(state: VoterState, event: Event, now: float) -> Done:
    """The voter after `event` at `now`, and what the shell is to do, in order.

    Events that only this wiring sees (`incident.Watched`, `incident.Spoken`,
    `speaker.IncidentSeen`, the machines' own ticks and stalls) are made here, not by the shell.
    """
    run = _Run(state, now)
    match event:
        case Tick():
            run.watch(watch.Tick())
            run.incident(incident.Tick())
            run.speakers(speaker.Tick())
        case Stalled(gap_s):
            run.watch(watch.Stalled(gap_s))
            run.incident(incident.Stalled(gap_s))
            run.speakers(speaker.Stalled(gap_s))
        case ForNetwork(network, said):
            run.speakers(said, network)
        case _ if type(event) in _WATCH_EVENTS:
            run.watch(event)  # type: ignore[arg-type]
        case _:
            run.incident(event)  # type: ignore[arg-type]
    run.show_speakers()
    return run.state, run.actions


def wake_at(state: VoterState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    due = [watch.wake_at(state.watch, now)]
    if state.incident is not None:
        due.append(incident.wake_at(state.incident, now))
    due += [speaker.wake_at(said, now) for said in state.speakers]
    return min(due)


_WATCH_EVENTS = frozenset(get_args(watch.Event))


class _Run:
    """One step of the wiring: the state as it grows, the actions in order."""

    def __init__(self, state: VoterState, now: float) -> None:
        self.state = state
        self.now = now
        self.actions: list[Action] = []

    def watch(self, event: watch.Event) -> None:
        before = self.state.watch
        after, actions = watch.step(before, event, self.now)
        self.actions += actions
        if after is not before:
            self.state = replace(self.state, watch=after)
            if self.state.incident is not None:
                self.incident(incident.Watched(watch.sight(after)))
        for action in actions:
            match action:
                case watch.Vote(verdict, silent_from, drill):  # our own vote counts like another's
                    self.incident(incident.VoteHeard(self.state.me, verdict, silent_from, drill))
                case watch.Withdraw():
                    self.incident(incident.VoteWithdrawn(self.state.me))
                case _:
                    pass

    def incident(self, event: incident.Event) -> None:
        if self.state.incident is None:
            return
        after, actions = incident.step(self.state.incident, event, self.now)
        self.actions += actions
        if after is not self.state.incident:
            self.state = replace(self.state, incident=after)

    def speakers(self, event: speaker.Event, network: str | None = None) -> None:
        for index, said in enumerate(self.state.speakers):
            if network is None or said.network == network:
                self._speaker(index, event)

    def show_speakers(self) -> None:
        """Tell each speaker where the incident stands, if that has changed for it."""
        own = self.state.incident
        if own is None:
            return
        may = incident.may_announce(own, self.now)
        again = incident.may_repeat(own, self.now)
        seen = speaker.IncidentSeen(own.id, may, again)
        for index, said in enumerate(self.state.speakers):
            if (said.incident_id, said.may_announce, said.may_repeat) != (own.id, may, again):
                self._speaker(index, seen)

    def _speaker(self, index: int, event: speaker.Event) -> None:
        speakers = self.state.speakers
        after, actions = speaker.step(speakers[index], event, self.now)
        if any(isinstance(action, speaker.Announce) for action in actions):
            self.incident(incident.Spoken())  # "spoken" is kept before anything is said
        if any(said.pushed for said in speakers):  # once for the incident, by whichever network
            actions = [action for action in actions if not isinstance(action, speaker.Push)]
        self.actions += actions
        if after is not speakers[index]:
            changed = (*speakers[:index], after, *speakers[index + 1 :])
            self.state = replace(self.state, speakers=changed)
