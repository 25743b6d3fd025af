"""One voter wired: what its store remembers, its own vote, what is kept before it speaks."""

from __future__ import annotations

from fallback import incident, speaker, voter, watch
from fallback.actions import Persist
from fallback.timings import DEFAULTS

T0 = 1_700_000_000.0
ID = f"{int(T0 * 1000):012x}.fra"


def restarted(kept: voter.Kept, second: float) -> voter.VoterState:
    state, _ = voter.start(voter.agent("fra", 0, ("net",), DEFAULTS), kept, T0 + second)
    for event in (speaker.TombstonesFetched(), speaker.NetworkJoined()):
        state, _ = voter.step(state, voter.ForNetwork("net", event), T0 + second)
    return state


def cut(state: voter.VoterState, start: int, end: int) -> list[voter.Action]:
    """What the agent does from `start` to `end` with no A, a second voter voting at 20 s."""
    done: list[voter.Action] = []
    for second in range(start, end):
        events: list[voter.Event] = [watch.SelfCheck(5, 5)]
        if second >= start + 20:
            events.append(incident.VoteHeard("hel", watch.Verdict.SITE, T0))
        for event in (*events, voter.Tick()):
            state, actions = voter.step(state, event, T0 + second)
            done += actions
    return done


def kept(at: float, line_at: float | None, order: float | None = None) -> voter.Kept:
    fact = incident.IncidentFact(
        ID, incident.Kind.QUORUM, False, True, watch.Verdict.SITE, T0, T0 + at
    )
    line = () if line_at is None else (speaker.LineFact("net", ID, T0 + line_at),)
    ordered = None if order is None else incident.StanddownFact(T0 + order, watch.NEVER)
    return voter.Kept(armed=True, opened=fact, lines=line, order=ordered)


def test_killed_and_restarted_it_goes_on_with_the_same_incident_and_line() -> None:
    state = restarted(kept(20, 20), 40)
    assert state.incident is not None
    assert state.incident.id == ID
    done = cut(state, 41, 90)
    assert not [action for action in done if isinstance(action, speaker.Announce)]
    assert [action for action in done if isinstance(action, speaker.SendClaim)]


def test_killed_before_its_line_was_written_it_says_it() -> None:
    done = cut(restarted(kept(20, None), 40), 41, 90)
    assert len([action for action in done if isinstance(action, speaker.Announce)]) == 1


def test_a_line_of_an_older_incident_does_not_pass_for_this_ones() -> None:
    done = cut(restarted(kept(20, -500), 40), 41, 90)
    assert len([action for action in done if isinstance(action, speaker.Announce)]) == 1


def test_an_incident_that_ends_in_its_restart_takes_its_line_along() -> None:
    """Stood down while the agent was dead: the next cut needs a line of its own."""
    state = restarted(kept(20, 20, order=100), 1000)
    assert state.incident is not None
    assert state.incident.phase is incident.Phase.NONE
    for second in range(1001, 1080):
        beat = watch.Heartbeat("b", T0 + second)
        state, _ = voter.step(state, beat, T0 + second)
    done = cut(state, 1080, 1110)
    assert len([action for action in done if isinstance(action, speaker.Announce)]) == 1


def test_spoken_is_kept_before_anything_is_said() -> None:
    state = restarted(voter.Kept(armed=True), 0)
    done = cut(state, 1, 40)
    said = next(i for i, action in enumerate(done) if isinstance(action, speaker.Announce))
    facts = [action.fact for action in done[:said] if isinstance(action, Persist)]
    last = [fact for fact in facts if isinstance(fact, incident.IncidentFact)][-1]
    assert last.spoken


def test_our_own_vote_counts_like_anothers() -> None:
    state = restarted(voter.Kept(armed=True), 0)
    done = cut(state, 1, 23)
    assert [action for action in done if isinstance(action, watch.Vote)]
    assert [action for action in done if isinstance(action, incident.Gossip)]


def test_a_witness_watches_and_votes_and_never_speaks() -> None:
    state, _ = voter.start(voter.witness("ams", DEFAULTS), voter.Kept(armed=True), T0)
    done = cut(state, 1, 120)
    assert [action for action in done if isinstance(action, watch.Vote)]
    assert not [action for action in done if isinstance(action, speaker.Announce)]


def test_an_incident_is_pushed_once_whatever_the_networks_and_restarts() -> None:
    def pushes(state: voter.VoterState, network: str, at: float) -> tuple[voter.VoterState, int]:
        written = voter.ForNetwork(network, speaker.LineSaid())
        state, done = voter.step(state, written, T0 + at)
        return state, len([action for action in done if isinstance(action, speaker.Push)])

    def two(kept: voter.Kept, at: float) -> voter.VoterState:
        state = voter.agent("fra", 0, ("net", "oftc"), DEFAULTS)
        state, _ = voter.start(state, kept, T0 + at)
        for network in ("net", "oftc"):
            for event in (speaker.TombstonesFetched(), speaker.NetworkJoined()):
                state, _ = voter.step(state, voter.ForNetwork(network, event), T0 + at)
        return state

    def silent(state: voter.VoterState, since: int, until: int) -> voter.VoterState:
        for second in range(since, until):
            vote = incident.VoteHeard("hel", watch.Verdict.SITE, T0)
            for event in (watch.SelfCheck(5, 5), vote, voter.Tick()):
                state, _ = voter.step(state, event, T0 + second)
        return state

    state = silent(two(voter.Kept(armed=True), 0), 1, 40)
    assert all(said.line_at for said in state.speakers)
    state, first = pushes(state, "oftc", 40)
    state, second = pushes(state, "net", 41)
    assert (first, second) == (1, 0)
    again = silent(two(kept(20, 20), 60), 61, 100)  # the line on `net` was kept, the other not
    assert all(said.line_at for said in again.speakers)
    assert pushes(again, "oftc", 100)[1] == 0
