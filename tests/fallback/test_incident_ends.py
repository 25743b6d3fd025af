"""How an incident recovers, is held, stood down and closed, here and at other agents."""

from __future__ import annotations

from typing import Any

from fallback import incident, watch
from fallback.actions import Persist, TellOps
from fallback.incident import (
    AckClosed,
    CloseAcked,
    Declared,
    Devoice,
    Dismissed,
    HeldOrdered,
    IncidentState,
    Kind,
    Line,
    Phase,
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
from tests.fallback.dialogue import T0, Dialogue
from tests.fallback.incidents import (
    an_id,
    closed,
    down,
    drill,
    facts,
    fresh,
    peer,
    quorum,
    recovering,
    row,
    up,
    vote,
)


@row("A for 60 s [quorum, solo]")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(100, up(100, 100))
    say.at(159, up(100, 159))
    assert say.state.phase is Phase.OPEN
    say.at(160, up(100, 160))
    assert [said.line for said in say.said(Say)] == [Line.BACK]


@row("20 s without A")
def _(say: Dialogue, _row: Any) -> None:
    id = recovering(say)
    say.at(189.9, down(170, 189.9, phase=watch.Phase.SUSPECT))
    assert say.state.phase is Phase.RECOVERING
    say.at(190, down(170, 190, phase=watch.Phase.SUSPECT, checked_until=NEVER))
    assert say.state.phase is Phase.RECOVERING  # "[self-check good]"
    say.at(190, down(170, 190, phase=watch.Phase.MAINTENANCE))
    assert say.state.phase is Phase.RECOVERING  # S2: a restart after the repair is announced
    say.at(191, down(170, 191, phase=watch.Phase.SUSPECT))
    assert say.state.id == id
    assert say.said(Say) == [Say(Line.AGAIN, T0 + 170)]


@row("300 s of A")
def _(say: Dialogue, _row: Any) -> None:
    id = recovering(say)
    say.at(399, up(100, 399))
    assert say.state.phase is Phase.RECOVERING
    say.at(400, up(100, 400))
    assert isinstance(facts(say)[0], TombstoneFact)  # persisted before sent
    assert [sent.tombstone.id for sent in say.said(SendClosed)] == [id]
    assert [said.line for said in say.said(Say)] == [Line.LAST]
    assert say.said(Devoice)


def test_s7_a_gap_begins_the_300_s_anew() -> None:
    say = fresh()
    recovering(say)
    say.at(399, up(395, 399))
    say.at(400, up(395, 400))
    say.at(694, up(395, 694))
    assert say.state.phase is Phase.RECOVERING
    say.at(695, up(395, 695))
    assert say.state.phase is Phase.NONE


def test_a_hold_keeps_it_open() -> None:
    say = fresh()
    recovering(say)
    say.at(399, HeldOrdered("alice", T0 + 399, T0 + 1000), up(100, 399))
    say.at(999, up(100, 999))
    assert say.state.phase is Phase.RECOVERING
    say.at(1000, up(100, 1000))
    assert say.state.phase is Phase.NONE


@row("!standdown + 60 s")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(30, StanddownOrdered("alice", T0 + 30))
    say.at(89, vote("fra"), vote("hel"))
    assert say.state.phase is Phase.OPEN
    say.at(90, Tick())
    stood_down, tombstone, order, closed = facts(say)
    assert stood_down == StoodDownFact(True)
    assert isinstance(tombstone, TombstoneFact)
    assert order == StanddownFact(NEVER, NEVER)  # else a restart would close the next incident
    assert not closed.id
    assert say.said(SendClosed)[0].tombstone.by_hand


@row("!standdown [no !hold runs]")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    order = StanddownOrdered("alice", T0 + 30)
    kinds = [type(action) for action in say.at(30, order)]
    assert kinds == [Persist, incident.RelayOrder, TellOps, Say]
    assert say.said(Say)[0].line is Line.CLOSING
    assert say.at(31, order) == []  # a copy is not relayed again


def test_an_order_of_an_older_incident_does_not_reach_this_one() -> None:
    say = fresh()
    quorum(say)
    assert say.at(30, StanddownOrdered("alice", T0 - 500)) == []


@row("!standdown [a !hold runs]")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(30, HeldOrdered("alice", T0 + 30, T0 + 600))
    assert not say.said(Say), "nothing was to be closed"
    say.at(40, StanddownOrdered("bob", T0 + 40))
    assert not say.said(Say), "nor is it now"
    say.at(100, Tick())
    assert say.state.phase is Phase.OPEN


@row("!hold")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(30, StanddownOrdered("alice", T0 + 30))
    hold = HeldOrdered("bob", T0 + 50, T0 + 80)
    assert [type(action) for action in say.at(50, hold)] == [Persist, incident.RelayOrder, Say]
    assert say.said(Say) == [Say(Line.HELD, T0 + 80)]
    assert say.at(51, hold) == []
    say.at(200, Tick())
    assert say.state.phase is Phase.OPEN  # "closing in 60s; !hold to stop"


@row("CLOSED(id) of a peer, automatic [not")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    say.at(30, closed(id))
    assert AckClosed("hel", id) in say.actions
    assert [said.line for said in say.said(Say)] == [Line.LAST]


@row("CLOSED(id) of a peer, automatic [own DOWN")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    say.at(22, closed(id))
    assert say.state.id > id
    assert say.state.spoken  # "go on under a new id without a new line"
    assert say.said(Say) == []
    say.at(23, peer(id))
    assert say.state.id != id


def test_an_operators_incident_closed_elsewhere_goes_on_by_its_votes() -> None:
    """The specification has no row for operator here: neither guard would let it go."""
    say = fresh()
    say.at(20, Declared("alice"), Spoken(), down(0, 20), vote("fra"), vote("hel"))
    say.at(21, closed(say.state.id))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.QUORUM)


@row("CLOSED of a peer, by hand [open when")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    other = an_id(10)
    say.at(22, closed(other, hand=True, at=21))
    assert {stone.id for stone in say.state.tombstones} == {id, other}  # "whatever the id"
    assert StoodDownFact(True) in facts(say)


def test_an_old_closing_by_hand_does_not_close_a_new_incident() -> None:
    say = fresh()
    id = quorum(say)
    say.at(22, closed(an_id(-9000), hand=True, at=-8000))
    assert say.state.id == id
    assert not say.state.stood_down


@row("CLOSED of a peer, by hand [still in force]")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, closed(an_id(-900), hand=True, at=-800))
    assert not say.state.stood_down  # no longer in force there
    say.at(1, closed(an_id(-90), hand=True, at=-80, in_force=True))
    assert say.state.stood_down


@row("CLOSED of another incident")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    say.at(21, closed(an_id(3)))
    assert say.state.id == id
    assert say.actions[-1] == AckClosed("hel", an_id(3))


@row("CLOSED, known already")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, closed(an_id(-3)))
    assert say.at(1, closed(an_id(-3))) == [AckClosed("hel", an_id(-3))]


@row("a voter acked our CLOSED")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    say.at(30, closed(id))
    say.at(31, CloseAcked("ams", id))
    assert facts(say)[0].tombstone.acked == {"hel", "ams"}
    assert say.at(32, CloseAcked("ams", id)) == []


@row("the voters are known [one has not acked a CLOSED]")
def _(say: Dialogue, _row: Any) -> None:
    """ "Tombstones and stand-downs are gossiped until every voter has acked"."""
    stones = tuple(
        Tombstone(an_id(-age), False, T0 - age, frozenset(acked))
        for age, acked in ((50, {"hel", "ams"}), (40, {"hel"}))
    )
    say.state = IncidentState("fra")
    say.at(0, Restored(None, stones, stood_down=False))
    say.at(1, VotersKnown(frozenset({"hel", "ams"})))
    assert [sent.tombstone for sent in say.said(SendClosed)] == [stones[1]]
    say.at(2, CloseAcked("ams", an_id(-40)))
    assert say.at(3, VotersKnown(frozenset({"hel", "ams"}))) == []


@row("12 h [operator; k votes]")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Declared("alice"), Spoken())
    id = say.state.id
    hours = 12 * 3600
    say.at(hours - 1, down(0, hours - 1), vote("fra"), vote("hel"))
    assert say.state.kind is Kind.OPERATOR
    say.at(hours, Tick())
    assert (say.state.id, say.state.kind) == (id, Kind.QUORUM)


@row("12 h [operator; else]")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Declared("alice"), Spoken())
    say.at(12 * 3600, Tick())
    assert say.said(SendClosed)


@row("its end [drill]")
def _(say: Dialogue, _row: Any) -> None:
    drill(say)
    say.at(900, Tick())
    assert say.said(SendClosed)


@row("admin !declare or !confirm [solo, drill or recovering]")
def _(say: Dialogue, _row: Any) -> None:
    drill(say)
    say.at(10, Declared("alice"))
    assert say.state.kind is Kind.OPERATOR
    assert [said.line for said in say.said(Say)] == [Line.WORSE]


@row("the roster names us no more")
def _(say: Dialogue, _row: Any) -> None:
    id = quorum(say)
    say.at(90, down(0, 90), Dismissed())
    assert [said.line for said in say.said(Say)] == [Line.WITHDRAWN]
    assert not say.said(SendClosed)
    assert not say.state.tombstones, "paired again, it must not close what the others go on with"
    say.at(91, up(60, 91), peer(id))
    assert say.state.phase is Phase.NONE


def test_what_an_admin_has_declared_is_the_admin_s_to_end() -> None:
    say = fresh()
    say.at(0, Declared("alice"), Spoken(), Dismissed())
    assert say.state.phase is Phase.OPEN


def test_who_is_called_a_witness_speaks_no_more_whoever_has_declared_it() -> None:
    say = fresh()
    say.at(0, Declared("alice"), Spoken(), Dismissed(still_votes=True))
    assert say.state.phase is Phase.NONE
    assert [said.line for said in say.said(Say)] == [Line.WITHDRAWN]


@row("a speaker of this agent announces")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say, spoken=False)
    say.at(21, Spoken())
    assert facts(say)[0].spoken
