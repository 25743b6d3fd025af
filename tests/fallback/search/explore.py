"""Breadth first through all that can happen: one step of the world, and what must hold after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fallback import incident, speaker, watch
from fallback.actions import Persist
from fallback.incident import IncidentState
from fallback.incident.guards import alone as solo_rule
from fallback.speaker import SpeakerState
from fallback.watch import Verdict
from tests.fallback.search.model import (
    FLOOR,
    NET,
    NOW,
    Agent,
    Broken,
    Kept,
    Rules,
    World,
    aged,
    sight_of,
    start,
)

COUNT_MAX = 24


class Step:
    """One unit of one world: the agents hear, decide and send at once."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.world, self.rules, self.lie = world, rules, world.lie
        self.sent: list[list[Any]] = [[], [], []]
        self.announced = False

    def run(self) -> World:
        agents = [self._agent(i, agent) for i, agent in enumerate(self.world.agents)]
        agents = [
            replace(agent, inbox=tuple(self.sent[i]) if agent.own is not None else ())
            for i, agent in enumerate(agents)
        ]
        return replace(self.world, agents=tuple(agents), line=self.world.line or self.announced)

    def _reach(self, i: int, j: int) -> bool:
        off = self.world.cut_off
        return i != j and off not in (i, j)

    def _send(self, i: int, event: Any) -> None:
        for j in range(3):
            if self._reach(i, j):
                self.sent[j].append(event)

    def _agent(self, i: int, agent: Agent) -> Agent:
        waits = self.rules.timings
        hears = not self.world.cut and self.rules.deaf != i
        if hears:
            gap = agent.silent_from + waits.suspect_s <= NOW
            steady = NOW if gap else agent.steady_from
            agent = replace(agent, silent_from=NOW, steady_from=steady)
        if self.rules.liar == i:
            self._lie(i)
            return agent
        if agent.own is None or agent.said is None:
            return agent
        own, said, kept = agent.own, agent.said, agent.kept
        sight = sight_of(agent, waits, hears)
        events: list[Any] = [incident.Watched(sight)]
        if sight.phase is watch.Phase.DOWN_SITE:
            vote = incident.VoteHeard(own.me, Verdict.SITE, NOW)
            events.append(vote)
            self._send(i, vote)
        events += [*agent.inbox, incident.Tick()]
        for event in events:
            if type(event) in SPEAKERS_EVENTS:
                own, said, kept = self._said(i, own, said, kept, event)
            else:
                own, said, kept = self._own(i, own, said, kept, event)
        own, said, kept = self._said(i, own, said, kept, speaker.Tick())
        if own.phase is not incident.Phase.NONE:
            self._send(i, gossip(own))
        return replace(agent, own=own, said=said, kept=kept)

    def _own(self, i: int, own: IncidentState, said: SpeakerState, kept: Kept, event: Any) -> Any:
        own, actions = incident.step(own, event, NOW)
        for action in actions:
            match action:
                case Persist(incident.IncidentFact() as fact):
                    kept = replace(kept, fact=fact if fact.id else None)
                    if not fact.id:
                        kept = replace(kept, line_at=None)
                case Persist(incident.TombstoneFact(stone)):
                    stones = {s.id: s for s in (*kept.stones, stone)}
                    kept = replace(kept, stones=tuple(stones.values()))
                case incident.SendClosed(stone, in_force):
                    self._send(
                        i,
                        incident.PeerClosed(own.me, stone.id, stone.by_hand, NOW, in_force),
                    )
                case _:
                    pass
        seen = speaker.IncidentSeen(
            own.id, incident.may_announce(own, NOW), incident.may_repeat(own, NOW)
        )
        if (said.incident_id, said.may_announce, said.may_repeat) != (
            seen.id,
            seen.may_announce,
            seen.may_repeat,
        ):
            return self._said(i, own, said, kept, seen)
        return own, said, kept

    def _said(self, i: int, own: IncidentState, said: SpeakerState, kept: Kept, event: Any) -> Any:
        said, actions = speaker.step(said, event, NOW, self.rules.table)
        for action in actions:
            match action:
                case speaker.Announce():
                    self._check_s1(own)
                    faultless = not self.rules.faults and self.rules.liar is None
                    if faultless and (self.announced or self.world.line):
                        raise Broken("S5: two speak with no fault at all")
                    own, said, kept = self._own(i, own, said, kept, incident.Spoken())
                    kept = replace(kept, line_at=NOW)
                    self.announced = True
                    for j in range(3):
                        if j != i and self.world.silenced != j:
                            self.sent[j].append(speaker.LineSeen(own.me))
                case speaker.SendClaim(_, _, rank, line_at):
                    self._send(i, speaker.ClaimHeard(own.me, rank, line_at))
                case _:
                    pass
        return own, said, kept

    def _lie(self, i: int) -> None:
        if self.lie == "a vote":
            self._send(i, incident.VoteHeard(f"a{i}", Verdict.SITE, NOW))
        elif self.lie == "a claim":
            self._send(i, speaker.ClaimHeard(f"a{i}", i, NOW - FLOOR - 1))
        elif self.lie == "a claim without a line":
            self._send(i, speaker.ClaimHeard(f"a{i}", i, None))

    def _check_s1(self, own: IncidentState) -> None:
        """S1: announce => k fresh votes, the solo rule, or an operator; one liar is not enough."""
        voters = {ballot.voter for ballot in own.ballots}
        honest = voters - {f"a{self.rules.liar}"}
        alone = solo_rule(own, NOW)
        if not honest and not alone:
            raise Broken("S1: announced on the word of a liar alone")
        if len(voters) < self.rules.timings.k and not alone:
            raise Broken("S1: announced without k fresh votes")


def gossip(own: IncidentState) -> incident.PeerIncident:
    recovering = own.phase is incident.Phase.RECOVERING
    return incident.PeerIncident(own.me, own.id, own.kind, own.spoken, recovering, own.verdict, NOW)


SPEAKERS_EVENTS = frozenset(
    {
        speaker.ClaimHeard,
        speaker.LineSeen,
        speaker.NetworkJoined,
        speaker.NetworkLost,
        speaker.Tick,
    }
)


LIES = ("nothing", "a vote", "a claim", "a claim without a line")


# What can happen between two steps --------------------------------------------------------------


def happenings(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Nothing, or one change of the world."""
    yield "", world
    if rules.liar is not None and world.lies < rules.lies:
        for lie in LIES:
            if lie != world.lie:
                yield f"lies: {lie}", replace(world, lie=lie, lies=world.lies + 1)
    changed = replace(world, calm=0)
    if world.cut and rules.recovers:
        yield "the site recovers", replace(changed, cut=False)
    if world.cut_off is not None:
        yield "the mesh heals", replace(changed, cut_off=None)
    if world.silenced is not None:
        yield "the network is back", joined(replace(changed, silenced=None), world.silenced, True)
    for i in range(3):
        if i != rules.liar and world.agents[i].own is None:
            yield f"a{i} restarts", restarted(changed, i, rules)
    if world.faults >= rules.faults:
        return
    hurt = replace(changed, faults=world.faults + 1)
    for i in range(3):
        if i == rules.liar or world.agents[i].own is None:
            continue
        killed = replace(world.agents[i], own=None, said=None, inbox=())
        yield f"a{i} is killed", put(hurt, i, killed)
        if world.cut_off is None:
            yield f"a{i} is cut off", replace(hurt, cut_off=i)
        if world.silenced is None:
            yield f"a{i} is banned", joined(replace(hurt, silenced=i), i, False)


def put(world: World, i: int, agent: Agent) -> World:
    agents = list(world.agents)
    agents[i] = agent
    return replace(world, agents=tuple(agents))


def joined(world: World, i: int, back: bool) -> World:
    agent = world.agents[i]
    if agent.said is None:
        return world
    event = speaker.NetworkJoined() if back else speaker.NetworkLost()
    return put(world, i, replace(agent, inbox=(event, *agent.inbox)))


def restarted(world: World, i: int, rules: Rules) -> World:
    """The agent comes back with what its store holds; its silence clock is fresh."""
    agent = world.agents[i]
    own = IncidentState(f"a{i}", timings=rules.timings)
    fact, stones = agent.kept.fact, agent.kept.stones
    own, _ = incident.step(own, incident.Restored(fact, stones), NOW)
    said = SpeakerState(f"a{i}", NET, i, timings=rules.timings)
    for event in (
        speaker.Restored(agent.kept.line_at),
        speaker.TombstonesFetched(),
        *([] if world.silenced == i else [speaker.NetworkJoined()]),
    ):
        said, _ = speaker.step(said, event, NOW, rules.table)
    return put(world, i, Agent(NOW, NOW, own, said, agent.kept))


# What must hold ---------------------------------------------------------------------------------


def counted(before: World, world: World, rules: Rules) -> World:
    """The world with its counters moved on, after checking what must hold."""
    waits = rules.timings
    off = world.cut_off
    healthy = [
        i
        for i, agent in enumerate(world.agents)
        if agent.own is not None and i != rules.liar and i != off
    ]
    able = [i for i in healthy if i != world.silenced]
    phases = {i: world.agents[i].said.phase for i in able}  # type: ignore[union-attr]
    speaking = [i for i in able if phases[i] is speaker.Phase.SPEAKING]
    calm = min(before.calm + 1, COUNT_MAX)
    line = world.line
    opened = {world.agents[i].own.id for i in healthy if _is_open(world.agents[i])}  # type: ignore[union-attr]
    if not any(_is_open(agent) for agent in world.agents if agent.own is not None):
        line = False
    if calm >= 2 * waits.speaker_lease_s:
        if len(speaking) > 1:
            raise Broken(f"S5: {speaking} speak at once")
        if len(opened) > 1:
            raise Broken(f"S4: the incident has the names {sorted(opened)}")
    can = world.cut and len(healthy) >= waits.k and bool(able)
    due = min(before.due + 1, COUNT_MAX) if can and not line else 0
    slowest = waits.declare_s + waits.speaker_lease_s + 2 * waits.rank_stagger_s + 3
    if before.calm == 0 and before.faults:
        due = 0
    if due > slowest:
        raise Broken(f"L1: not announced after {due} units")
    fresh = all(_is_open(world.agents[i]) for i in able)
    waiting = bool(able) and fresh and line and not speaking and len(healthy) >= waits.k
    leaderless = min(before.leaderless + 1, COUNT_MAX) if waiting and before.calm else 0
    # L2, and a liar may have itself followed for one lease before it is known to be mute
    leases = 1 if rules.liar is None else 2
    if leaderless > leases * waits.speaker_lease_s + 2 * waits.rank_stagger_s + 2:
        raise Broken(f"L2: nobody speaks after {leaderless} units")
    return replace(world, calm=calm, due=due, leaderless=leaderless, line=line)


def _is_open(agent: Agent) -> bool:
    return agent.own is not None and agent.own.phase is not incident.Phase.NONE


def explore(rules: Rules, limit: int = 2_000_000) -> int:
    """All reachable states; their number. Raises `Broken` with the trace that breaks a property."""
    first = start(rules)
    parents: dict[World, tuple[World | None, str]] = {first: (None, "")}
    queue = deque([first])
    while queue:
        world = queue.popleft()
        for label, changed in happenings(world, rules):
            try:
                after = counted(changed, Step(changed, rules).run(), rules)
            except Broken as broken:
                raise Broken(f"{broken}: {' / '.join(trace(parents, world, label))}") from None
            after = aged(after)
            if after not in parents:
                parents[after] = (world, label)
                queue.append(after)
        if len(parents) > limit:
            raise AssertionError(f"more than {limit} states")
    return len(parents)


def trace(parents: dict[World, tuple[World | None, str]], world: World, last: str) -> list[str]:
    """What happened on the shortest way there, one word per unit ("." for nothing)."""
    labels = [last or "."]
    at: World | None = world
    while at is not None:
        at, label = parents[at]
        if at is not None:
            labels.append(label or ".")
    return labels[::-1]
