"""Runs the real deciders through a year of faults on a 1 s grid, skipping the quiet.

What is skipped: time in which every voter hears the primary and no incident is open (nothing can
happen then), and the middle of a long outage in which nothing changes: it is cut out of the
timeline. Within a second the order is: the bouncer's heartbeats, what the voter finds out by
itself, its tick, then what it sends reaches the others.
"""

from __future__ import annotations

import random

from fallback import incident, speaker, voter, watch
from tests.fallback.simulator.faults import YEAR_S, VoterFaults, Window, Year, draw
from tests.fallback.simulator.judging import judge
from tests.fallback.simulator.setup import NETWORK, Result, Setup, Voter

EPOCH_S = 1_700_000_000
MARGIN_S = 20
STEADY_S = 150  # an outage that has not changed for so long is cut short
TRACE_S = 8  # a silence shorter than this can't make a voter suspect
IRC_NOTICES_S = 30  # when a public network is seen to be lost


class Simulation:
    """One setup under one seed. `run` adds a year to the result."""

    def __init__(self, setup: Setup, seed: int, share: float = 1.0) -> None:
        self.setup = setup
        self.end = int(YEAR_S * share)  # a slice of the year is enough for a quick look
        self.rng = random.Random(seed)
        self.result = Result()
        self.removed = 0
        self.base = EPOCH_S

    def run(self) -> Result:
        """One more year."""
        self.begin(draw(self.rng, self.setup.agents + self.setup.witnesses))
        t = 500
        for start, end in self._windows():
            if end <= t or start > self.end:
                continue
            if start > t:
                self._skip_quiet_to(start)
            t = self._window(max(start, t), end)
        if self.line_from is not None:
            self.standing.append((self.line_from, YEAR_S))
        judge(self)
        self.base += YEAR_S
        return self.result

    def begin(self, year: Year) -> None:
        """Start all voters in this year, at its second 500."""
        self.year = year
        self.removed = 0
        self.voters = [
            Voter(f"v{i}", i if i < self.setup.agents else None, faults, self.setup)
            for i, faults in enumerate(self.year.voters)
        ]
        self.announced_at: list[tuple[int, str]] = []
        self.standing: list[tuple[int, int]] = []  # spans in which a line stood
        self.line_from: int | None = None
        self._start(500)

    # Which time matters -------------------------------------------------------------------------

    def _windows(self) -> list[tuple[int, int]]:
        year, spans = self.year, []
        shared = [*year.cuts.spans, *year.crashes.spans]
        for at in self.voters:
            shared += at.faults.uplink.spans + at.faults.path.spans + at.faults.pause.spans
            shared += self._loss_runs(at.faults)
        beat = self.setup.heartbeat_s
        for start, end in shared:
            if end - start + (beat - 1) + 2 >= TRACE_S:
                spans.append((start - MARGIN_S, end + MARGIN_S))
        spans += [(w.start - 2, w.start + 5) for w in year.windows]
        spans += [(w.end - 2, w.end + MARGIN_S) for w in year.windows]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def _loss_runs(self, faults: VoterFaults) -> list[tuple[int, int]]:
        """Runs of lost heartbeats long enough to matter, drawn beat by beat."""
        runs = []
        beat = self.setup.heartbeat_s
        need = -(-TRACE_S // beat)
        for start, loss in faults.loss.items():
            run = 0
            for step in range(0, 1800, beat):
                if self.rng.random() < loss:
                    run += 1
                    continue
                if run >= need:
                    runs.append((start + step - run * beat, start + step))
                run = 0
        for run_start, run_end in runs:
            faults.path.spans.append((run_start, run_end))
        if runs:
            faults.path.__init__(faults.path.spans)  # type: ignore[misc]
        return runs

    # One window ---------------------------------------------------------------------------------

    def _now(self, t: int) -> float:
        return float(self.base + t - self.removed)

    def _start(self, t: int) -> None:
        for at in self.voters:
            at.state, actions = voter.start(at.state, voter.Kept(armed=True), self._now(t))
            self._act(at, actions, t)
            at.heard = t
            if at.is_agent:
                at.joined = True
                self._feed(at, voter.ForNetwork(NETWORK, speaker.TombstonesFetched()), t)
                self._feed(at, voter.ForNetwork(NETWORK, speaker.NetworkJoined()), t)

    def _skip_quiet_to(self, t: int) -> None:
        """Everybody has heard the primary all the while, short losses apart."""
        for at in self.voters:
            at.heard = at.fed_at = t
            self._feed(at, watch.Heartbeat("b", self._now(t)), t)

    def _window(self, start: int, end: int) -> int:
        t, changed_at = start, start
        before = None
        while t < end or not self._quiet():
            t += 1
            if t > YEAR_S - 10:
                break
            self.second(t)
            now_state = [(at.phase, self._open(at)) for at in self.voters]
            if now_state != before:
                before, changed_at = now_state, t
            if t - changed_at >= STEADY_S and self._steady(t):
                edge = self._next_edge(t)
                skip = edge - t - 30
                if skip > 60:
                    self._cut_out(skip)
                    t += skip
                changed_at = t
        return t

    def _cut_out(self, skip: int) -> None:
        self.removed += skip
        for at in self.voters:
            at.heard += skip
            at.checked_at += skip
            at.fed_at += skip
            if at.paused_at is not None:
                at.paused_at += skip
            if at.outage_from is not None:
                at.outage_from += skip

    def _open(self, at: Voter) -> tuple[object, ...]:
        own = at.state.incident
        if own is None:
            return ()
        return (own.phase, own.spoken, own.kind, at.state.speakers[0].phase)

    def _steady(self, t: int) -> bool:
        """A long cut in which everybody has come to rest."""
        if not self.year.primary_down(t):
            return False
        return all(at.paused_at is None for at in self.voters)

    def _next_edge(self, t: int) -> int:
        edges = [self.year.cuts.next_edge(t), self.year.crashes.next_edge(t)]
        for at in self.voters:
            f = at.faults
            edges += [f.uplink.next_edge(t), f.path.next_edge(t), f.pause.next_edge(t)]
            edges += [f.lossy.next_edge(t)]
        edges += [e for w in self.year.windows for e in (w.start, w.end) if e > t]
        return min(edges)

    def _quiet(self) -> bool:
        return all(at.calm and at.paused_at is None for at in self.voters)

    def second(self, t: int) -> None:
        """Let second `t` happen, quiet or not."""
        for at in self.voters:
            self._pause(at, t)
        for at in self.voters:
            if at.paused_at is None:
                self._hear(at, t)
        for at in self.voters:
            if at.paused_at is None:
                self._look(at, t)
        for at in self.voters:
            if at.paused_at is None and self._now(t) >= at.wake:
                self._feed(at, voter.Tick(), t)
        for at in self.voters:
            if at.paused_at is None:
                self._gossip(at, t)

    def _pause(self, at: Voter, t: int) -> None:
        if at.faults.pause.at(t):
            if at.paused_at is None:
                at.paused_at = t
        elif at.paused_at is not None:
            gap = t - at.paused_at
            at.paused_at = None
            if self.setup.self_check:
                self._feed(at, voter.Stalled(float(gap)), t)
            else:  # its timer is over before it reads what has come
                for _ in range(2):
                    self._feed(at, watch.SelfCheck(5, 5), t)
                    self._feed(at, voter.Tick(), t)
            queue, at.queue = at.queue, []
            for event in queue:  # what the socket kept
                self._feed(at, event, t)

    def _uplink(self, at: Voter, t: int) -> bool:
        return at.faults.uplink.at(t) is None

    def _hears(self, at: Voter, t: int) -> bool:
        beat = self.setup.heartbeat_s
        sent = not self.year.primary_down(t) and not self.year.stalls.at(t) and t % beat == 0
        if not sent or not self._uplink(at, t) or at.faults.path.at(t):
            return False
        loss = at.faults.loss_at(t)
        return not loss or self.rng.random() >= loss

    def _hear(self, at: Voter, t: int) -> None:
        for window in self.year.windows:
            if window.start <= t < window.end:
                self._notice(at, window, t)
            elif window.end <= t < window.end + 60 and at.noticed == f"m{window.start}":
                at.noticed = ""
                self._feed(at, watch.NoticeEnded(f"m{window.start}"), t)
        if not self._hears(at, t):
            return
        # A calm voter with a good path is fed every fourth beat: nothing else would change.
        silent = t - at.heard
        at.heard = t
        if at.calm and t - at.fed_at < 4 and silent < 4 * self.setup.heartbeat_s:
            return
        at.fed_at = t
        self._feed(at, watch.Heartbeat("b", self._now(t)), t)

    def _notice(self, at: Voter, window: Window, t: int) -> None:
        name = f"m{window.start}"
        if at.noticed == name or not self._hears(at, t):
            return
        at.noticed = name
        shift = self._now(t) - t
        notice = watch.Notice(name, window.start + shift, window.end + shift)
        self._feed(at, watch.Noticed(notice), t)

    def _look(self, at: Voter, t: int) -> None:
        """Landmarks, probes and the public network, as the voter itself sees them."""
        uplink = self._uplink(at, t)
        tense = at.phase in watch.DOWN or at.phase in (watch.Phase.SUSPECT, watch.Phase.ISOLATED)
        if uplink:
            at.outage_from = None
        elif at.outage_from is None:
            at.outage_from = t
        if tense:
            # "fresh" means 5 s: a landmark is missed five seconds after it was lost
            gone = at.outage_from is not None and t - at.outage_from >= 5
            good = not gone or not self.setup.self_check
            if good != at.good or t - at.checked_at >= 4:
                at.good, at.checked_at = good, t
                self._feed(at, watch.SelfCheck(5 if good else 0, 5), t)
            if self.setup.answers and uplink and self._answers(at, t):
                self._feed(at, watch.Answered(self._now(t)), t)
        if at.is_agent:
            lost = at.outage_from is not None and t - at.outage_from >= IRC_NOTICES_S
            if at.joined and lost:
                at.joined = False
                self._feed(at, voter.ForNetwork(NETWORK, speaker.NetworkLost()), t)
            elif not at.joined and uplink:
                at.joined = True
                self._feed(at, voter.ForNetwork(NETWORK, speaker.NetworkJoined()), t)

    def _answers(self, at: Voter, t: int) -> bool:
        """Class B: a crashed bouncer's host still refuses."""
        if self.year.cuts.at(t) or at.faults.path.at(t) or not self._uplink(at, t):
            return False
        loss = at.faults.loss_at(t)
        return self.rng.random() >= loss * loss  # two connects a second

    # What voters send ---------------------------------------------------------------------------

    def _reaches(self, one: Voter, other: Voter, t: int) -> bool:
        if not self._uplink(one, t) or not self._uplink(other, t):
            return False
        loss = one.faults.loss_at(t) + other.faults.loss_at(t)
        return not loss or self.rng.random() >= loss

    def _feed(self, at: Voter, event: voter.Event, t: int) -> None:
        at.state, actions = voter.step(at.state, event, self._now(t))
        at.wake = voter.wake_at(at.state, self._now(t))
        if actions:
            self._act(at, actions, t)

    def _send(self, at: Voter, event: voter.Event, t: int, *, agents: bool = False) -> None:
        for other in self.voters:
            if other is at or (agents and not other.is_agent) or not self._reaches(at, other, t):
                continue
            if other.paused_at is not None:
                other.queue = [*other.queue[-63:], event]
            else:
                self._feed(other, event, t)

    def _act(self, at: Voter, actions: list[voter.Action], t: int) -> None:
        for action in actions:
            match action:
                case watch.AskVoters():
                    self._hear_states(at, t)
                    if self.setup.asks:
                        self._ask(at, t)
                case watch.Vote(verdict, silent_from):
                    event = incident.VoteHeard(at.name, verdict, silent_from)
                    self._send(at, event, t, agents=True)
                    if at.state.watch.down_from == self._now(t) and self.year.up_for(60, t):
                        self.result.false_verdicts += 1
                case watch.Withdraw():
                    self._send(at, incident.VoteWithdrawn(at.name), t, agents=True)
                case speaker.Announce(_, incident_id):
                    self._announce(at, incident_id, t)
                case speaker.SendClaim(_, _, rank, line_at):
                    claim = speaker.ClaimHeard(at.name, rank, line_at)
                    self._send(at, voter.ForNetwork(NETWORK, claim), t, agents=True)
                case incident.SendClosed(stone, in_force):
                    closed = incident.PeerClosed(
                        at.name, stone.id, stone.by_hand, stone.at, in_force
                    )
                    self._send(at, closed, t, agents=True)
                    if self.line_from is not None:
                        self.standing.append((self.line_from, t))
                        self.line_from = None
                case _:
                    pass

    def _hear_states(self, at: Voter, t: int) -> None:
        """The others' states, which their own messages carry anyway: who shows A?"""
        for other in self.voters:
            if not at.is_agent or other is at or other.paused_at is not None:
                continue
            if t - other.heard < 10 and self._reaches(other, at, t):
                self._feed(at, incident.VoterShows(other.name, self._now(other.heard)), t)

    def _ask(self, at: Voter, t: int) -> None:
        for other in self.voters:
            if other is at or other.paused_at is not None or not self._reaches(at, other, t):
                continue
            age = t - other.heard
            if age < 10:
                self._feed(at, watch.Heartbeat("b", self._now(other.heard), direct=False), t)
            if other.phase is watch.Phase.MAINTENANCE:
                for notice in other.state.watch.notices:
                    self._feed(at, watch.Noticed(notice), t)
                    at.noticed = notice.id
            if self.setup.answers and self._answers(other, t):
                self._feed(at, watch.Answered(self._now(t)), t)

    def _announce(self, at: Voter, incident_id: str, t: int) -> None:
        self.announced_at.append((t, incident_id))
        if not self._uplink(at, t):
            return  # it comes out later, or never
        if self.line_from is None:
            self.line_from = t
        self._feed(at, voter.ForNetwork(NETWORK, speaker.LineSaid()), t)
        for other in self.voters:
            if other is not at and other.is_agent and other.joined and self._uplink(other, t):
                seen = voter.ForNetwork(NETWORK, speaker.LineSeen(at.name))
                if other.paused_at is None:
                    self._feed(other, seen, t)
                else:
                    other.queue.append(seen)

    def _gossip(self, at: Voter, t: int) -> None:
        own = at.state.incident
        if own is None or own.phase is incident.Phase.NONE or t % 2:
            return
        recovering = own.phase is incident.Phase.RECOVERING
        mine = incident.PeerIncident(
            at.name, own.id, own.kind, own.spoken, recovering, own.verdict, own.silent_from
        )
        self._send(at, mine, t, agents=True)


def simulate(setup: Setup, years: int, seed: int = 1, share: float = 1.0) -> Result:
    """`years` years of one setup, or that share of each."""
    simulation = Simulation(setup, seed, share)
    for _ in range(years):
        simulation.run()
    return simulation.result
