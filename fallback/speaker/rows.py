"""The speaker table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from dataclasses import replace

from fallback.actions import Persist
from fallback.speaker.values import (
    LEARNT_LATE_S,
    MAX_MUTED,
    MAX_SEEN,
    NEVER,
    Action,
    Announce,
    Claimant,
    ClaimHeard,
    Event,
    IncidentSeen,
    LineFact,
    LineRefused,
    LineSaid,
    LineSeen,
    NetworkJoined,
    NetworkLost,
    Phase,
    Push,
    RepeatLine,
    Restored,
    Seen,
    SendClaim,
    SpeakerState,
    Stalled,
    StopTalking,
    Tick,
    TombstonesFetched,
)
from fallback.tables import Row, Table, always

Done = tuple[SpeakerState, list[Action]]
MAX_STEPS = 3  # rows that may follow from one event: QUIET, WAITING, SPEAKING
_TICK = Tick()


def step(
    state: SpeakerState,
    event: Event,
    now: float,
    table: Table[SpeakerState, Action] | None = None,
) -> Done:
    """The speaker after `event` at `now`, and what the shell is to do, in order.

    What is true by now (the rows on time) is looked at after every event, not only at ticks.
    `table`: another than `TABLE`, to show what breaks without one of its rows.
    """
    table = table or TABLE
    state = note(state, event, now)
    actions: list[Action] = []
    if not isinstance(event, Tick):
        state, actions = table.run(state, event, now)
    for _ in range(MAX_STEPS):
        before = state
        state, more = table.run(state, _TICK, now)
        actions += more
        if state is before:
            break
    return state, actions


def wake_at(state: SpeakerState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    lease_s = state.timings.speaker_lease_s
    match state.phase:
        case Phase.QUIET if state.incident_id and state.joined_from is not None:
            due = [state.booted_at + lease_s, state.booted_at + 2 * lease_s]
        case Phase.WAITING:
            due = [state.waiting_until]
        case Phase.SPEAKING:
            due = [state.claim_at]
        case Phase.FOLLOWING:
            due = [state.heard_at + lease_s]
            if state.claimant is not None:
                due.append(state.claimant.line_from + lease_s)
        case Phase.HUSHED:
            due = [state.hushed_until]
        case _:
            due = []
    return min((at for at in due if at > now), default=float("inf"))


# Facts noted before the rows are read -----------------------------------------------------------


def note(state: SpeakerState, event: Event, now: float) -> SpeakerState:
    match event:
        case Restored(line_at):
            said = line_at is not None
            return replace(state, booted_at=now, restored=True, line_at=line_at, pushed=said)
        case TombstonesFetched():
            return replace(state, fetched=True)
        case IncidentSeen(incident_id, may_announce, may_repeat) if incident_id:
            return replace(
                state,
                open_from=state.open_from if state.incident_id else now,
                incident_id=incident_id,
                may_announce=may_announce,
                may_repeat=may_repeat,
            )
        case NetworkJoined():
            return replace(state, joined_from=now)
        case NetworkLost():
            return replace(state, joined_from=None)
        case ClaimHeard(agent):
            return state if agent in state.muted else _hear(state, event, now)
        case LineSeen(agent):
            seen = [old for old in state.seen if old.agent != agent][-MAX_SEEN + 1 :]
            return replace(state, seen=(*seen, Seen(agent, now)))
        case _:
            return state


def _hear(state: SpeakerState, claim: ClaimHeard, now: float) -> SpeakerState:
    """Note a CLAIM that counts; of several claimants the one with precedence is followed, as long
    as it claims itself: else a liar's CLAIMs would keep us following a dead one."""
    if not _counts(state, claim.line_at):
        return state
    old = state.claimant
    stale = old is None or now >= old.heard_at + state.timings.speaker_lease_s
    new = Claimant(claim.agent, claim.rank, now, claim.line_at)
    if old is not None and old.agent == claim.agent:
        new = replace(new, line_from=old.line_from)
    elif old is not None and not stale and _key(old) < _key(new):
        return replace(state, heard_at=now)
    if new.line_at is not None and new.line_from == NEVER:
        new = replace(new, line_from=now)
    return replace(state, heard_at=now, claimant=new)


def _counts(state: SpeakerState, line_at: float | None) -> bool:
    """A CLAIM without a line stops nobody who may announce: else one agent that may not could
    keep all others silent."""
    return line_at is not None or not state.may_announce


def _key(claim: Claimant | ClaimHeard | SpeakerState) -> tuple[bool, int]:
    """Precedence: with a line before without, then the smaller rank."""
    return claim.line_at is None, claim.rank


# Guards -----------------------------------------------------------------------------------------


def _ready(state: SpeakerState, _event: Tick, now: float) -> bool:
    if not state.incident_id or state.joined_from is None or not state.restored:
        return False
    lease_s = state.timings.speaker_lease_s
    alone = now >= state.booted_at + 2 * lease_s
    return now >= state.booted_at + lease_s and (state.fetched or alone)


def _claim_counts(state: SpeakerState, event: ClaimHeard, _now: float) -> bool:
    return event.agent not in state.muted and _counts(state, event.line_at)


def _claimed(state: SpeakerState, _event: Tick, now: float) -> bool:
    claimant = state.claimant
    if claimant is None or not _counts(state, claimant.line_at):
        return False
    return now < state.heard_at + state.timings.speaker_lease_s


def _timer_may(state: SpeakerState, _event: Tick, now: float) -> bool:
    return now >= state.waiting_until and state.may_announce and state.line_at is None


def _timer(state: SpeakerState, _event: Tick, now: float) -> bool:
    return now >= state.waiting_until


def _unsaid(state: SpeakerState, _event: Tick, _now: float) -> bool:
    return state.may_announce and state.line_at is None


def _outranked(state: SpeakerState, event: ClaimHeard, _now: float) -> bool:
    return event.agent not in state.muted and _key(event) < _key(state)


def _repeat_due(state: SpeakerState, _event: ClaimHeard, now: float) -> bool:
    if state.line_at is None or not state.may_repeat:
        return False
    return now >= max(state.line_at, state.repeated_at) + state.timings.repeat_line_s


def _claim_due(state: SpeakerState, _event: Tick, now: float) -> bool:
    return now >= state.claim_at


def _stalled(state: SpeakerState, event: Stalled, _now: float) -> bool:
    return event.gap_s > state.timings.self_stall_s


def _no_claim(state: SpeakerState, _event: Tick, now: float) -> bool:
    return now >= state.heard_at + state.timings.speaker_lease_s


def _lineless(state: SpeakerState, _event: Tick, _now: float) -> bool:
    return state.claimant is not None and not _counts(state, state.claimant.line_at)


def _mute(state: SpeakerState, _event: Tick, now: float) -> bool:
    claimant = state.claimant
    if claimant is None or claimant.line_at is None:
        return False
    # A liar may state what it likes: a line is not older than the incident, and who had joined
    # two leases before that opened here was there for it. But who learns of the incident late, as
    # its mesh was cut, has seen the line before that.
    lease_s = state.timings.speaker_lease_s
    line_at = max(claimant.line_at, state.open_from - 2 * lease_s)
    if state.joined_from is None or state.joined_from >= line_at:
        return False  # it may have spoken before we came
    said_at = max(claimant.line_at, state.open_from - LEARNT_LATE_S) - lease_s
    if any(seen.agent == claimant.agent and seen.at >= said_at for seen in state.seen):
        return False
    return now >= claimant.line_from + state.timings.speaker_lease_s


def _unmutes(state: SpeakerState, event: LineSeen, _now: float) -> bool:
    return event.agent in state.muted


def _closed(_state: SpeakerState, event: IncidentSeen, _now: float) -> bool:
    return not event.id


def _hush_over(state: SpeakerState, _event: Tick, now: float) -> bool:
    return now >= state.hushed_until


def _line_new(state: SpeakerState, _event: LineSaid | LineRefused, _now: float) -> bool:
    return state.line_at is not None


# Actions of the rows ----------------------------------------------------------------------------


def _wait(state: SpeakerState, _event: Tick, now: float) -> Done:
    return replace(state, waiting_until=now + state.rank * state.timings.rank_stagger_s), []


def _wait_unheard(state: SpeakerState, event: Tick, now: float) -> Done:
    return _wait(replace(state, claimant=None, heard_at=NEVER), event, now)


def _wait_muting(state: SpeakerState, event: Tick, now: float) -> Done:
    if state.claimant is not None and len(state.muted) < MAX_MUTED:
        state = replace(state, muted=state.muted | {state.claimant.agent})
    return _wait_unheard(state, event, now)


def _nothing(state: SpeakerState, _event: object, _now: float) -> Done:
    return state, []


def _claim(state: SpeakerState, _event: Tick, now: float) -> Done:
    claim = SendClaim(state.network, state.incident_id, state.rank, state.line_at)
    return replace(state, claim_at=now + state.timings.claim_every_s), [claim]


def _announce(state: SpeakerState, event: Tick, now: float) -> Done:
    state, claim = _claim(replace(state, line_at=now), event, now)
    return state, [Announce(state.network, state.incident_id), *claim]


def _keep_line(state: SpeakerState, _event: LineSaid, _now: float) -> Done:
    assert state.line_at is not None
    kept = Persist(LineFact(state.network, state.incident_id, state.line_at))
    push = [] if state.pushed else [Push(state.network, state.incident_id)]
    return replace(state, pushed=True), [kept, *push]


def _unsay(state: SpeakerState, _event: LineRefused, _now: float) -> Done:
    kept = Persist(LineFact(state.network, state.incident_id, NEVER))
    return replace(state, line_at=None), [kept]


def _stop(state: SpeakerState, _event: object, _now: float) -> Done:
    return state, [StopTalking(state.network)]


def _repeat(state: SpeakerState, _event: ClaimHeard, now: float) -> Done:
    return replace(state, repeated_at=now), [RepeatLine(state.network, state.incident_id)]


def _hush(state: SpeakerState, _event: Stalled, now: float) -> Done:
    return replace(state, hushed_until=now + state.timings.speaker_lease_s), []


def _lease_anew(state: SpeakerState, _event: Stalled, now: float) -> Done:
    return replace(state, heard_at=now), []


def _unmute(state: SpeakerState, event: LineSeen, _now: float) -> Done:
    return replace(state, muted=state.muted - {event.agent}), []


def _forget(state: SpeakerState, _event: IncidentSeen, _now: float) -> Done:
    state = replace(
        state,
        incident_id="",
        open_from=NEVER,
        may_announce=False,
        may_repeat=False,
        line_at=None,
        pushed=False,
        claimant=None,
        heard_at=NEVER,
        muted=frozenset(),
        repeated_at=NEVER,
    )
    return state, []


# The table --------------------------------------------------------------------------------------

_Q, _W = frozenset({Phase.QUIET}), frozenset({Phase.WAITING})
_S, _F = frozenset({Phase.SPEAKING}), frozenset({Phase.FOLLOWING})
_H, _ANY = frozenset({Phase.HUSHED}), frozenset(Phase)

TABLE: Table[SpeakerState, Action] = Table(
    "speaker",
    Tick,
    [
        Row(_Q, Tick, _ready, Phase.WAITING, _wait,
            "incident open, network joined [after a restart: one lease has passed and tombstones"
            " are fetched] | timer rank x 2 s"),
        Row(_W, ClaimHeard, _claim_counts, Phase.FOLLOWING, _nothing,
            "CLAIM for this network [claimant not marked mute]; wins over the timer"
            " | keep journal, serve claims"),
        Row(_W, Tick, _claimed, Phase.FOLLOWING, _nothing,
            "a CLAIM heard within the lease | keep journal, serve claims",
            "rank 0's timer is over before the next CLAIM can win"),
        Row(_W, Tick, _timer_may, Phase.SPEAKING, _announce,
            "timer [may announce, no line of ours here] | announce, push, CLAIM every second,"
            " through RECOVERING too"),
        Row(_W, Tick, _timer, Phase.SPEAKING, _claim, "timer [may not announce] | CLAIM only"),
        Row(_S, Tick, _unsaid, Phase.SPEAKING, _announce,
            "may announce becomes true [no line here] | announce"),
        Row(_S, ClaimHeard, _outranked, Phase.FOLLOWING, _stop,
            "CLAIM of a smaller rank [not marked mute; a line outranks none] | stop talking"),
        Row(_S, ClaimHeard, _repeat_due, None, _repeat,
            "any other CLAIM for this network | repeat the line, at most once a minute"),
        Row(_S, Tick, _claim_due, None, _claim, "every second | CLAIM"),
        Row(_ANY, LineSaid, _line_new, None, _keep_line,
            "our line is written | persist it; then push it, once for the incident",
            "a line that was only meant to be said must be said after a restart"),
        Row(_ANY, LineRefused, _line_new, None, _unsay,
            "our line is refused | it does not stand; persist that",
            "who is heard again later would take it for said"),
        Row(_S, NetworkLost, always, Phase.QUIET, _stop,
            "network lost, or it bans us | no CLAIM: the next rank takes this network"),
        Row(_W | _F | _H, NetworkLost, always, Phase.QUIET, _nothing, "network lost | nothing",
            "else a timer makes us speak where we are not"),
        Row(_S | _W | _H, Stalled, _stalled, Phase.HUSHED, _hush,
            "own stall > 2 s | silent for one lease"),
        Row(_H, Tick, _hush_over, Phase.WAITING, _wait, "the lease is over | timer rank x 2 s"),
        Row(_F, Stalled, _stalled, None, _lease_anew, "own stall > 2 s | a lease anew",
            "CLAIMs we slept through are not CLAIMs that failed to come"),
        Row(_F, Tick, _mute, Phase.WAITING, _wait_muting,
            "6 s of CLAIM and no line of the claimant in the lobby [we were joined at the line's"
            " time, which CLAIM carries] | mark the claimant mute: its claims don't count here"),
        Row(_F, Tick, _no_claim, Phase.WAITING, _wait_unheard,
            "no CLAIM for 6 s | timer rank x 2 s"),
        Row(_F, Tick, _lineless, Phase.WAITING, _wait_unheard,
            "may announce here, and the claimant has no line | timer rank x 2 s",
            "an agent that may not announce would keep silent one that may"),
        Row(_ANY, LineSeen, _unmutes, None, _unmute, "a line of a muted claimant seen | unmark"),
        Row(_ANY, IncidentSeen, _closed, Phase.QUIET, _forget, "incident closed | nothing"),
    ],
)  # fmt: skip
