"""How an incident opens, or does not; what a restart finds, and what a peer says of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fallback import incident, watch
from fallback.actions import Persist, TellOps
from fallback.incident import (
    Declared,
    Gossip,
    IncidentFact,
    Kind,
    Line,
    Phase,
    Restored,
    Say,
    SendClosed,
    Stalled,
    StanddownFact,
    StoodDownFact,
    Tick,
    Tombstone,
    VoteHeard,
    VoterShows,
    VoteWithdrawn,
    Watched,
)
from fallback.watch import NEVER, Verdict
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
    row,
    solo,
    stood_down,
    up,
    vote,
)

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
