"""Voters, mesh and claims under drop, duplicate, reorder, delay, skew, pause and restart.

Hypothesis plays: two agents and a witness (2 of 3) run the real deciders through `voter.step`.
After every step S1 to S9 are checked; from any state it got into, the `story` rule lets the
weather clear and then asks for L1 to L4.
"""

from __future__ import annotations

import os
import random
from dataclasses import fields
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fallback import claims, incident, speaker, voter, watch
from fallback.actions import Persist
from fallback.timings import DEFAULTS

T0 = 1_700_000_000.0
NET = "net"
EXAMPLES = int(os.environ.get("MUSTER_PLAYS", "5"))
NAMES = ("fra", "hel", "ams")  # ams is the witness
who = st.integers(0, 2)
SKEW_S = st.sampled_from([-3.0, 0.0, 2.5])


class Node:
    """One voter: its machines, its store, its clock's error, and whether it runs."""

    def __init__(self, index: int, skew: float) -> None:
        self.index, self.skew = index, skew
        self.facts: dict[Any, Any] = {}
        self.alive = True
        self.paused_until = 0.0
        self.slept_from: float | None = None
        self.uplink = True
        self.heard = -1e9
        self.voted_at = -1e9
        self.boot()

    def boot(self) -> None:
        if self.index < 2:
            self.state = voter.agent(NAMES[self.index], self.index, (NET,), DEFAULTS)
        else:
            self.state = voter.witness(NAMES[self.index], DEFAULTS)

    def keep(self, fact: Any) -> None:
        key: Any = type(fact)
        if isinstance(fact, incident.TombstoneFact):
            key = fact.tombstone.id
        self.facts[key] = fact

    def kept(self) -> voter.Kept:
        f = self.facts
        stones = tuple(v.tombstone for v in f.values() if isinstance(v, incident.TombstoneFact))
        stood = f.get(incident.StoodDownFact)
        line = f.get(speaker.LineFact)
        return voter.Kept(
            watch.Armed in f,
            f.get(watch.KnownNotices),
            f.get(incident.IncidentFact),
            stones,
            stood.stood_down if stood else False,
            f.get(incident.StanddownFact),
            (line,) if line else (),
        )


class Outages(RuleBasedStateMachine):
    """The world, second by second."""

    @initialize(
        seed=st.integers(0, 2**32), skews=st.tuples(*[st.sampled_from([-3.0, 0.0, 2.5])] * 3)
    )
    def begin(self, seed: int, skews: tuple[float, float, float]) -> None:
        self.rng = random.Random(seed)
        self.t = T0
        self.up, self.boot_id = True, "b1"
        self.drop = self.twice = 0.0
        self.delay = 0.2
        self.flying: list[tuple[float, int, Any, float]] = []
        self.lines: list[float] = []
        self.notice: watch.Notice | None = None
        self.nodes = [Node(i, skew) for i, skew in enumerate(skews)]
        self.desk = claims.Desk()
        self.spent: set[str] = set()
        self.people = 0
        for node in self.nodes:
            node.keep(watch.Armed())
            self._boot(node)
        self._run(20)

    # The world ----------------------------------------------------------------------------------

    def _now(self, node: Node) -> float:
        return self.t + node.skew

    def _boot(self, node: Node) -> None:
        node.boot()
        node.state, actions = voter.start(node.state, node.kept(), self._now(node))
        self._act(node, actions)
        if node.index < 2:
            for event in (speaker.TombstonesFetched(), speaker.NetworkJoined()):
                self._feed(node, voter.ForNetwork(NET, event))

    def _feed(self, node: Node, event: Any) -> None:
        before = node.state
        node.state, actions = voter.step(node.state, event, self._now(node))
        self._check(node, before, actions)
        self._act(node, actions)

    def _post(self, node: Node, event: Any, *, agents: bool = True) -> None:
        """To the others, by the mesh: dropped, doubled, delayed and so reordered."""
        for other in self.nodes:
            if other is node or (agents and other.index == 2) or not node.uplink:
                continue
            for _ in range(2 if self.rng.random() < self.twice else 1):
                if self.rng.random() >= self.drop:
                    at = self.t + self.rng.random() * self.delay
                    self.flying.append((at, other.index, event, node.skew))

    def _arrive(self, node: Node, event: Any, skew: float) -> None:
        """Ages travel: a sender's time becomes ours by the difference of the clocks."""
        shift = node.skew - skew
        match event:
            case speaker.ClaimHeard(agent, rank, line_at):
                line_at = None if line_at is None else line_at + shift
                event = voter.ForNetwork(NET, speaker.ClaimHeard(agent, rank, line_at))
            case incident.PeerClosed(agent, id, by_hand, at, in_force):
                event = incident.PeerClosed(agent, id, by_hand, at + shift, in_force)
            case incident.StanddownOrdered(admin, at):
                event = incident.StanddownOrdered(admin, at + shift)
            case watch.Heartbeat(boot, at):
                event = watch.Heartbeat(boot, at + shift, direct=False)
            case incident.VoterShows(name, at):
                event = incident.VoterShows(name, at + shift)
            case _:
                pass
        self._feed(node, event)

    def _act(self, node: Node, actions: list[Any]) -> None:
        me = NAMES[node.index]
        for action in actions:
            match action:
                case Persist(fact):
                    node.keep(fact)
                case watch.AskVoters():
                    self._ask(node)
                case watch.Vote(verdict, silent_from):
                    node.voted_at = self.t
                    self._post(node, incident.VoteHeard(me, verdict, silent_from))
                case watch.Withdraw():
                    self._post(node, incident.VoteWithdrawn(me))
                case speaker.SendClaim(_, _, rank, line_at):
                    self._post(node, speaker.ClaimHeard(me, rank, line_at))
                case incident.SendClosed(stone, in_force):
                    closed = incident.PeerClosed(me, stone.id, stone.by_hand, stone.at, in_force)
                    self._post(node, closed)
                case incident.RelayOrder(order):
                    self._post(node, order)
                case speaker.Announce():
                    self.lines.append(self.t)
                    self._feed(node, voter.ForNetwork(NET, speaker.LineSaid()))
                    self._seen(node)
                case speaker.RepeatLine():
                    self._seen(node)
                case _:
                    pass

    def _seen(self, node: Node) -> None:
        for other in self.nodes[:2]:
            if other is not node and other.alive and other.uplink and not self._sleeps(other):
                self._feed(other, voter.ForNetwork(NET, speaker.LineSeen(NAMES[node.index])))

    def _ask(self, node: Node) -> None:
        for other in self.nodes:
            if other is node or not other.alive or not other.uplink or not node.uplink:
                continue
            if self.rng.random() < self.drop or self._sleeps(other):
                continue
            if self.t - other.heard < 10:
                at = other.heard + other.skew
                beat = watch.Heartbeat(self.boot_id, at)
                self.flying.append((self.t + self.delay / 2, node.index, beat, other.skew))
                shows = incident.VoterShows(NAMES[other.index], at)
                self.flying.append((self.t + self.delay / 2, node.index, shows, other.skew))
            for notice in other.state.watch.notices:
                self.flying.append((self.t, node.index, watch.Noticed(notice), 0.0))

    def _sleeps(self, node: Node) -> bool:
        return self.t < node.paused_until

    def _run(self, seconds: int) -> None:
        for _ in range(seconds):
            self._second()

    def _second(self) -> None:
        self.t += 1
        self.rng.shuffle(self.flying)
        due = [m for m in self.flying if m[0] <= self.t]
        self.flying = [m for m in self.flying if m[0] > self.t]
        for node in self.nodes:
            if not node.alive:
                continue
            if self._sleeps(node):
                self.flying += [m for m in due if m[1] == node.index]
                continue
            if node.slept_from is not None:
                self._feed(node, voter.Stalled(self.t - node.slept_from))
                node.slept_from = None
            if self.up and node.uplink and self.rng.random() >= self.drop:
                node.heard = self.t
                self._feed(node, watch.Heartbeat(self.boot_id, self._now(node)))
                if self.notice is not None:
                    self._feed(node, watch.Noticed(self.notice))
            for _, _, event, skew in (m for m in due if m[1] == node.index and node.uplink):
                if node.index < 2 or type(event) in WATCH_EVENTS:
                    self._arrive(node, event, skew)
            self._feed(node, watch.SelfCheck(5 if node.uplink else 0, 5))
            self._feed(node, voter.Tick())
            own = node.state.incident
            if own is not None and own.phase is not incident.Phase.NONE:
                back = own.phase is incident.Phase.RECOVERING
                self._post(
                    node,
                    incident.PeerIncident(
                        NAMES[node.index], own.id, own.kind, own.spoken, back, own.verdict,
                        own.silent_from,
                    ),
                )  # fmt: skip

    # Safety, at every step ----------------------------------------------------------------------

    def _check(self, node: Node, before: voter.VoterState, actions: list[Any]) -> None:
        own = node.state.incident
        for index, action in enumerate(actions):
            match action:
                case watch.Vote():  # S3
                    assert node.state.watch.phase in watch.DOWN
                case speaker.Announce():
                    assert own is not None
                    assert own.spoken
                    self._check_announcement(node, own)
                    spoken = [a for a in actions[:index] if isinstance(a, Persist)]
                    known = node.facts.get(incident.IncidentFact)
                    assert spoken or (known is not None and known.spoken)  # kept before said
                case incident.SendClosed(stone, _) if not stone.by_hand:  # S7
                    old = before.incident
                    assert old is not None
                    real = old.kind in (incident.Kind.QUORUM, incident.Kind.SOLO)
                    if real and old.id == stone.id:
                        steady = node.state.watch.steady_from
                        assert self._now(node) >= steady + DEFAULTS.auto_standdown_s
                case _:
                    pass

    def _check_announcement(self, node: Node, own: incident.IncidentState) -> None:
        """S1 and S2."""
        if own.kind is incident.Kind.OPERATOR:
            return
        assert node.state.watch.phase is not watch.Phase.MAINTENANCE
        voters = {NAMES.index(ballot.voter) for ballot in own.ballots}
        # a vote counts for 5 s, and may have been on its way for as long as the mesh delays
        recent = [i for i in voters if self.t - self.nodes[i].voted_at <= 5 + self.delay + 1]
        alone = self._now(node) - node.state.watch.silent_from >= DEFAULTS.solo_after_s
        assert len(recent) >= 2 or alone, "S1"

    @invariant()
    def closed_stays_closed(self) -> None:
        """S8, S4: an incident never reopens at an agent that has heard of its closing; an
        announcement has no place of its own to name."""
        for node in getattr(self, "nodes", [])[:2]:
            own = node.state.incident
            assert own is not None
            assert own.id not in {stone.id for stone in own.tombstones}
        assert {field.name for field in fields(speaker.Announce)} == {"network", "incident_id"}

    # What may happen ----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 15, 40, 80]))
    def time_passes(self, seconds: int) -> None:
        self._run(seconds)

    @rule(drop=st.sampled_from([0.0, 0.2, 0.6]), twice=st.sampled_from([0.0, 0.3]),
          delay=st.sampled_from([0.2, 3.0]))  # fmt: skip
    def weather(self, drop: float, twice: float, delay: float) -> None:
        self.drop, self.twice, self.delay = drop, twice, delay

    @rule(up=st.booleans())
    def site(self, up: bool) -> None:
        self.up = up

    @rule(index=who, up=st.booleans())
    def uplink(self, index: int, up: bool) -> None:
        self.nodes[index].uplink = up

    @rule(index=who, seconds=st.sampled_from([3, 20, 90]))
    def pause(self, index: int, seconds: int) -> None:
        node = self.nodes[index]
        if node.alive and node.slept_from is None:
            node.slept_from, node.paused_until = self.t, self.t + seconds

    @rule(index=who)
    def kill(self, index: int) -> None:
        self.nodes[index].alive = False

    @rule(index=who)
    def restart(self, index: int) -> None:
        node = self.nodes[index]
        if not node.alive:
            node.alive, node.paused_until, node.slept_from = True, 0.0, None
            self._boot(node)

    @rule(seconds=st.sampled_from([30, 300]))
    def maintenance(self, seconds: int) -> None:
        self.notice = watch.Notice(f"m{self.t}", self.t - 5, self.t + seconds)

    @rule(index=st.integers(0, 1))
    def declare(self, index: int) -> None:
        if self.nodes[index].alive and not self._sleeps(self.nodes[index]):
            self._feed(self.nodes[index], incident.Declared("alice"))

    @rule(index=st.integers(0, 1))
    def standdown(self, index: int) -> None:
        node = self.nodes[index]
        if node.alive and not self._sleeps(node):
            self._feed(node, incident.StanddownOrdered("alice", self._now(node)))

    @rule(handle=st.sampled_from(["alice", "bob", ""]), digest=st.sampled_from("abc"),
          fits=st.booleans(), restart=st.booleans())  # fmt: skip
    def code(self, handle: str, digest: str, fits: bool, restart: bool) -> None:
        """S6, S8: a code is good once, also over a restart of the agent's desk."""
        if restart:
            self.desk, _ = claims.step(
                claims.Desk(), claims.Stored("i", frozenset(self.spent)), self.t
            )
        self.desk, _ = claims.step(self.desk, claims.IncidentBegan("i"), self.t)
        self.people += 1
        at = claims.Connection(NET, self.people)
        given = claims.CodeGiven(at, "nick", handle, digest * 64, fits)
        for tries in range(2):  # a duplicate
            self.desk, actions = claims.step(self.desk, given, self.t)
            admitted = any(isinstance(action, claims.Admit) for action in actions)
            good = fits and bool(handle) and digest * 64 not in self.spent and not tries
            assert admitted == good
            for action in actions:
                if isinstance(action, Persist) and isinstance(action.fact, claims.SpentFact):
                    self.spent.add(action.fact.spent)
                # S9: what an unverified connection is told has no field of the roster
                if isinstance(action, claims.Refuse | claims.Challenge):
                    assert not hasattr(action, "handle")
        later, _ = claims.step(self.desk, claims.Tick(), self.t + 13 * 3600)  # L4
        assert all(claim.phase is not claims.Phase.VERIFIED for claim in later.claims)

    # Liveness, from any state -------------------------------------------------------------------

    def _settle(self) -> None:
        """Fair weather, everybody up, what was opened by hand stood down by hand."""
        self.drop, self.twice, self.delay = 0.0, 0.0, 0.2
        self.up, self.notice = True, None
        for index, node in enumerate(self.nodes):
            node.uplink, node.paused_until = True, 0.0
            self.restart(index)
        self._run(2)
        for node in self.nodes:
            for notice in node.state.watch.notices:
                self._feed(node, watch.NoticeEnded(notice.id))
        self._run(1)
        for index in (0, 1):
            self.standdown(index)
        self._run(400)
        for node in self.nodes[:2]:  # L3
            assert node.state.incident is not None
            assert node.state.incident.phase is incident.Phase.NONE, "L3"

    def _speaking(self) -> list[int]:
        return [
            node.index
            for node in self.nodes[:2]
            if node.alive and node.state.speakers[0].phase is speaker.Phase.SPEAKING
        ]

    @rule()
    def story(self) -> None:
        self._settle()
        said = len(self.lines)
        self.up = False
        self._run(30)
        assert len(self.lines) > said, "L1"
        assert len(self._speaking()) == 1, "S5"
        (index,) = self._speaking()
        self.nodes[index].alive = False
        self._run(6 + 2 * 1 + 2)
        assert self._speaking() == [1 - index], "L2"
        self.restart(index)
        self._run(2 * 6 + 2)
        assert len(self._speaking()) == 1, "S5"
        self.up = True
        self._run(330)
        for node in self.nodes[:2]:
            assert node.state.incident is not None
            assert node.state.incident.phase is incident.Phase.NONE, "L3"


WATCH_EVENTS = frozenset({watch.Heartbeat, watch.Noticed})
Outages.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,  # the same plays in every run of the tests; EXAMPLES gives more
    phases=[Phase.generate],  # a play takes a second: a failing one is not shrunk
    suppress_health_check=list(HealthCheck),
)
TestOutages = Outages.TestCase
