"""Two agents and a witness (2 of 3) second by second, and what must never be: S1 to S5, S7, S8.

The mesh drops, doubles, delays and so reorders; clocks are wrong; processes sleep and die. Every
event goes through the real `voter.step`, and what comes out of it is judged by what truly happened.
"""

from __future__ import annotations

import random
from typing import Any

from fallback import incident, speaker, voter, watch
from fallback.actions import Persist
from fallback.timings import DEFAULTS
from tests.fallback.machine.node import AGENTS, NET, Node

T0 = 1_700_000_000.0
WATCH_EVENTS = frozenset({watch.Heartbeat, watch.Noticed})
TWO_LEASES_S = 2 * DEFAULTS.speaker_lease_s


class World:
    """All of it. `run` lets seconds pass."""

    def __init__(self, seed: int, skews: tuple[float, float, float]) -> None:
        self.rng = random.Random(seed)
        self.t = T0
        self.up, self.boot_id = True, "b1"
        self.drop = self.twice = 0.0
        self.delay = 0.2
        self.apart = False  # the two agents can't hear each other by the mesh
        self.flying: list[tuple[float, int, Any, float]] = []
        self.lines: list[float] = []
        self.notice: watch.Notice | None = None
        # When two agents that run and hear each other well last did not
        self.one_spoke_at = T0  # ... speak both,
        self.agreed_at = T0  # ... hold two incidents.
        self.nodes = [Node(i, skew) for i, skew in enumerate(skews)]
        self.agents = self.nodes[:AGENTS]
        for node in self.nodes:
            node.keep(watch.Armed())
            self.boot(node)
        self.run(20)

    # What may happen ----------------------------------------------------------------------------

    def boot(self, node: Node) -> None:
        node.forget_all_but_the_store()
        node.woke_at = self.now(node)
        node.state, actions = voter.start(node.state, node.kept(), self.now(node))
        self._act(node, actions)
        if node in self.agents:
            for event in (speaker.TombstonesFetched(), speaker.NetworkJoined()):
                self.feed(node, voter.ForNetwork(NET, event))

    def restart(self, node: Node) -> None:
        if not node.alive:
            node.alive, node.paused_until, node.slept_from = True, 0.0, None
            self.boot(node)

    def pause(self, node: Node, seconds: int) -> None:
        if node.alive and node.slept_from is None:
            node.slept_from, node.paused_until = self.t, self.t + seconds

    def awake(self, node: Node) -> bool:
        return node.alive and node.slept_from is None

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self._second()

    def speaking(self) -> list[Node]:
        return [node for node in self.agents if node.speaks]

    # How it happens -----------------------------------------------------------------------------

    def now(self, node: Node) -> float:
        return self.t + node.skew

    def feed(self, node: Node, event: Any) -> None:
        before, now = node.state, self.now(node)
        if not node.alive:
            return
        node.note(event, now)
        node.state, actions = voter.step(before, event, now)
        self._check(node, before, actions)
        self._act(node, actions)

    def _second(self) -> None:
        self.t += 1
        self.rng.shuffle(self.flying)
        due = [m for m in self.flying if m[0] <= self.t]
        self.flying = [m for m in self.flying if m[0] > self.t]
        for node in self.nodes:
            if not node.alive:
                continue
            if self.t < node.paused_until:
                self.flying += [m for m in due if m[1] == node.index]
                continue
            if node.slept_from is not None:
                self.feed(node, voter.Stalled(self.t - node.slept_from))
                node.slept_from = None
            self._read(node)
            if self.up and node.uplink and self.rng.random() >= self.drop:
                node.heard = self.t
                self.feed(node, watch.Heartbeat(self.boot_id, self.now(node)))
                if self.notice is not None:
                    self.feed(node, watch.Noticed(self.notice))
            for _, _, event, skew in (m for m in due if m[1] == node.index and node.uplink):
                if node in self.agents or type(event) in WATCH_EVENTS:
                    self._arrive(node, event, skew)
            self.feed(node, watch.SelfCheck(5 if node.uplink else 0, 5))
            self.feed(node, voter.Tick())
            if node in self.agents:
                self._gossip(node)
        self._check_agreement()

    def _gossip(self, node: Node) -> None:
        own = node.own
        if own.phase is incident.Phase.NONE:
            return
        back = own.phase is incident.Phase.RECOVERING
        self._post(
            node,
            incident.PeerIncident(
                node.name, own.id, own.kind, own.spoken, back, own.verdict, own.silent_from
            ),
        )

    def _post(self, node: Node, event: Any) -> None:
        """To the other agents, by the mesh: dropped, doubled, delayed and so reordered."""
        for other in self.agents:
            if other is node or not node.uplink or self._are_apart(node, other):
                continue
            for _ in range(2 if self.rng.random() < self.twice else 1):
                if self.rng.random() >= self.drop:
                    at = self.t + self.rng.random() * self.delay
                    self.flying.append((at, other.index, event, node.skew))

    def _are_apart(self, one: Node, other: Node) -> bool:
        return self.apart and one in self.agents and other in self.agents

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
        self.feed(node, event)

    def _act(self, node: Node, actions: list[Any]) -> None:
        for action in actions:
            if node.dies_now():
                return
            match action:
                case Persist(fact):
                    node.keep(fact)
                case watch.AskVoters():
                    self._ask(node)
                case watch.Vote(verdict, silent_from):
                    node.voted_at = self.t
                    self._post(node, incident.VoteHeard(node.name, verdict, silent_from))
                case watch.Withdraw():
                    self._post(node, incident.VoteWithdrawn(node.name))
                case speaker.SendClaim(_, _, rank, line_at):
                    self._post(node, speaker.ClaimHeard(node.name, rank, line_at))
                case incident.SendClosed(stone, in_force):
                    node.closed.add(stone.id)
                    closed = incident.PeerClosed(
                        node.name, stone.id, stone.by_hand, stone.at, in_force
                    )
                    self._post(node, closed)
                case incident.Gossip():
                    self._gossip(node)
                case incident.RelayOrder(order):
                    self._post(node, order)
                case speaker.Announce():
                    self.lines.append(self.t)
                    self.feed(node, voter.ForNetwork(NET, speaker.LineSaid()))
                    self._seen(node)
                case speaker.RepeatLine():
                    self._seen(node)
                case _:
                    pass

    def _seen(self, node: Node) -> None:
        """A public network is a stream: who sleeps or is cut off reads the line later."""
        for other in self.agents:
            if other is not node and other.alive:
                other.unread.append(speaker.LineSeen(node.name))
                self._read(other)

    def _read(self, node: Node) -> None:
        while node.unread and node.uplink and self.awake(node):
            self.feed(node, voter.ForNetwork(NET, node.unread.pop(0)))

    def _ask(self, node: Node) -> None:
        for other in self.nodes:
            if other is node or not other.uplink or not node.uplink or not self.awake(other):
                continue
            if self.rng.random() < self.drop or self._are_apart(node, other):
                continue
            at = self.t + self.delay / 2
            if self.t - other.heard < DEFAULTS.suspect_s:
                heard = other.heard + other.skew
                beat = watch.Heartbeat(self.boot_id, heard)
                shows = incident.VoterShows(other.name, heard)
                self.flying += [(at, node.index, each, other.skew) for each in (beat, shows)]
            for notice in other.state.watch.notices:
                self.flying.append((self.t, node.index, watch.Noticed(notice), 0.0))

    # What must never be -------------------------------------------------------------------------

    def _check(self, node: Node, before: voter.VoterState, actions: list[Any]) -> None:
        now = self.now(node)
        for index, action in enumerate(actions):
            match action:
                case watch.Vote():
                    assert node.uplink, "S3: a vote while its own uplink is in doubt"
                    silent_s = now - max(node.woke_at, node.last_a)
                    assert silent_s >= DEFAULTS.declare_s, "S3: a vote on a stale clock"
                case speaker.Announce():
                    self._check_line(node)
                    self._check_grounds(node)
                    kept = [a for a in actions[:index] if isinstance(a, Persist)]
                    known = node.facts.get(incident.IncidentFact)
                    assert kept or (known is not None and known.spoken), "said before it was kept"
                case speaker.RepeatLine():
                    self._check_line(node)
                case incident.SendClosed(stone, _) if not stone.by_hand:
                    self._check_closing(node, before, stone)
                case _:
                    pass
        if node in self.agents and node.own.id:
            assert node.own.id not in node.closed, "S8: a closed incident is open again"

    def _check_line(self, node: Node) -> None:
        """S2: none inside valid maintenance, but by an operator."""
        if node.own.kind is not incident.Kind.OPERATOR:
            assert not node.in_maintenance(self.now(node)), "S2"

    def _check_grounds(self, node: Node) -> None:
        """S1: announce => k fresh votes, the solo rule, or an operator."""
        if node.own.kind is incident.Kind.OPERATOR:
            return
        now = self.now(node)
        assert now - node.last_a >= DEFAULTS.suspect_s, "S1: announced while A is heard"
        # a vote counts for 5 s, and may have been on its way for as long as the mesh delays
        fresh_s = DEFAULTS.vote_ttl_s + self.delay + 1
        votes = sum(self.t - each.voted_at <= fresh_s for each in self.nodes)
        solo_s = DEFAULTS.solo_after_s
        unseen = all(now - at >= solo_s for at in node.shown.values())
        alone = node.uplink and unseen and now - max(node.last_a, node.woke_at) >= solo_s
        assert votes >= DEFAULTS.k or alone, "S1: neither k votes nor the solo rule"

    def _check_closing(
        self, node: Node, before: voter.VoterState, stone: incident.Tombstone
    ) -> None:
        """S7: automatic stand-down only after 300 s of A."""
        old = before.incident
        assert old is not None
        real = old.kind in (incident.Kind.QUORUM, incident.Kind.SOLO)
        if real and old.id == stone.id:
            now = self.now(node)
            assert now - node.a_since >= DEFAULTS.auto_standdown_s, "S7"
            assert now - node.last_a < DEFAULTS.suspect_s, "S7"

    def _check_agreement(self) -> None:
        """S5: at most one speaker per connected component after two lease periods. S4: nor are
        there two incidents for longer; its line names the one place that the configuration has."""
        fair = self.drop == 0.0 and self.delay < 1 and not self.apart
        here = all(self.awake(node) and node.uplink for node in self.agents)
        if not fair or not here or len(self.speaking()) <= 1:
            self.one_spoke_at = self.t
        if not fair or not here or len({node.own.id for node in self.agents if node.own.id}) <= 1:
            self.agreed_at = self.t
        assert self.t - self.one_spoke_at <= TWO_LEASES_S, "S5: two speak"
        assert self.t - self.agreed_at <= TWO_LEASES_S, "S4: the agents hold two incidents"
