"""The incident table: one row per row of the specification, read from the top. Pure."""

from __future__ import annotations

from fallback.incident import deeds as do, guards as on
from fallback.incident.guards import may_announce, may_repeat
from fallback.incident.restoring import restored_none, restored_open, restored_recovering
from fallback.incident.values import (
    Action,
    CloseAcked,
    Declared,
    Dismissed,
    DrillOrdered,
    Event,
    HeldOrdered,
    IncidentState,
    Kind,
    Line,
    PeerClosed,
    PeerIncident,
    Phase,
    Restored,
    Spoken,
    StanddownOrdered,
    Tick,
    VotersKnown,
)
from fallback.tables import Row, Table, always

__all__ = ["TABLE", "may_announce", "may_repeat", "step", "wake_at"]

Done = tuple[IncidentState, list[Action]]
MAX_STEPS = 4  # rows that may follow from one event: NONE, OPEN solo, OPEN quorum, RECOVERING


def step(state: IncidentState, event: Event, now: float) -> Done:
    """The incident after `event` at `now`, and what the shell is to do, in order.

    What is true by now (the rows on time) is looked at after every event, not only at ticks.
    """
    state = on.note(state, event, now)
    actions: list[Action] = []
    if not isinstance(event, Tick):
        state, actions = TABLE.run(state, event, now)
    for _ in range(MAX_STEPS):
        before = state
        state, more = TABLE.run(state, _TICK, now)
        actions += more
        if state is before:
            break
    return state, actions


_TICK = Tick()


def wake_at(state: IncidentState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    t, sight = state.timings, state.sight
    due = [b.heard_at + t.vote_ttl_s for b in state.ballots]
    due += [sight.silent_from + t.suspect_s, sight.heard_at + t.suspect_s]
    due += [sight.silent_from + t.solo_after_s]
    due += [shown.at + t.solo_after_s for shown in state.shown]
    if state.phase is not Phase.NONE or state.stood_down:
        due += [sight.steady_from + t.primary_back_notice_s]
        due += [sight.steady_from + t.auto_standdown_s, sight.silent_from + t.declare_s]
        due += [state.order_at + t.standdown_after_s, state.held_until]
        due += [state.operator_at + t.operator_max_s, state.drill_ends]
    return min((at for at in due if at > now), default=float("inf"))


# The table --------------------------------------------------------------------------------------

_NONE, _OPEN = frozenset({Phase.NONE}), frozenset({Phase.OPEN})
_REC, _ANY = frozenset({Phase.RECOVERING}), frozenset(Phase)

TABLE: Table[IncidentState, Action] = Table(
    "incident",
    Tick,
    [
        Row(_NONE, Restored, restored_open, Phase.OPEN, do.restore,
            "restart, the store has an open incident | go on with the same incident",
            "the specification says so in prose"),
        Row(_NONE, Restored, restored_recovering, Phase.RECOVERING, do.restore,
            "restart, the store has a recovering incident | go on with the same incident",
            "the specification says so in prose"),
        Row(_NONE, Restored, restored_none, None, do.restore,
            "restart | tombstones and stand-down from the store",
            "the specification says so in prose"),
        Row(_NONE, Tick, on.k_votes, Phase.OPEN, do.open_quorum,
            ">= k fresh votes [not stood down by hand; no A here] | OPEN quorum: propose id; the"
            " line states the weaker verdict (service) where they differ"),
        Row(_NONE, Tick, on.solo, Phase.OPEN, do.open_solo,
            "solo: own verdict, 60 s without A, all landmarks fresh, and in that time no voter"
            " showed A or a valid maintenance [not stood down by hand] | OPEN solo"),
        Row(_NONE, Tick, on.solo_unasked, None, do.ask_confirm,
            'the same [solo = "ask"] | ops notice: waits for !confirm'),
        Row(_NONE, Tick, on.asked_over, None, do.asked_over, "A [ops were asked] | ask anew later",
            "else a second outage would ask nobody"),
        Row(_NONE, Declared, always, Phase.OPEN, do.open_operator,
            "admin !declare or !confirm | OPEN operator"),
        Row(_NONE, DrillOrdered, on.drill_ahead, Phase.OPEN, do.open_drill,
            "signed drill order | OPEN drill"),
        Row(_NONE, PeerIncident, on.adoptable_recovering, Phase.RECOVERING, do.adopt_recovering,
            "a peer's incident, RECOVERING [own A for 60 s, and as below]"
            ' | adopt id, kind, "spoken"'),
        Row(_NONE, PeerIncident, on.adoptable, Phase.OPEN, do.adopt_open,
            "a peer's incident [not tombstoned; operator, or no A here for 60 s and not stood down"
            ' by hand] | adopt id, kind, "spoken"'),
        Row(_NONE, Tick, on.stood_down_again, None, do.tell_stood_down,
            "k votes or solo [stood down by hand] | ops notice; !declare overrides"),
        Row(_NONE, Tick, on.stood_down_over, None, do.stand_up,
            "A for 60 s [stood down by hand] | no longer stood down"),
        Row(_OPEN | _REC, PeerIncident, on.differs, None, do.merge,
            "another id of a peer [not tombstoned] | smaller id; kind operator > quorum > solo;"
            ' "spoken" is or-ed'),
        Row(_ANY, PeerIncident, on.tombstoned, None, do.correct,
            "a peer's incident [tombstoned] | CLOSED(id) to it",
            "a peer cut off at the closing would keep the incident alone"),
        Row(_OPEN, Tick, on.unspoken_votes_gone, Phase.NONE, do.drop,
            "votes < k [quorum, nobody has spoken] | say nothing"),
        Row(_OPEN, Tick, on.unspoken_solo_heard, Phase.NONE, do.drop,
            "A [solo, nobody has spoken] | say nothing"),
        Row(_OPEN, Tick, on.solo_confirmed, Phase.OPEN, do.rise(Kind.QUORUM),
            ">= k votes [solo] | OPEN quorum: same id"),
        Row(_OPEN, Tick, on.drill_turned_real, Phase.OPEN, do.rise(Kind.QUORUM, line=Line.WORSE),
            ">= k real votes [drill; no A here, no MAINTENANCE] | OPEN quorum: promote, say so"),
        Row(_OPEN, Tick, on.back_60s, Phase.RECOVERING, do.recover,
            "A for 60 s [quorum, solo] | say once: primary is back, staying until 300 s stable"),
        Row(_REC, Tick, on.silent_again, Phase.OPEN, do.relapse,
            "20 s without A [self-check good; not in MAINTENANCE] | same incident;"
            ' "unreachable again since ..."'),
        Row(_REC, Tick, on.stable, Phase.NONE, do.close_own,
            "300 s of A, no !hold | CLOSED(id), last line, devoice; journal kept as data"),
        Row(_OPEN | _REC, Tick, on.standdown_due, Phase.NONE, do.close_ordered,
            "!standdown + 60 s, no !hold | CLOSED(id) by hand, whatever the id;"
            ' persist "stood down"'),
        Row(_OPEN | _REC, StanddownOrdered, on.orderable, None, do.order,
            "!standdown [no !hold runs] | persist and replicate the order and its time; say so"),
        Row(_OPEN | _REC, StanddownOrdered, on.order_held, None, do.refuse_order,
            "!standdown [a !hold runs] | say that it is held", "two admins may disagree"),
        Row(_OPEN | _REC, HeldOrdered, on.holdable, None, do.hold,
            "!hold | drop a waiting order and say so, persist and replicate"),
        Row(_OPEN | _REC, PeerClosed, on.closed_ours, Phase.NONE, do.close_heard,
            "CLOSED(id) of a peer, automatic [not: own DOWN and k votes] | tombstone"),
        Row(_OPEN | _REC, PeerClosed, on.closed_too_early, Phase.OPEN, do.go_on,
            "CLOSED(id) of a peer, automatic [own DOWN and k votes] | tombstone; go on as quorum"
            " under a new id without a new line"),
        Row(_OPEN | _REC, PeerClosed, on.closed_by_hand, Phase.NONE, do.close_heard,
            "CLOSED of a peer, by hand [open when the order was given] | tombstone, whatever the"
            ' id; persist "stood down"',
            "the order itself may have been lost on the way"),
        Row(_NONE, PeerClosed, on.closed_by_hand_elsewhere, None, do.stand_down_elsewhere,
            "CLOSED of a peer, by hand [still in force] | tombstone; persist \"stood down\"",
            "else this agent would open what an admin has just closed"),
        Row(_ANY, PeerClosed, on.closed_other, None, do.keep_closed,
            "CLOSED of another incident | tombstone, ack",
            "it must not be adopted from a third agent later"),
        Row(_ANY, PeerClosed, on.tombstoned, None, do.ack_closed,
            "CLOSED, known already | ack", "the first ack may have been lost"),
        Row(_ANY, CloseAcked, on.acked_new, None, do.ack, "a voter acked our CLOSED | persist"),
        Row(_ANY, VotersKnown, on.closing_unheard, None, do.tell_again,
            "the voters are known [one has not acked a CLOSED] | CLOSED(id) again",
            "gossiped until every voter has acked, so after a restart, too"),
        Row(_OPEN, Tick, on.operator_over_votes, Phase.OPEN, do.rise(Kind.QUORUM),
            "12 h [operator; k votes] | OPEN quorum: same id"),
        Row(_OPEN, Tick, on.operator_over, Phase.NONE, do.close_own,
            "12 h [operator; else] | CLOSED(id)"),
        Row(_OPEN, Tick, on.drill_over, Phase.NONE, do.close_own,
            "its end [drill] | CLOSED(id)"),
        Row(_OPEN | _REC, Declared, on.declared_over, Phase.OPEN, do.declare_over,
            "admin !declare or !confirm [solo, drill or recovering] | OPEN operator",
            "an admin's word must not be lost on an incident that may close by itself"),
        Row(_OPEN | _REC, Dismissed, on.not_ours, Phase.NONE, do.withdraw,
            "the roster names us no more [not by an operator], or calls us a witness"
            " | last line, devoice; no CLOSED",
            "cut off when it was removed, it may have announced alone, and hears no A to close by"),
        Row(_OPEN, Spoken, on.unspoken, None, do.speak,
            'a speaker of this agent announces | persist and gossip "spoken"'),
    ],
)  # fmt: skip
