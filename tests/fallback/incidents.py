"""Dialogues with the incident of one agent: how it opens, recovers, is stood down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fallback import incident, watch
from fallback.actions import Persist
from fallback.incident import (
    DrillOrdered,
    IncidentState,
    Kind,
    PeerClosed,
    PeerIncident,
    Phase,
    Restored,
    Spoken,
    StanddownOrdered,
    Tick,
    VoteHeard,
    Watched,
)
from fallback.incident.guards import note
from fallback.timings import Timings
from fallback.watch import NEVER, Sight, Verdict
from tests.fallback.dialogue import T0, Dialogue, Scripts

scripts = Scripts()
row = scripts.row


def fresh(timings: Timings | None = None) -> Dialogue:
    state = IncidentState("fra", timings=timings or Timings())
    say = Dialogue(incident.TABLE, incident.step, note, Tick(), state)
    say.at(-1000, Restored())
    say.taken.clear()
    return say


def up(since: float, now: float) -> Watched:
    """Our watch hears A steadily since `since`."""
    return Watched(Sight(watch.Phase.WATCHING, T0 + now, T0 + now, T0 + since))


def down(since: float, now: float, **more: Any) -> Watched:
    """Our watch has had no A since `since` and has its verdict."""
    sight = Sight(
        watch.Phase.DOWN_SITE, T0 + since, T0 + since, NEVER, T0 + since + 20, T0 + now + 5, True
    )
    return Watched(replace(sight, **more))


def vote(voter: str, verdict: Verdict = Verdict.SITE) -> VoteHeard:
    return VoteHeard(voter, verdict, T0)


def an_id(second: float, agent: str = "hel") -> str:
    return f"{int((T0 + second) * 1000):012x}.{agent}"


def peer(id: str, kind: Kind = Kind.QUORUM, **more: Any) -> PeerIncident:
    fields = {"spoken": True, "recovering": False, "verdict": Verdict.SITE, "silent_from": T0}
    return PeerIncident("hel", id, kind, **{**fields, **more})


def closed(id: str, *, hand: bool = False, at: float = 0, in_force: bool = False) -> PeerClosed:
    return PeerClosed("hel", id, hand, T0 + at, in_force)


def quorum(say: Dialogue, *, spoken: bool = True) -> str:
    say.at(20, down(0, 20), vote("fra"), vote("hel"))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.QUORUM)
    if spoken:
        say.at(20, Spoken())
    return say.state.id


def solo(say: Dialogue, *, spoken: bool = True) -> str:
    say.at(60, down(0, 60), vote("fra"))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.SOLO)
    if spoken:
        say.at(60, Spoken())
    return say.state.id


def drill(say: Dialogue) -> str:
    say.at(0, up(-500, 0), DrillOrdered(an_id(0), T0 + 900))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.DRILL)
    return say.state.id


def recovering(say: Dialogue) -> str:
    id = quorum(say)
    say.at(100, up(100, 100))
    say.at(160, up(100, 160))
    assert say.state.phase is Phase.RECOVERING
    return id


def stood_down(say: Dialogue) -> None:
    quorum(say)
    say.at(30, StanddownOrdered("alice", T0 + 30))
    say.at(90, Tick())
    assert say.state.stood_down


def facts(say: Dialogue) -> list[Any]:
    return [action.fact for action in say.said(Persist)]
