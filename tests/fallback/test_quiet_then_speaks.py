"""Quiet for 120 s where it must be, with the state that explains it; then a real cut is announced.

The deciders of one agent and one witness (2 of 2) under virtual time, one second at a time, in
the simulator's world with a fault written by hand.
"""

from __future__ import annotations

from collections.abc import Callable

from fallback import incident, watch
from tests.fallback.simulator.faults import Spans, VoterFaults, Window, Year
from tests.fallback.simulator.run import Simulation
from tests.fallback.simulator.setup import Setup

START, QUIET_S, CUT = 1000, 120, 1130


def none() -> VoterFaults:
    return VoterFaults(Spans([]), Spans([]), Spans([]), Spans([]))


class Run:
    """Second by second; `agent` and `witness` are the simulated voters."""

    def __init__(self, agent: VoterFaults, witness: VoterFaults, stalls: Spans) -> None:
        year = Year(Spans([(CUT, CUT + 600)]), Spans([]), stalls, [], [agent, witness])
        self.world = Simulation(Setup("2 of 2", 1, 1), seed=3)
        self.world.begin(year)
        self.agent, self.witness = self.world.voters
        self.seen: set[watch.Phase] = set()
        self.t = 500

    def until(self, end: int, look: Callable[[], None] = lambda: None) -> None:
        while self.t < end:
            self.t += 1
            self.world.second(self.t)
            self.seen.add(self.agent.phase)
            look()

    def announced_at(self) -> list[int]:
        return [t for t, _ in self.world.announced_at]

    def ends_with_an_announcement(self, within_s: int) -> None:
        """The same run, the real cut: announced once, in time, and closed after recovery."""
        self.until(CUT + 300)
        (announced,) = self.announced_at()
        assert CUT < announced <= CUT + within_s
        self.until(CUT + 600 + 320)
        own = self.agent.state.incident
        assert own is not None
        assert own.phase is incident.Phase.NONE
        assert len(self.announced_at()) == 1


def run(
    agent: VoterFaults | None = None,
    witness: VoterFaults | None = None,
    stalls: Spans | None = None,
) -> Run:
    played = Run(agent or none(), witness or none(), stalls or Spans([]))
    played.until(START)
    assert played.agent.phase is watch.Phase.WATCHING
    played.seen.clear()
    return played


def test_own_uplink_cut() -> None:
    """ISOLATED explains it: "No vote while its own uplink is in doubt"."""
    played = run(VoterFaults(Spans([(START, START + QUIET_S + 1)]), *rest()))
    played.until(START + 30)
    played.seen.clear()
    played.until(START + QUIET_S)
    assert played.seen == {watch.Phase.ISOLATED}
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_twenty_per_cent_loss_both_ways() -> None:
    """Heartbeats are lost, never ten in a row: WATCHING explains it."""
    lossy = VoterFaults(
        Spans([]), Spans([]), Spans([]), Spans([(START, START + QUIET_S)]), {START: 0.20}
    )
    played = run(lossy)
    beats: list[int] = []
    played.until(START + QUIET_S, lambda: beats.append(played.agent.heard))
    lost = QUIET_S - len(set(beats))
    assert 10 < lost < 40
    assert played.seen == {watch.Phase.WATCHING}
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_bouncer_stopped_for_eight_seconds() -> None:
    """A silence of 8 s is no suspicion: WATCHING explains it."""
    played = run(stalls=Spans([(START + 20, START + 28)]))
    silences: list[int] = []
    played.until(START + QUIET_S, lambda: silences.append(played.t - played.agent.heard))
    assert max(silences) == 8
    assert played.seen == {watch.Phase.WATCHING}
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_bouncer_stopped_for_twelve_seconds_is_a_suspicion_and_no_more() -> None:
    played = run(stalls=Spans([(START + 20, START + 32)]))
    played.until(START + QUIET_S)
    assert played.seen == {watch.Phase.WATCHING, watch.Phase.SUSPECT}
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_witness_dead() -> None:
    """Nothing to say while A comes; then nobody can confirm, and the solo rule speaks."""
    dead = VoterFaults(Spans([]), Spans([]), Spans([(START, 100_000)]), Spans([]))
    played = run(witness=dead)
    played.until(START + QUIET_S)
    assert played.seen == {watch.Phase.WATCHING}
    own = played.agent.state.incident
    assert own is not None
    assert own.phase is incident.Phase.NONE
    assert own.ballots == ()
    assert played.announced_at() == []
    kinds: list[incident.Kind] = []

    def note_kind() -> None:
        now = played.agent.state.incident
        if now is not None and now.phase is incident.Phase.OPEN:
            kinds.append(now.kind)

    played.until(CUT + 55)
    assert played.announced_at() == []  # a verdict alone is not enough
    played.until(CUT + 80, note_kind)
    assert set(kinds) == {incident.Kind.SOLO}
    played.ends_with_an_announcement(70)


def test_agent_stopped_for_forty_seconds() -> None:
    """Its own gap explains it: a fresh clock, nothing said."""
    played = run(VoterFaults(Spans([]), Spans([]), Spans([(START + 20, START + 60)]), Spans([])))
    played.until(START + QUIET_S)
    assert played.seen == {watch.Phase.WATCHING}
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_one_way_drop() -> None:
    """Somebody has A: forwarded, so DEGRADED and never DOWN."""
    played = run(VoterFaults(Spans([]), Spans([(START, START + QUIET_S)]), Spans([]), Spans([])))
    degraded: list[bool] = []
    played.until(START + QUIET_S, lambda: degraded.append(played.agent.state.watch.degraded))
    assert any(degraded)
    assert not played.seen & watch.DOWN
    assert played.announced_at() == []
    played.ends_with_an_announcement(30)


def test_maintenance() -> None:
    """A valid window explains it, and what comes after it is announced."""
    played = run()
    played.world.year.windows.append(Window(START, START + 100, (START + 5, START + 95)))
    played.world.year.cuts = Spans([(START + 5, START + 95), (CUT, CUT + 600)])
    played.until(START + 99)
    assert played.agent.phase is watch.Phase.MAINTENANCE
    assert played.announced_at() == []
    played.until(START + QUIET_S)
    assert played.agent.phase is watch.Phase.WATCHING
    played.ends_with_an_announcement(30)


def rest() -> tuple[Spans, Spans, Spans]:
    return Spans([]), Spans([]), Spans([])


def test_with_nothing_wrong_the_cut_is_announced() -> None:
    run().ends_with_an_announcement(30)
