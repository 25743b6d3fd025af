"""Three agents, one public network, all that can happen to them in one step. The real tables.

Time goes in units; the waits are scaled down to a few of them, keeping their order. After every
step all times are moved back by one, so that `NOW` never changes and equal situations are equal
states. What is sent in one step arrives in the next. The watch is reduced to what it shows the
incident machine: how long A has been missing, or has been coming.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fallback import incident, speaker, watch
from fallback.actions import Persist
from fallback.incident import IncidentState, Kind
from fallback.speaker import SpeakerState
from fallback.tables import Table
from fallback.timings import Timings
from fallback.watch import NEVER, Sight, Verdict

NOW = 1_700_000_000.0
FLOOR = 18.0  # older than any wait: as good as never
ALWAYS = NOW - FLOOR - 5
NET = "net"

WAITS = Timings(
    suspect_s=2,
    declare_s=3,
    vote_ttl_s=3,
    rank_stagger_s=2,
    speaker_lease_s=4,
    claim_every_s=1,
    repeat_line_s=8,
    solo_after_s=8,
    primary_back_notice_s=4,
    auto_standdown_s=8,
    landmark_fresh_s=2,
    standdown_after_s=3,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a killed agent finds in its store."""

    fact: incident.IncidentFact | None = None
    stones: tuple[incident.Tombstone, ...] = ()
    line_at: float | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `own` is None while it is killed."""

    silent_from: float
    steady_from: float
    own: IncidentState | None
    said: SpeakerState | None
    kept: Kept
    inbox: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """A state of the search. `cut_off` is the agent whose mesh is cut; `silenced` the one whose
    public network is lost. The counters are for the properties; they stop at their bound."""

    agents: tuple[Agent, ...]
    cut: bool
    cut_off: int | None = None
    silenced: int | None = None
    faults: int = 0
    calm: int = 0  # steps since anything changed in the world
    due: int = 0  # steps in which an announcement was possible and none stood
    leaderless: int = 0  # steps in which a line stood and nobody spoke
    line: bool = False  # a line stands in the lobby
    lie: str = "nothing"  # what the liar sends every step
    lies: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What is searched: the faults allowed, the liar, and the variant of the tables."""

    timings: Timings = WAITS
    table: Table[SpeakerState, speaker.Action] | None = None
    faults: int = 1
    liar: int | None = None
    lies: int = 2  # how often the liar may change what it says
    recovers: bool = True
    cut: bool = True
    deaf: int | None = None  # an agent whose own path to the primary is broken


class Broken(AssertionError):
    """A property does not hold; the text says which."""


def start(rules: Rules) -> World:
    """All agents hear A until now; then the site is cut, or one agent's path breaks."""
    agents = []
    for rank in range(3):
        own = IncidentState(f"a{rank}", booted_at=NOW - FLOOR, timings=rules.timings)
        said = SpeakerState(f"a{rank}", NET, rank, timings=rules.timings)
        said = replace(said, restored=True, fetched=True, joined_from=ALWAYS)
        agents.append(Agent(NOW, NOW - FLOOR, own, said, Kept()))
    return World(tuple(agents), rules.cut)


def sight_of(agent: Agent, waits: Timings, hears: bool) -> Sight:
    """The watch, reduced."""
    silence = NOW - agent.silent_from
    phase = watch.Phase.WATCHING
    if silence >= waits.declare_s:
        phase = watch.Phase.DOWN_SITE
    elif silence >= waits.suspect_s:
        phase = watch.Phase.SUSPECT
    steady = agent.steady_from if hears else NEVER
    since = agent.silent_from
    down = since + waits.declare_s if phase is watch.Phase.DOWN_SITE else NEVER
    return Sight(phase, since, since, steady, down, NOW + 1, True)


# Moving the times back, so that equal situations are equal ------------------------------------


def _back(at: float) -> float:
    return NEVER if at < NOW - FLOOR else at - 1


def _back_line(at: float | None) -> float | None:
    return None if at is None else max(at - 1, NOW - FLOOR - 1)


def _back_join(at: float | None) -> float | None:
    """Who has always been there stays older than any line, who came back stays younger."""
    if at is None or at == ALWAYS:
        return at
    return max(at - 1, NOW - FLOOR)


def _aged_incident(own: IncidentState) -> IncidentState:
    return replace(
        own,
        silent_from=_back(own.silent_from),
        opened_at=_back(own.opened_at),
        operator_at=_back(own.operator_at),
        sight=Sight(),
        ballots=tuple(
            replace(b, heard_at=b.heard_at - 1, silent_from=NOW)
            for b in own.ballots
            if b.heard_at + own.timings.vote_ttl_s > NOW
        ),
        tombstones=tuple(replace(stone, at=0, acked=frozenset()) for stone in own.tombstones),
        order_at=_back(own.order_at),
        held_until=_back(own.held_until),
        booted_at=max(own.booted_at - 1, NOW - FLOOR),
        deaf_until=_back(own.deaf_until),
    )


def _aged_speaker(said: SpeakerState) -> SpeakerState:
    claimant = said.claimant
    if claimant is not None:
        claimant = replace(
            claimant,
            heard_at=_back(claimant.heard_at),
            line_at=_back_line(claimant.line_at),
            line_from=max(claimant.line_from - 1, NOW - FLOOR)
            if claimant.line_from != NEVER
            else NEVER,
        )
    return replace(
        said,
        booted_at=max(said.booted_at - 1, NOW - FLOOR),
        joined_from=_back_join(said.joined_from),
        line_at=_back_line(said.line_at),
        open_from=_back(said.open_from),
        waiting_until=_back(said.waiting_until),
        hushed_until=_back(said.hushed_until),
        claim_at=_back(said.claim_at),
        heard_at=_back(said.heard_at),
        claimant=claimant,
        repeated_at=_back(said.repeated_at),
        seen=tuple(
            sorted(
                (replace(seen, at=max(seen.at - 1, NOW - FLOOR)) for seen in said.seen),
                key=lambda seen: seen.agent,
            )
        ),
    )


def aged(world: World) -> World:
    """The world one unit later, its times moved back and its ids made small."""
    agents = []
    for agent in world.agents:
        kept = replace(
            agent.kept,
            line_at=_back_line(agent.kept.line_at),
            stones=tuple(replace(s, at=0, acked=frozenset()) for s in agent.kept.stones),
            fact=replace(agent.kept.fact, silent_from=NOW, opened_at=NEVER)
            if agent.kept.fact
            else None,
        )
        inbox = tuple(
            replace(event, line_at=_back_line(event.line_at))
            if isinstance(event, speaker.ClaimHeard)
            else event
            for event in agent.inbox
        )
        agents.append(
            replace(
                agent,
                silent_from=max(agent.silent_from - 1, NOW - FLOOR),
                steady_from=max(agent.steady_from - 1, NOW - FLOOR),
                own=_aged_incident(agent.own) if agent.own else None,
                said=_aged_speaker(agent.said) if agent.said else None,
                kept=kept,
                inbox=inbox,
            )
        )
    return _renamed(replace(world, agents=tuple(agents)))


def _ids(agent: Agent) -> list[str]:
    ids = [stone.id for stone in agent.kept.stones]
    if agent.own is not None:
        ids += [agent.own.id, *(stone.id for stone in agent.own.tombstones)]
    if agent.kept.fact is not None:
        ids.append(agent.kept.fact.id)
    ids += [e.id for e in agent.inbox if isinstance(e, incident.PeerIncident | incident.PeerClosed)]
    return ids


def _renamed(world: World) -> World:
    """The n-th id in order gets the time NOW - 50 + n: order and proposer are what matters."""
    known = sorted({i for agent in world.agents for i in _ids(agent) if i})
    base = int((NOW - 50) * 1000)
    new = {old: f"{base + n:012x}.{old.partition('.')[2]}" for n, old in enumerate(known)}
    if all(old == now for old, now in new.items()):
        return world
    new[""] = ""
    agents = []
    for agent in world.agents:
        own, said, kept = agent.own, agent.said, agent.kept
        if own is not None:
            stones = tuple(replace(s, id=new[s.id]) for s in own.tombstones)
            own = replace(own, id=new[own.id], tombstones=stones)
        if said is not None:
            said = replace(said, incident_id=new.get(said.incident_id, said.incident_id))
        if kept.fact is not None:
            kept = replace(kept, fact=replace(kept.fact, id=new[kept.fact.id]))
        kept = replace(kept, stones=tuple(replace(s, id=new[s.id]) for s in kept.stones))
        inbox = tuple(
            replace(e, id=new[e.id])
            if isinstance(e, incident.PeerIncident | incident.PeerClosed)
            else e
            for e in agent.inbox
        )
        agents.append(replace(agent, own=own, said=said, kept=kept, inbox=inbox))
    return replace(world, agents=tuple(agents))


__all__ = [
    "FLOOR",
    "NET",
    "NOW",
    "WAITS",
    "Agent",
    "Broken",
    "Kept",
    "Kind",
    "Persist",
    "Rules",
    "Verdict",
    "World",
    "aged",
    "sight_of",
    "start",
]
