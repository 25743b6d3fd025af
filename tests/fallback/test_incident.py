"""The incident, row by row: each dialogue shows one row of FALLBACK.md §3, "Incident"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fallback import incident, watch
from fallback.actions import Persist, TellOps
from fallback.incident import (
    AckClosed,
    CloseAcked,
    Declared,
    Devoice,
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
    Restored,
    Say,
    SendClosed,
    Spoken,
    Stalled,
    StanddownFact,
    StanddownOrdered,
    StoodDownFact,
    Tick,
    Tombstone,
    TombstoneFact,
    VoteHeard,
    VoterShows,
    VotersKnown,
    VoteWithdrawn,
    Watched,
)
from fallback.incident.guards import note
from fallback.tables import Row
from fallback.timings import Solo, Timings
from fallback.watch import NEVER, Sight, Verdict
from tests.fallback.dialogue import T0, Dialogue, Scripts, name

scripts = Scripts()
row = scripts.row


def fresh(timings: Timings | None = None) -> Dialogue:
    state = IncidentState("fra", timings=timings or Timings())
    say = Dialogue(incident.TABLE, incident.step, note, Tick(), state)
    say.at(-1000, Restored())
    say.taken.clear()
    return say


def up(since: float, now: float) -> Watched:
    """Our watch hears A steadily since `since`."""
    return Watched(Sight(watch.Phase.WATCHING, T0 + now, T0 + now, T0 + since))


def down(since: float, now: float, **more: Any) -> Watched:
    """Our watch has had no A since `since` and has its verdict."""
    sight = Sight(
        watch.Phase.DOWN_SITE, T0 + since, T0 + since, NEVER, T0 + since + 20, T0 + now + 5, True
    )
    return Watched(replace(sight, **more))


def vote(voter: str, verdict: Verdict = Verdict.SITE) -> VoteHeard:
    return VoteHeard(voter, verdict, T0)


def an_id(second: float, agent: str = "hel") -> str:
    return f"{int((T0 + second) * 1000):012x}.{agent}"


def peer(id: str, kind: Kind = Kind.QUORUM, **more: Any) -> PeerIncident:
    fields = {"spoken": True, "recovering": False, "verdict": Verdict.SITE, "silent_from": T0}
    return PeerIncident("hel", id, kind, **{**fields, **more})


def closed(id: str, *, hand: bool = False, at: float = 0, in_force: bool = False) -> PeerClosed:
    return PeerClosed("hel", id, hand, T0 + at, in_force)


def quorum(say: Dialogue, *, spoken: bool = True) -> str:
    say.at(20, down(0, 20), vote("fra"), vote("hel"))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.QUORUM)
    if spoken:
        say.at(20, Spoken())
    return say.state.id


def solo(say: Dialogue, *, spoken: bool = True) -> str:
    say.at(60, down(0, 60), vote("fra"))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.SOLO)
    if spoken:
        say.at(60, Spoken())
    return say.state.id


def drill(say: Dialogue) -> str:
    say.at(0, up(-500, 0), DrillOrdered(an_id(0), T0 + 900))
    assert (say.state.phase, say.state.kind) == (Phase.OPEN, Kind.DRILL)
    return say.state.id


def recovering(say: Dialogue) -> str:
    id = quorum(say)
    say.at(100, up(100, 100))
    say.at(160, up(100, 160))
    assert say.state.phase is Phase.RECOVERING
    return id


def stood_down(say: Dialogue) -> None:
    quorum(say)
    say.at(30, StanddownOrdered("alice", T0 + 30))
    say.at(90, Tick())
    assert say.state.stood_down


def facts(say: Dialogue) -> list[Any]:
    return [action.fact for action in say.said(Persist)]


@pytest.mark.parametrize("line", incident.TABLE.rows, ids=name)
def test_row(line: Row[Any, Any]) -> None:
    asks = "!confirm" in line.says.split(" | ")[1] or "ops were asked" in line.says
    scripts.play(line, fresh(Timings(solo=Solo.ASK) if asks else None))


def test_the_table_can_be_printed() -> None:
    text = incident.TABLE.lines()
    assert len(text) == 1 + len(incident.TABLE.rows)
    print("\n".join(text))


FACT = IncidentFact(an_id(0), Kind.QUORUM, False, True, Verdict.SITE, T0, T0)


@row("restart, the store has an open incident")
def _(say: Dialogue, _row: Any) -> None:
    say.at(5, Restored(FACT))
    assert (say.state.id, say.state.spoken) == (FACT.id, True)  # the same incident


@row("restart, the store has a recovering incident")
def _(say: Dialogue, _row: Any) -> None:
    say.at(5, Restored(replace(FACT, recovering=True), order=StanddownFact(T0, NEVER)))
    assert say.state.order_at == T0


@row("restart | tombstones")
def _(say: Dialogue, _row: Any) -> None:
    say.at(5, Restored(None, (Tombstone(FACT.id, False, T0),), True))
    say.at(100, down(0, 100, full=False), peer(FACT.id))
    assert say.state.phase is Phase.NONE  # S8: heard of its closing
    assert say.state.stood_down


def test_an_incident_beside_its_own_tombstone_is_over() -> None:
    """kill -9 between the two facts of its closing."""
    say = fresh()
    say.at(5, Restored(FACT, (Tombstone(FACT.id, False, T0),)))
    assert say.state.phase is Phase.NONE
    assert not facts(say)[0].id


@row(">= k fresh votes")
def _(say: Dialogue, _row: Any) -> None:
    say.at(20, down(0, 20), vote("fra"))
    assert say.state.phase is Phase.NONE
    say.at(24.9, vote("hel", Verdict.SERVICE))
    assert say.state.verdict is Verdict.SERVICE  # "the line states the weaker verdict"
    assert say.state.silent_from == T0
    kinds = [type(action) for action in say.actions]
    assert kinds == [Persist, Gossip]  # persisted before acted on
    assert incident.may_announce(say.state, say.now)


def test_a_vote_is_fresh_for_five_seconds() -> None:
    say = fresh()
    say.at(20, down(0, 20), vote("fra"))
    say.at(25, vote("hel"))
    assert say.state.phase is Phase.NONE
    say.at(26, vote("fra"), VoteWithdrawn("hel"))
    assert say.state.phase is Phase.NONE


def test_one_voter_is_one_vote() -> None:
    say = fresh()
    say.at(20, down(0, 20), vote("hel"), vote("hel"))
    assert say.state.phase is Phase.NONE


def test_votes_kept_by_the_socket_while_we_slept_do_not_count() -> None:
    say = fresh()
    say.at(20, down(0, 20), Stalled(40.0), vote("hel"), vote("ams"))
    assert say.state.phase is Phase.NONE
    say.at(21, vote("hel"), vote("ams"))
    assert say.state.phase is Phase.OPEN


def test_an_agent_that_hears_a_neither_opens_nor_closes_in_turn() -> None:
    """The specification's row would open, recover and close in one step, at every vote."""
    say = fresh()
    say.at(20, up(-400, 20))
    assert say.at(20, vote("hel"), vote("ams")) == []
    assert say.state.tombstones == ()


@row("solo: own verdict")
def _(say: Dialogue, _row: Any) -> None:
    say.at(20, down(0, 20), vote("fra"))
    say.at(59.9, down(0, 59.9), vote("fra"))
    assert say.state.phase is Phase.NONE
    say.at(60, down(0, 60))
    assert say.state.kind is Kind.SOLO
    assert incident.may_announce(say.state, say.now)


@pytest.mark.parametrize(
    "event",
    [
        VoterShows("hel", T0 + 30),  # "in that time no voter showed A or a valid maintenance"
        down(0, 60, full=False),  # "all landmarks fresh"
        down(0, 60, checked_until=T0 + 59),
        down(0, 60, phase=watch.Phase.SUSPECT),
        down(0, 60, phase=watch.Phase.ISOLATED),
        down(0, 60, phase=watch.Phase.MAINTENANCE),
    ],
)
def test_no_solo_while_anything_speaks_against_it(event: Any) -> None:
    say = fresh()
    say.at(20, down(0, 20))
    say.at(30, down(0, 30), event if isinstance(event, VoterShows) else Tick())
    say.at(60, event if isinstance(event, Watched) else down(0, 60))
    assert say.state.phase is Phase.NONE


@row('the same [solo = "ask"]')
def _(say: Dialogue, _row: Any) -> None:
    say.at(60, down(0, 60))
    assert len(say.said(TellOps)) == 1
    assert say.at(61, down(0, 61)) == []  # asked once
    assert say.state.phase is Phase.NONE
    say.at(62, Declared("alice"))
    assert say.state.kind is Kind.OPERATOR


@row("A [ops were asked]")
def _(say: Dialogue, _row: Any) -> None:
    say.at(60, down(0, 60))
    say.at(61, up(61, 61))
    say.at(130, down(70, 130))
    assert len(say.said(TellOps)) == 1


@row("admin !declare or !confirm | OPEN operator")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, up(-500, 0), Declared("alice"))
    assert incident.may_announce(say.state, say.now)  # "or operator": A here or not


@row("signed drill order")
def _(say: Dialogue, _row: Any) -> None:
    drill(say)
    assert incident.may_announce(say.state, say.now)


@row("a peer's incident, RECOVERING")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, up(-60, 0), peer(an_id(-100), Kind.OPERATOR, recovering=True))


@row("a peer's incident [not tombstoned; operator")
def _(say: Dialogue, _row: Any) -> None:
    say.at(59, down(0, 59), peer(an_id(20)))
    assert say.state.phase is Phase.NONE  # A here 59 s ago
    say.at(60, down(0, 60, full=False), peer(an_id(20)))
    assert (say.state.id, say.state.spoken) == (an_id(20), True)


def test_an_unspoken_quorum_is_not_adopted_without_the_votes() -> None:
    say = fresh()
    assert say.at(90, down(0, 90, full=False), peer(an_id(20), spoken=False)) == []
    assert say.state.phase is Phase.NONE


@pytest.mark.parametrize("id", ["0", "../../x", "f" * 12 + ".hel", "0" * 12 + ".hel"])
def test_an_id_that_cannot_be_is_not_adopted(id: str) -> None:
    say = fresh()
    say.at(90, down(0, 90, full=False), peer(id, Kind.OPERATOR))
    assert say.state.phase is Phase.NONE


@row("k votes or solo [stood down by hand]")
def _(say: Dialogue, _row: Any) -> None:
    stood_down(say)
    say.at(95, down(0, 95), vote("fra"), vote("hel"))
    assert say.state.phase is Phase.NONE
    assert len(say.said(TellOps)) == 1
    say.at(96, vote("hel"))
    assert say.said(TellOps) == []
    taken = list(say.taken)
    say.at(97, Declared("alice"))  # "!declare overrides"
    assert say.state.phase is Phase.OPEN
    say.taken = taken


def test_a_peers_declared_incident_overrides_the_stand_down() -> None:
    say = fresh()
    stood_down(say)
    say.at(95, down(0, 95), peer(an_id(94), Kind.QUORUM))
    assert say.state.phase is Phase.NONE
    say.at(96, peer(an_id(95), Kind.OPERATOR))
    assert say.state.phase is Phase.OPEN
    assert StoodDownFact(False) in facts(say)


@row("A for 60 s [stood down by hand]")
def _(say: Dialogue, _row: Any) -> None:
    stood_down(say)
    say.at(100, up(100, 100))
    say.at(159, up(100, 159))
    assert say.state.stood_down
    say.at(160, up(100, 160))
    assert facts(say) == [StoodDownFact(False)]
    say.at(200, down(161, 200), vote("fra"), vote("hel"))
    assert say.state.phase is Phase.OPEN


@row("another id of a peer")
def _(say: Dialogue, _row: Any) -> None:
    solo(say, spoken=False)
    say.at(61, peer(an_id(59.5), Kind.SOLO))
    assert (say.state.id, say.state.kind, say.state.spoken) == (an_id(59.5), Kind.SOLO, True)
    say.at(62, peer(an_id(61.5), Kind.QUORUM, spoken=False))
    assert (say.state.id, say.state.kind, say.state.spoken) == (an_id(59.5), Kind.QUORUM, True)
    assert say.at(63, peer(an_id(62), Kind.SOLO, spoken=False)) == []


def test_a_drill_is_not_made_real_by_a_peer_while_we_hear_a() -> None:
    say = fresh()
    drill(say)
    say.at(100, up(-500, 100), peer(an_id(90), Kind.QUORUM))
    assert say.state.kind is Kind.DRILL


@row("a peer's incident [tombstoned]")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, closed(an_id(-100)))
    say.at(100, down(0, 100, full=False), peer(an_id(-100)))
    assert say.state.phase is Phase.NONE
    assert [sent.tombstone.id for sent in say.said(SendClosed)] == [an_id(-100)]


@row("votes < k [quorum, nobody has spoken]")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say, spoken=False)
    say.at(25, down(0, 25), vote("fra"))
    assert say.said(Say) == []
    say.taken = say.taken[:]
    other = fresh()
    quorum(other, spoken=True)
    other.at(25, down(0, 25), vote("fra"))
    assert other.state.phase is Phase.OPEN  # what was said stays said


@row("A [solo, nobody has spoken]")
def _(say: Dialogue, _row: Any) -> None:
    solo(say, spoken=False)
    say.at(61, up(61, 61))
    assert say.said(Say) == []


@row(">= k votes [solo]")
def _(say: Dialogue, _row: Any) -> None:
    id = solo(say)
    say.at(62, vote("fra"), vote("hel"))
    assert (say.state.id, say.state.kind) == (id, Kind.QUORUM)


@row(">= k real votes [drill")
def _(say: Dialogue, _row: Any) -> None:
    drill(say)
    say.at(50, VoteHeard("fra", Verdict.SITE, T0, drill=True))
    say.at(50, VoteHeard("hel", Verdict.SITE, T0, drill=True))
    assert say.state.kind is Kind.DRILL  # drill votes are not real votes
    say.at(50, down(30, 50), vote("fra"), vote("hel"))
    assert say.state.kind is Kind.QUORUM
    assert [said.line for said in say.said(Say)] == [Line.WORSE]


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
    assert kinds == [Persist, incident.RelayOrder, TellOps]
    assert say.at(31, order) == []  # a copy is not relayed again


def test_an_order_of_an_older_incident_does_not_reach_this_one() -> None:
    say = fresh()
    quorum(say)
    assert say.at(30, StanddownOrdered("alice", T0 - 500)) == []


@row("!standdown [a !hold runs]")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(30, HeldOrdered("alice", T0 + 30, T0 + 600))
    say.at(40, StanddownOrdered("bob", T0 + 40))
    say.at(100, Tick())
    assert say.state.phase is Phase.OPEN


@row("!hold")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say)
    say.at(30, StanddownOrdered("alice", T0 + 30))
    hold = HeldOrdered("bob", T0 + 50, T0 + 80)
    assert [type(action) for action in say.at(50, hold)] == [Persist, incident.RelayOrder]
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


@row("a speaker of this agent announces")
def _(say: Dialogue, _row: Any) -> None:
    quorum(say, spoken=False)
    say.at(21, Spoken())
    assert facts(say)[0].spoken


MAINTAINED = {"phase": watch.Phase.MAINTENANCE}


@pytest.mark.parametrize(
    ("kind", "sight", "votes", "may"),
    [
        (Kind.QUORUM, {}, 2, True),
        (Kind.QUORUM, {}, 1, False),
        (Kind.QUORUM, MAINTAINED, 2, False),  # S2
        (Kind.OPERATOR, MAINTAINED, 0, True),  # "none inside valid maintenance, but by an operator"
        (Kind.DRILL, {}, 0, True),
        (Kind.DRILL, MAINTAINED, 0, False),
        (Kind.QUORUM, {"silent_from": T0 + 15, "heard_at": T0 + 15}, 2, False),  # A here
        (Kind.SOLO, {}, 1, False),  # not yet 60 s
        (Kind.SOLO, {"silent_from": T0 - 40, "heard_at": T0 - 40}, 1, True),
    ],
)
def test_s1_may_announce(kind: Kind, sight: dict[str, Any], votes: int, may: bool) -> None:
    say = fresh()
    say.at(20, down(0, 20, **sight), *[vote(f"v{i}") for i in range(votes)])
    opened = replace(say.state, phase=Phase.OPEN, kind=kind, id=an_id(20))
    assert incident.may_announce(opened, say.now) is may


def test_a_fresh_clock_is_not_silence() -> None:
    """After a restart or a stall we have not listened long enough to say "no A here"."""
    say = fresh()
    say.at(20, Watched(Sight(watch.Phase.WATCHING, T0 + 20)), vote("hel"), vote("ams"))
    say.at(24, peer(an_id(19)))
    assert say.state.phase is Phase.OPEN  # another agent has spoken
    assert not incident.may_announce(say.state, say.now)
    say.at(30, Watched(Sight(watch.Phase.SUSPECT, T0 + 20)), vote("hel"), vote("ams"))
    assert incident.may_announce(say.state, say.now)
