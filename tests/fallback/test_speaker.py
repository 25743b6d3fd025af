"""The speaker, row by row: each dialogue shows one row of FALLBACK.md §3, "Speaker"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fallback import speaker
from fallback.actions import Persist
from fallback.speaker import (
    NEVER,
    Announce,
    ClaimHeard,
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
    SendClaim,
    SpeakerState,
    Stalled,
    StopTalking,
    Tick,
    TombstonesFetched,
)
from fallback.speaker.rows import note
from fallback.tables import Row
from tests.fallback.dialogue import T0, Dialogue, Scripts, name

scripts = Scripts()
row = scripts.row
OPEN = IncidentSeen("i1", may_announce=True, may_repeat=True)
OPEN_MAY_NOT = IncidentSeen("i1", may_announce=False, may_repeat=False)
CLOSED = IncidentSeen("", may_announce=False, may_repeat=False)


def fresh(rank: int = 1) -> Dialogue:
    state = SpeakerState("hel", "libera", rank)
    say = Dialogue(speaker.TABLE, speaker.step, note, Tick(), state)
    say.at(-1000, Restored(), TombstonesFetched(), NetworkJoined())
    say.taken.clear()
    return say


def claim(second: float | None, agent: str = "fra", rank: int = 0) -> ClaimHeard:
    return ClaimHeard(agent, rank, None if second is None else T0 + second)


def waiting(say: Dialogue, seen: IncidentSeen = OPEN) -> None:
    say.at(0, seen)
    assert say.state.phase is Phase.WAITING


def speaking(say: Dialogue) -> None:
    waiting(say)
    say.at(2, Tick())
    assert say.state.phase is Phase.SPEAKING


def following(say: Dialogue) -> None:
    waiting(say)
    say.at(1, LineSeen("fra"), claim(0))
    assert say.state.phase is Phase.FOLLOWING


@pytest.mark.parametrize("line", speaker.TABLE.rows, ids=name)
def test_row(line: Row[Any, Any]) -> None:
    scripts.play(line, fresh())


def test_the_table_can_be_printed() -> None:
    text = speaker.TABLE.lines()
    assert len(text) == 1 + len(speaker.TABLE.rows)
    print("\n".join(text))


@row("incident open, network joined")
def _(say: Dialogue, _row: Any) -> None:
    state = replace(SpeakerState("hel", "libera", 1))
    say.state = state
    say.at(0, Restored(), OPEN)
    say.at(5, NetworkJoined(), TombstonesFetched())
    assert say.state.phase is Phase.QUIET  # "after a restart: one lease has passed"
    say.at(6, Tick())


def test_without_any_peer_the_tombstones_are_not_waited_for_for_ever() -> None:
    say = fresh()
    say.state = SpeakerState("hel", "libera", 1)
    say.at(0, Restored(), OPEN, NetworkJoined())
    say.at(11, Tick())
    assert say.state.phase is Phase.QUIET
    say.at(12, Tick())
    assert say.state.phase is Phase.WAITING


@row("CLAIM for this network")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say)
    assert say.at(2, claim(1)) == []  # "wins over the timer"


@row("a CLAIM heard within the lease")
def _(say: Dialogue, _row: Any) -> None:
    say.state = replace(say.state, rank=0)
    say.at(-1, claim(-2, "ams", 2))
    say.at(0, OPEN)  # rank 0's timer is over at once


@row("timer [may announce")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say)
    assert say.at(1.9, Tick()) == []
    assert say.at(2, Tick()) == [
        Announce("libera", "i1"),
        SendClaim("libera", "i1", 1, T0 + 2),
    ]


@row("timer [may not announce]")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say, OPEN_MAY_NOT)
    assert say.at(2, Tick()) == [SendClaim("libera", "i1", 1, None)]


def test_a_line_that_was_said_before_a_restart_is_not_said_again() -> None:
    say = fresh()
    say.state = SpeakerState("hel", "libera", 1)
    say.at(0, Restored(T0 - 30), NetworkJoined(), TombstonesFetched(), OPEN)
    assert say.at(6, Tick()) == []
    assert say.at(8, Tick()) == [SendClaim("libera", "i1", 1, T0 - 30)]


@row("may announce becomes true")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say, OPEN_MAY_NOT)
    say.at(2, Tick())
    assert say.at(2.5, OPEN)[0] == Announce("libera", "i1")


@row("CLAIM of a smaller rank")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    say.at(3, claim(2.5, "ams", 2))
    assert say.state.phase is Phase.SPEAKING
    say.at(3, claim(None))
    assert say.state.phase is Phase.SPEAKING  # a line outranks none
    assert say.at(4, claim(2.5)) == [StopTalking("libera")]


@row("any other CLAIM")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    other = claim(3, "ams", 2)
    assert RepeatLine("libera", "i1") not in say.at(61, other)
    assert RepeatLine("libera", "i1") in say.at(62, other)
    assert RepeatLine("libera", "i1") not in say.at(100, other)  # "at most once a minute"
    say.at(121, OPEN_MAY_NOT)
    assert RepeatLine("libera", "i1") not in say.at(122, other)  # it may no longer be true


@row("every second | CLAIM")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    assert say.at(2.5, Tick()) == []
    assert say.at(3, Tick()) == [SendClaim("libera", "i1", 1, T0 + 2)]


@row("our line is written")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    kept = Persist(LineFact("libera", "i1", T0 + 2))
    assert say.at(2.2, LineSaid()) == [kept, Push("libera", "i1")]  # "persisted before acted on"
    assert Push("libera", "i1") not in say.at(63, LineSaid())  # a repetition


@row("our line is refused")
def _(say: Dialogue, _row: Any) -> None:
    """Muted, and heard again later: the line is said then."""
    speaking(say)
    say.at(2.2, LineSaid())
    unsaid = say.at(2.4, NetworkLost(), LineRefused())
    assert unsaid[-1] == Persist(LineFact("libera", "i1", NEVER))
    say.at(300, NetworkJoined())
    assert Announce("libera", "i1") in say.at(302, Tick())


def test_a_line_that_was_kept_before_a_restart_is_not_pushed_again() -> None:
    say = fresh()
    say.state = SpeakerState("hel", "libera", 1)
    say.at(0, Restored(T0 - 30), NetworkJoined(), TombstonesFetched(), OPEN)
    assert Push("libera", "i1") not in say.at(9, LineSaid())
    say.at(20, CLOSED)
    say.at(30, OPEN)
    say.at(33, Tick())
    assert Push("libera", "i1") in say.at(34, LineSaid())  # the next incident's is


def test_nothing_is_pushed_before_the_line_or_without_it() -> None:
    say = fresh()
    waiting(say, OPEN_MAY_NOT)
    assert say.at(2, Tick()) == [SendClaim("libera", "i1", 1, None)]
    assert not [each for each in say.at(3, LineSaid()) if isinstance(each, Push)]


@row("network lost, or it bans us")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    assert say.at(3, NetworkLost()) == [StopTalking("libera")]
    assert say.at(4, Tick()) == []  # "no CLAIM"


@row("network lost | nothing")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say)
    say.at(1, NetworkLost())
    assert say.at(2, Tick()) == []


@row("own stall > 2 s | silent")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    say.at(50, Stalled(2.0))
    assert say.state.phase is Phase.SPEAKING
    assert say.at(50, Stalled(40.0)) == []


@row("the lease is over")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    say.at(50, Stalled(40.0))
    assert say.at(55.9, Tick()) == []
    say.at(56, Tick())


def test_who_slept_follows_who_took_over() -> None:
    say = fresh(rank=0)
    speaking_at_once = say.at(0, OPEN)
    assert Announce("libera", "i1") in speaking_at_once
    say.at(50, Stalled(40.0))
    say.at(55, claim(20, "ams", 2))
    say.at(56, Tick())
    assert say.state.phase is Phase.FOLLOWING


@row("own stall > 2 s | a lease anew")
def _(say: Dialogue, _row: Any) -> None:
    following(say)
    say.at(50, Stalled(45.0))
    assert say.state.phase is Phase.FOLLOWING
    say.at(55, Tick())
    assert say.state.phase is Phase.FOLLOWING


@row("no CLAIM for 6 s")
def _(say: Dialogue, _row: Any) -> None:
    following(say)
    say.at(6.9, Tick())
    assert say.state.phase is Phase.FOLLOWING
    say.at(7, Tick())
    assert say.state.waiting_until == T0 + 9  # L2: "<= 6 s + 2 s per rank"


@row("may announce here, and the claimant has no line")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say, OPEN_MAY_NOT)
    say.at(1, claim(None))
    assert say.state.phase is Phase.FOLLOWING
    say.at(2, OPEN)


@row("6 s of CLAIM and no line")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say)
    for second in range(1, 8):
        say.at(second, claim(0))
        assert say.state.phase is (Phase.FOLLOWING if second < 7 else Phase.WAITING)
    assert say.state.muted == {"fra"}
    say.at(8, claim(0))  # "its claims don't count here"
    assert say.state.phase is Phase.WAITING
    taken = list(say.taken)
    assert Announce("libera", "i1") in say.at(9, Tick())
    say.at(10, claim(0))
    assert say.state.phase is Phase.SPEAKING
    say.taken = taken
    say.state = replace(say.state, phase=Phase.WAITING)


def test_only_who_was_there_can_judge_a_speaker_mute() -> None:
    say = fresh()
    say.at(-20, NetworkLost())
    say.at(0, OPEN)
    say.at(10, NetworkJoined())
    for second in range(11, 30):
        say.at(second, claim(5))
    assert say.state.phase is Phase.FOLLOWING
    assert say.state.muted == frozenset()


def test_who_learns_late_of_the_incident_has_seen_its_line() -> None:
    """Its mesh was cut, not its network: the speaker is no mute one, and two would speak."""
    say = fresh()
    say.at(0, LineSeen("fra"))
    say.at(30, OPEN)
    for second in range(30, 60):
        say.at(second, claim(0))
    assert say.state.muted == frozenset()
    assert say.state.phase is Phase.FOLLOWING


def test_a_line_of_long_ago_is_none_of_this_incident() -> None:
    """Else whoever once spoke could claim that line for ever, and silence everybody."""
    say = fresh()
    say.at(0, LineSeen("fra"))
    say.at(7200, OPEN)
    for second in range(7200, 7210):
        say.at(second, claim(0))
    assert say.state.muted == {"fra"}


def test_a_liar_does_not_keep_us_following_a_dead_speaker() -> None:
    """The specification counts any CLAIM: one liar's would silence everybody for good."""
    say = fresh()
    following(say)
    for second in range(2, 40):
        say.at(second, claim(1, "ams", 2))
    assert say.state.muted == {"ams"}
    assert say.state.phase is Phase.SPEAKING


@row("a line of a muted claimant seen")
def _(say: Dialogue, _row: Any) -> None:
    waiting(say)
    for second in range(1, 8):
        say.at(second, claim(0))
    say.at(8, LineSeen("fra"))
    assert say.state.muted == frozenset()
    say.at(8.5, claim(0))
    assert say.state.phase is Phase.FOLLOWING


@row("incident closed")
def _(say: Dialogue, _row: Any) -> None:
    speaking(say)
    say.at(3, CLOSED)
    assert say.state.line_at is None  # the next incident needs a line of its own


def test_an_incident_that_only_changes_its_id_keeps_its_line() -> None:
    say = fresh()
    speaking(say)
    said = say.at(2.5, IncidentSeen("i0", may_announce=True, may_repeat=True))
    assert said == []
    assert say.at(3, Tick()) == [SendClaim("libera", "i0", 1, T0 + 2)]
