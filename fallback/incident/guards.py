"""What an incident machine concludes from what it holds: facts an event adds, and guards. Pure.

Every comparison of times is written `now >= since + wait`, the same sum that `wake_at` returns.
"""

from __future__ import annotations

import re
from dataclasses import replace

from fallback import watch
from fallback.incident.values import (
    MAX_RETOLD,
    MAX_VOTERS,
    TOMBSTONE_AGE_S,
    Ballot,
    CloseAcked,
    Declared,
    Dismissed,
    DrillOrdered,
    Event,
    HeldOrdered,
    IncidentState,
    Kind,
    PeerClosed,
    PeerIncident,
    Phase,
    Shown,
    Spoken,
    Stalled,
    StanddownOrdered,
    Tick,
    Tombstone,
    VoteHeard,
    VoterShows,
    VotersKnown,
    VoteWithdrawn,
    Watched,
)
from fallback.timings import Solo
from fallback.watch import NEVER, Verdict

ID = re.compile(r"[0-9a-f]{12}\.[A-Za-z0-9_-]{1,32}", re.ASCII)
MAX_SKEW_S = 3600.0  # an id from further in the future is no id of ours


def proposed_at(incident_id: str) -> float:
    """When it was first proposed, in epoch seconds on the proposer's clock."""
    return int(incident_id[:12], 16) / 1000.0


def began(state: IncidentState) -> float:
    """Since when it is open, on our clock: an id proposed where the clock is ahead is no later."""
    return min(proposed_at(state.id), state.opened_at)


def propose(state: IncidentState, now: float) -> str:
    """A new id: by time, then by name, so that the smaller of two is the earlier."""
    at = int(now * 1000)
    while is_tombstoned(state, f"{at:012x}.{state.me}"):
        at += 1
    return f"{at:012x}.{state.me}"


def sane(incident_id: str, now: float) -> bool:
    """An id in our form, not from the future nor older than our tombstones reach."""
    if not ID.fullmatch(incident_id):
        return False
    return now - TOMBSTONE_AGE_S < proposed_at(incident_id) < now + MAX_SKEW_S


def tombstone(state: IncidentState, incident_id: str) -> Tombstone | None:
    """The tombstone of this incident, if we have heard of its closing."""
    return next((stone for stone in state.tombstones if stone.id == incident_id), None)


def is_tombstoned(state: IncidentState, incident_id: str) -> bool:
    return tombstone(state, incident_id) is not None


# Facts noted before the rows are read -----------------------------------------------------------


def note(state: IncidentState, event: Event, now: float) -> IncidentState:
    """The state with what `event` says written down; transitions are the table's."""
    match event:
        case Watched(sight):
            return state if sight == state.sight else replace(state, sight=sight)
        case VoteHeard(voter, verdict, silent_from, drill):
            if drill or now < state.deaf_until:
                return state
            ballots = [b for b in state.ballots if b.voter != voter][-MAX_VOTERS + 1 :]
            ballots.append(Ballot(voter, verdict, silent_from, now))
            return replace(state, ballots=tuple(ballots))
        case VoteWithdrawn(voter):
            return replace(state, ballots=tuple(b for b in state.ballots if b.voter != voter))
        case VoterShows(voter, at):
            shown = [s for s in state.shown if s.voter != voter][-MAX_VOTERS + 1 :]
            return replace(state, shown=(*shown, Shown(voter, min(at, now))))
        case VotersKnown(voters):
            return replace(state, voters=voters)
        case Stalled(gap_s) if gap_s > state.timings.self_stall_s:
            # What the socket's buffer kept while we slept says nothing about now.
            deaf_until = now + state.timings.deaf_after_stall_s
            return replace(state, ballots=(), deaf_until=deaf_until)
        case _:
            return state


# What holds -------------------------------------------------------------------------------------


def fresh(state: IncidentState, now: float) -> list[Ballot]:
    """The votes no older than `vote_ttl_s`."""
    return [b for b in state.ballots if now < b.heard_at + state.timings.vote_ttl_s]


def quorum(state: IncidentState, now: float) -> bool:
    return len(fresh(state, now)) >= state.timings.k


def a_here(state: IncidentState, now: float) -> bool:
    """A within `suspect_s`."""
    return now < state.sight.heard_at + state.timings.suspect_s


def no_a_here(state: IncidentState, now: float) -> bool:
    """We have listened for `suspect_s` and heard no A (a fresh clock proves nothing yet)."""
    listening = state.sight.phase is not watch.Phase.BOOTING
    return listening and now >= state.sight.silent_from + state.timings.suspect_s


def a_for(state: IncidentState, wait_s: float, now: float) -> bool:
    """A has come for `wait_s`, without a gap of `suspect_s`."""
    steady = state.sight.steady_from
    return steady != NEVER and now >= steady + wait_s and a_here(state, now)


def no_a_for_60s(state: IncidentState, now: float) -> bool:
    """No A for `primary_back_notice_s`, nor did we start more recently."""
    last = max(state.sight.heard_at, state.booted_at)
    return now >= last + state.timings.primary_back_notice_s


def checked(state: IncidentState, now: float) -> bool:
    return now < state.sight.checked_until


def in_maintenance(state: IncidentState) -> bool:
    return state.sight.phase is watch.Phase.MAINTENANCE


def own_down(state: IncidentState) -> bool:
    return state.sight.phase in watch.DOWN


def own_down_and_quorum(state: IncidentState, now: float) -> bool:
    return own_down(state) and quorum(state, now)


def alone(state: IncidentState, now: float) -> bool:
    """The solo rule. `solo_after_s` counts from the last A: counted from the verdict, it would
    break the 70 s that a lone agent is promised."""
    wait_s = state.timings.solo_after_s
    return (
        own_down(state)
        and now >= state.sight.silent_from + wait_s
        and state.sight.full
        and checked(state, now)
        and all(now >= shown.at + wait_s for shown in state.shown)
    )


def held(state: IncidentState, now: float) -> bool:
    return now < state.held_until


def weaker(state: IncidentState, now: float) -> Verdict:
    """The weaker verdict where the fresh votes differ; our own where we are alone."""
    said = {b.verdict for b in fresh(state, now)}
    if not said and state.sight.phase is watch.Phase.DOWN_SERVICE:
        said = {Verdict.HOME if state.sight.home else Verdict.SERVICE}
    weakest_first = (Verdict.HOME, Verdict.SERVICE)
    return next((verdict for verdict in weakest_first if verdict in said), Verdict.SITE)


def silent_since(state: IncidentState, now: float) -> float:
    """For the line: our own silence, else the latest that a voter states."""
    if no_a_here(state, now):
        return state.sight.silent_from
    return max((b.silent_from for b in fresh(state, now)), default=now)


def may_announce(state: IncidentState, now: float) -> bool:
    """No A here and (k fresh votes, or the solo rule), or operator, or drill; and not in
    MAINTENANCE, but by an operator (S2)."""
    if state.phase is not Phase.OPEN:
        return False
    if state.kind is Kind.OPERATOR:
        return True
    if in_maintenance(state):
        return False
    if state.kind is Kind.DRILL:
        return True
    lone = state.timings.solo is Solo.ANNOUNCE and alone(state, now)
    return no_a_here(state, now) and (quorum(state, now) or lone)


def may_repeat(state: IncidentState, now: float) -> bool:
    """A standing line may be said once more while it could be said anew, or in RECOVERING."""
    recovering = state.phase is Phase.RECOVERING and not in_maintenance(state)
    return recovering or may_announce(state, now)


# Guards of the rows -----------------------------------------------------------------------------


def k_votes(state: IncidentState, _event: Tick, now: float) -> bool:
    """Not while we hear A: it would recover, close and open again with the next vote."""
    return not state.stood_down and quorum(state, now) and no_a_here(state, now)


def solo(state: IncidentState, _event: Tick, now: float) -> bool:
    return not state.stood_down and state.timings.solo is Solo.ANNOUNCE and alone(state, now)


def solo_unasked(state: IncidentState, _event: Tick, now: float) -> bool:
    ask = state.timings.solo is Solo.ASK and not state.asked and not state.stood_down
    return ask and alone(state, now)


def stood_down_again(state: IncidentState, _event: Tick, now: float) -> bool:
    told = state.stood_down_told or not state.stood_down
    return not told and (quorum(state, now) or alone(state, now))


def stood_down_over(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.stood_down and a_for(state, state.timings.primary_back_notice_s, now)


def asked_over(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.asked and a_here(state, now)


def drill_ahead(state: IncidentState, event: DrillOrdered, now: float) -> bool:
    return now < event.ends and sane(event.id, now) and not is_tombstoned(state, event.id)


def adoptable(state: IncidentState, event: PeerIncident, now: float) -> bool:
    if is_tombstoned(state, event.id) or not sane(event.id, now):
        return False
    if event.kind is Kind.OPERATOR:
        return True
    if event.kind is Kind.QUORUM and not event.spoken and not quorum(state, now):
        return False  # the next tick would take it back: nobody has spoken and votes < k
    return not state.stood_down and no_a_for_60s(state, now)


def adoptable_recovering(state: IncidentState, event: PeerIncident, now: float) -> bool:
    back = a_for(state, state.timings.primary_back_notice_s, now)
    return event.recovering and back and adoptable(state, event, now)


def tombstoned(state: IncidentState, event: PeerIncident | PeerClosed, _now: float) -> bool:
    return is_tombstoned(state, event.id)


def differs(state: IncidentState, event: PeerIncident, now: float) -> bool:
    """A peer's incident that changes ours: smaller id, greater kind, or spoken."""
    if is_tombstoned(state, event.id) or not sane(event.id, now):
        return False
    if state.kind is Kind.DRILL and event.kind > Kind.DRILL and not adoptable(state, event, now):
        return False  # a drill becomes real by our own votes, or as NONE would
    return event.id < state.id or event.kind > state.kind or (event.spoken and not state.spoken)


def unspoken_votes_gone(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.kind is Kind.QUORUM and not state.spoken and not quorum(state, now)


def unspoken_solo_heard(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.kind is Kind.SOLO and not state.spoken and a_here(state, now)


def solo_confirmed(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.kind is Kind.SOLO and quorum(state, now)


def drill_turned_real(state: IncidentState, _event: Tick, now: float) -> bool:
    """The promotion is said aloud, so what forbids an announcement forbids it."""
    real = quorum(state, now) and no_a_here(state, now) and not in_maintenance(state)
    return state.kind is Kind.DRILL and real


def back_60s(state: IncidentState, _event: Tick, now: float) -> bool:
    real = state.kind in (Kind.QUORUM, Kind.SOLO)
    return real and a_for(state, state.timings.primary_back_notice_s, now)


def silent_again(state: IncidentState, _event: Tick, now: float) -> bool:
    silent = now >= state.sight.silent_from + state.timings.declare_s
    return silent and checked(state, now) and not in_maintenance(state)


def stable(state: IncidentState, _event: Tick, now: float) -> bool:
    return a_for(state, state.timings.auto_standdown_s, now) and not held(state, now)


def standdown_due(state: IncidentState, _event: Tick, now: float) -> bool:
    ordered = state.order_at != NEVER
    due = now >= state.order_at + state.timings.standdown_after_s
    return ordered and due and not held(state, now)


def operator_over_votes(state: IncidentState, event: Tick, now: float) -> bool:
    return operator_over(state, event, now) and quorum(state, now)


def operator_over(state: IncidentState, _event: Tick, now: float) -> bool:
    over = now >= state.operator_at + state.timings.operator_max_s
    return over and state.kind is Kind.OPERATOR


def drill_over(state: IncidentState, _event: Tick, now: float) -> bool:
    return state.kind is Kind.DRILL and now >= state.drill_ends


def closed_here(state: IncidentState, event: PeerClosed) -> bool:
    return event.id == state.id and not event.by_hand


def closed_ours(state: IncidentState, event: PeerClosed, now: float) -> bool:
    return closed_here(state, event) and not own_down_and_quorum(state, now)


def closed_too_early(state: IncidentState, event: PeerClosed, now: float) -> bool:
    return closed_here(state, event) and own_down_and_quorum(state, now)


def closed_by_hand(state: IncidentState, event: PeerClosed, now: float) -> bool:
    """An order to stand down reaches what was open when it was given, whatever the id."""
    if not event.by_hand or is_tombstoned(state, event.id) or not sane(event.id, now):
        return False
    return event.id == state.id or began(state) <= event.at + state.timings.standdown_after_s


def closed_by_hand_elsewhere(state: IncidentState, event: PeerClosed, now: float) -> bool:
    new = event.by_hand and sane(event.id, now) and not is_tombstoned(state, event.id)
    return new and event.in_force and not a_for(state, state.timings.primary_back_notice_s, now)


def closed_other(state: IncidentState, event: PeerClosed, now: float) -> bool:
    return sane(event.id, now) and not is_tombstoned(state, event.id)


def declared_over(state: IncidentState, _event: Declared, _now: float) -> bool:
    """The admin's word adds something: to a solo or drill, or while recovering."""
    return state.phase is Phase.RECOVERING or state.kind < Kind.QUORUM


def orderable(state: IncidentState, event: StanddownOrdered, now: float) -> bool:
    """A new order to stand down, given during this incident, and no hold runs."""
    known = event.at <= state.order_at
    ours = began(state) <= event.at + state.timings.standdown_after_s
    return not known and ours and not held(state, now)


def order_held(state: IncidentState, event: StanddownOrdered, now: float) -> bool:
    return held(state, now) and event.at > state.order_at


def holdable(state: IncidentState, event: HeldOrdered, now: float) -> bool:
    return event.until > now and event.at > state.hold_at


def not_ours(state: IncidentState, event: Dismissed, _now: float) -> bool:
    """No admin has declared it, or we shall not speak any more whatever happens."""
    return state.kind is not Kind.OPERATOR or event.still_votes


def unspoken(state: IncidentState, _event: Spoken, _now: float) -> bool:
    return not state.spoken


def acked_new(state: IncidentState, event: CloseAcked, _now: float) -> bool:
    stone = tombstone(state, event.id)
    return stone is not None and event.voter not in stone.acked


def unheard(state: IncidentState) -> list[Tombstone]:
    """The latest closings that a voter of the roster has not acked."""
    latest = sorted(state.tombstones, key=lambda stone: stone.at)[-MAX_RETOLD:]
    return [stone for stone in latest if state.voters - stone.acked]


def closing_unheard(state: IncidentState, _event: VotersKnown, _now: float) -> bool:
    return bool(unheard(state))
