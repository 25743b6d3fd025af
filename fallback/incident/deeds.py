"""What each row of the incident table does: facts first, then what others hear. Pure.

A fact is persisted before it is gossiped or said, so that an agent killed in between says after
its restart nothing that it has forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fallback.actions import Persist, TellOps
from fallback.incident import guards as on
from fallback.incident.restoring import restorable
from fallback.incident.values import (
    MAX_TOMBSTONES,
    AckClosed,
    Action,
    CloseAcked,
    Declared,
    Devoice,
    Dismissed,
    DrillOrdered,
    Gossip,
    HeldOrdered,
    IncidentFact,
    IncidentState,
    Kind,
    Line,
    PeerClosed,
    PeerIncident,
    Phase,
    RelayOrder,
    Restored,
    Say,
    SendClosed,
    Spoken,
    StanddownFact,
    StanddownOrdered,
    StoodDownFact,
    Tick,
    Tombstone,
    TombstoneFact,
    VotersKnown,
)
from fallback.watch import NEVER

Done = tuple[IncidentState, list[Action]]


def fact(state: IncidentState, phase: Phase) -> Persist:
    return Persist(
        IncidentFact(
            state.id,
            state.kind,
            phase is Phase.RECOVERING,
            state.spoken,
            state.verdict,
            state.silent_from,
            state.opened_at,
            state.operator_at,
            state.drill_ends,
        )
    )


def open(state: IncidentState, kind: Kind, now: float, *, id: str = "") -> Done:
    state = replace(
        state,
        id=id or on.propose(state, now),
        kind=kind,
        spoken=False,
        verdict=on.weaker(state, now),
        silent_from=on.silent_since(state, now),
        opened_at=now,
        operator_at=now if kind is Kind.OPERATOR else NEVER,
    )
    return state, [fact(state, Phase.OPEN), Gossip()]


def open_quorum(state: IncidentState, _event: Tick, now: float) -> Done:
    return open(state, Kind.QUORUM, now)


def open_solo(state: IncidentState, _event: Tick, now: float) -> Done:
    return open(state, Kind.SOLO, now)


def open_operator(state: IncidentState, _event: Declared, now: float) -> Done:
    state, actions = open(replace(state, stood_down=False), Kind.OPERATOR, now)
    return state, [Persist(StoodDownFact(False)), *actions]


def open_drill(state: IncidentState, event: DrillOrdered, now: float) -> Done:
    return open(replace(state, drill_ends=event.ends), Kind.DRILL, now, id=event.id)


def ask_confirm(state: IncidentState, _event: Tick, _now: float) -> Done:
    text = "unreachable from here, seen by this agent alone; `!confirm` announces it"
    return replace(state, asked=True), [TellOps(text)]


def asked_over(state: IncidentState, _event: Tick, _now: float) -> Done:
    return replace(state, asked=False), []


def adopt(state: IncidentState, event: PeerIncident, now: float, phase: Phase) -> Done:
    state = replace(
        state,
        id=event.id,
        kind=event.kind,
        spoken=event.spoken,
        verdict=event.verdict,
        silent_from=event.silent_from,
        opened_at=now,
        operator_at=now if event.kind is Kind.OPERATOR else NEVER,
        drill_ends=event.drill_ends,
    )
    actions: list[Action] = [fact(state, phase), Gossip()]
    if state.stood_down:  # only an operator's is adopted then
        state = replace(state, stood_down=False)
        actions.insert(0, Persist(StoodDownFact(False)))
    return state, actions


def adopt_open(state: IncidentState, event: PeerIncident, now: float) -> Done:
    return adopt(state, event, now, Phase.OPEN)


def adopt_recovering(state: IncidentState, event: PeerIncident, now: float) -> Done:
    return adopt(state, event, now, Phase.RECOVERING)


def tell_stood_down(state: IncidentState, _event: Tick, _now: float) -> Done:
    text = "unreachable from here, but stood down by hand; `!declare REASON` overrides"
    return replace(state, stood_down_told=True), [TellOps(text)]


def stand_up(state: IncidentState, _event: Tick, _now: float) -> Done:
    state = replace(state, stood_down=False, stood_down_told=False)
    return state, [Persist(StoodDownFact(False))]


def merge(state: IncidentState, event: PeerIncident, now: float) -> Done:
    promoted = state.kind is Kind.DRILL and event.kind > Kind.DRILL
    operator = event.kind is Kind.OPERATOR and state.kind is not Kind.OPERATOR
    state = replace(
        state,
        id=min(state.id, event.id),
        kind=max(state.kind, event.kind),
        spoken=state.spoken or event.spoken,
        operator_at=now if operator else state.operator_at,
    )
    said: list[Action] = [Say(Line.WORSE, state.silent_from)] if promoted else []
    return state, [fact(state, state.phase), Gossip(), *said]


def correct(state: IncidentState, event: PeerIncident, _now: float) -> Done:
    stone = on.tombstone(state, event.id)
    return state, [SendClosed(stone, state.stood_down)] if stone else []


def cleared(state: IncidentState) -> IncidentState:
    return replace(
        state,
        id="",
        spoken=False,
        order_at=NEVER,
        held_until=NEVER,
        hold_at=NEVER,
        operator_at=NEVER,
        drill_ends=NEVER,
        asked=False,
    )


def ended(state: IncidentState) -> Done:
    """No incident any more. An order or a hold was for this one: kept, it would close the next
    after a restart."""
    ordered = state.order_at != NEVER or state.held_until != NEVER
    state = cleared(state)
    return state, [*([orders(state)] if ordered else []), fact(state, Phase.NONE)]


def drop(state: IncidentState, _event: Tick, _now: float) -> Done:
    return ended(state)


def withdraw(state: IncidentState, _event: Dismissed, _now: float) -> Done:
    """Without a closing: who are agents still go on, and what they go on with is not over."""
    state, actions = ended(state)
    return state, [*actions, Say(Line.WITHDRAWN), Devoice()]


def rise(kind: Kind, *, line: Line | None = None) -> Callable[[IncidentState, Tick, float], Done]:
    def rise(state: IncidentState, _event: Tick, now: float) -> Done:
        state = replace(state, kind=kind, verdict=on.weaker(state, now))
        if line is not None:
            state = replace(state, silent_from=on.silent_since(state, now))
        said: list[Action] = [Say(line, state.silent_from)] if line else []
        return state, [fact(state, Phase.OPEN), Gossip(), *said]

    return rise


def recover(state: IncidentState, _event: Tick, _now: float) -> Done:
    facts: list[Action] = [fact(state, Phase.RECOVERING), Gossip()]
    return state, [*facts, Say(Line.BACK, state.sight.steady_from)]


def relapse(state: IncidentState, _event: Tick, _now: float) -> Done:
    state = replace(state, silent_from=state.sight.silent_from)
    return state, [fact(state, Phase.OPEN), Gossip(), Say(Line.AGAIN, state.silent_from)]


def bury(state: IncidentState, stone: Tombstone) -> tuple[IncidentState, Persist]:
    stones = sorted((*state.tombstones, stone), key=lambda old: old.id)[-MAX_TOMBSTONES:]
    return replace(state, tombstones=tuple(stones)), Persist(TombstoneFact(stone))


def close(state: IncidentState, stone: Tombstone) -> Done:
    """In this order: whoever is killed in between closes it again, or has closed it."""
    facts: list[Action] = []
    if stone.by_hand:
        state = replace(state, stood_down=True, stood_down_told=False)
        facts.append(Persist(StoodDownFact(True)))
    state, persist = bury(state, stone)
    state, actions = ended(state)
    return state, [*facts, persist, *actions]


def close_own(state: IncidentState, _event: Tick, now: float) -> Done:
    stone = Tombstone(state.id, False, now)
    state, actions = close(state, stone)
    return state, [*actions, SendClosed(stone, False), Say(Line.LAST), Devoice()]


def close_ordered(state: IncidentState, _event: Tick, _now: float) -> Done:
    stone = Tombstone(state.id, True, state.order_at)
    state, actions = close(state, stone)
    return state, [*actions, SendClosed(stone, True), Say(Line.LAST), Devoice()]


def close_heard(state: IncidentState, event: PeerClosed, _now: float) -> Done:
    current = state.id
    heard = Tombstone(event.id, event.by_hand, event.at, frozenset({event.agent}))
    state, actions = close(state, heard)
    if current != event.id:  # by hand, whatever the id: ours is closed with it
        stone = Tombstone(current, event.by_hand, event.at)
        state, persist = bury(state, stone)
        actions += [persist, SendClosed(stone, state.stood_down)]
    return state, [*actions, AckClosed(event.agent, event.id), Say(Line.LAST), Devoice()]


def keep_closed(state: IncidentState, event: PeerClosed, _now: float) -> Done:
    heard = Tombstone(event.id, event.by_hand, event.at, frozenset({event.agent}))
    state, persist = bury(state, heard)
    return state, [persist, AckClosed(event.agent, event.id)]


def stand_down_elsewhere(state: IncidentState, event: PeerClosed, now: float) -> Done:
    state, actions = keep_closed(state, event, now)
    state = replace(state, stood_down=True, stood_down_told=False)
    return state, [actions[0], Persist(StoodDownFact(True)), *actions[1:]]


def ack_closed(state: IncidentState, event: PeerClosed, _now: float) -> Done:
    return state, [AckClosed(event.agent, event.id)]


def go_on(state: IncidentState, event: PeerClosed, now: float) -> Done:
    heard = Tombstone(event.id, event.by_hand, event.at, frozenset({event.agent}))
    state, persist = bury(state, heard)
    state = replace(state, kind=Kind.QUORUM, operator_at=NEVER)
    state = replace(state, id=on.propose(state, now))
    actions: list[Action] = [persist, fact(state, Phase.OPEN), Gossip()]
    return state, [*actions, AckClosed(event.agent, event.id)]


def declare_over(state: IncidentState, _event: Declared, now: float) -> Done:
    promoted = state.kind is Kind.DRILL
    state = replace(state, kind=Kind.OPERATOR, operator_at=now)
    said: list[Action] = [Say(Line.WORSE, state.silent_from)] if promoted else []
    return state, [fact(state, Phase.OPEN), Gossip(), *said]


def orders(state: IncidentState) -> Persist:
    return Persist(StanddownFact(state.order_at, state.held_until))


def order(state: IncidentState, event: StanddownOrdered, _now: float) -> Done:
    state = replace(state, order_at=event.at)
    told: list[Action] = [TellOps("closing in 60s; !hold to stop"), Say(Line.CLOSING)]
    return state, [orders(state), RelayOrder(event), *told]


def refuse_order(state: IncidentState, _event: StanddownOrdered, _now: float) -> Done:
    return state, [TellOps("held; !standdown again when the hold is over")]


def hold(state: IncidentState, event: HeldOrdered, _now: float) -> Done:
    said: list[Action] = [Say(Line.HELD, event.until)] if state.order_at != NEVER else []
    state = replace(state, order_at=NEVER, held_until=event.until, hold_at=event.at)
    return state, [orders(state), RelayOrder(event), *said]


def speak(state: IncidentState, _event: Spoken, _now: float) -> Done:
    state = replace(state, spoken=True)
    return state, [fact(state, state.phase), Gossip()]


def ack(state: IncidentState, event: CloseAcked, _now: float) -> Done:
    stones = tuple(
        replace(stone, acked=stone.acked | {event.voter}) if stone.id == event.id else stone
        for stone in state.tombstones
    )
    stone = next(stone for stone in stones if stone.id == event.id)
    return replace(state, tombstones=stones), [Persist(TombstoneFact(stone))]


def tell_again(state: IncidentState, _event: VotersKnown, _now: float) -> Done:
    return state, [SendClosed(stone, state.stood_down) for stone in on.unheard(state)]


def restore(state: IncidentState, event: Restored, now: float) -> Done:
    state = replace(
        state,
        booted_at=now,
        tombstones=event.tombstones,
        stood_down=event.stood_down,
    )
    known, order = restorable(event), event.order or StanddownFact(NEVER, NEVER)
    if known is None:
        return state, [fact(state, Phase.NONE)] if event.incident else []
    state = replace(
        state,
        id=known.id,
        kind=known.kind,
        spoken=known.spoken,
        verdict=known.verdict,
        silent_from=known.silent_from,
        opened_at=known.opened_at,
        operator_at=known.operator_at,
        drill_ends=known.drill_ends,
        order_at=order.at,
        held_until=order.held_until,
    )
    return state, [Gossip()]
