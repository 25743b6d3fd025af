"""Agents whose clocks are minutes apart: ids hold the proposer's time, orders reach them still."""

from __future__ import annotations

import pytest

from fallback.incident import Kind, Phase, StanddownOrdered, Tick
from tests.fallback.dialogue import T0, Dialogue
from tests.fallback.incidents import an_id, closed, fresh, peer, up

AHEAD_S = 1800.0  # of the proposer's clock before ours


def adopted() -> tuple[Dialogue, str]:
    """An admin has declared it at the other agent; ours hears its primary."""
    say, theirs = fresh(), an_id(20 + AHEAD_S)
    say.at(80, up(0, 80), peer(theirs, Kind.OPERATOR))
    assert (say.state.phase, say.state.id) == (Phase.OPEN, theirs)
    return say, theirs


@pytest.mark.parametrize("id", ["theirs", "another's"])
def test_a_closing_by_hand_closes_what_was_open_when_it_was_ordered(id: str) -> None:
    """FALLBACK: "OPEN, RECOVERING | `!standdown` + 60 s … closed by hand, whatever the id"."""
    say, _ = adopted()
    closing = say.state.id if id == "theirs" else an_id(21, "ams")
    say.at(165, closed(closing, hand=True, at=100, in_force=True))
    assert say.state.phase is Phase.NONE
    assert say.state.stood_down


def test_an_order_to_stand_down_is_taken_here() -> None:
    say, _ = adopted()
    say.at(100, StanddownOrdered("alice", T0 + 100))
    say.at(160, Tick())
    assert say.state.phase is Phase.NONE


def test_what_was_ordered_before_it_opened_closes_nothing() -> None:
    say, _ = adopted()
    say.at(100, StanddownOrdered("alice", T0 - 500))
    say.at(101, closed(an_id(-600, "ams"), hand=True, at=-500))
    say.at(161, Tick())
    assert say.state.phase is Phase.OPEN


@pytest.mark.parametrize("days", [-400, 400])
def test_a_closing_of_what_cannot_have_been_closes_nothing(days: int) -> None:
    say, ours = adopted()
    say.at(165, closed(an_id(days * 86_400, "ams"), hand=True, at=100, in_force=True))
    assert (say.state.phase, say.state.id) == (Phase.OPEN, ours)
    assert not say.state.stood_down
