"""The watch, row by row: each dialogue shows one row of FALLBACK.md §3, "Watch"."""

from __future__ import annotations

from typing import Any

import pytest

from fallback import watch
from fallback.actions import Persist, TellOps
from fallback.tables import Row
from fallback.watch import (
    Answered,
    Armed,
    AskVoters,
    Booted,
    BurstProbes,
    CalmProbes,
    Degraded,
    GapCounted,
    Phase,
    Stalled,
    Tick,
    Verdict,
    Vote,
    WatchState,
    Withdraw,
)
from tests.fallback import test_watch_maintenance  # noqa: F401 - more rows
from tests.fallback.dialogue import T0, Dialogue, name
from tests.fallback.watches import (
    ANNOUNCED_HOME,
    BAD,
    GOOD,
    REACH,
    down_service,
    down_site,
    fresh,
    heard,
    isolated,
    maintained,
    row,
    scripts,
    suspect,
    watching,
    window,
)


@pytest.mark.parametrize("line", watch.TABLE.rows, ids=name)
def test_row(line: Row[Any, Any]) -> None:
    scripts.play(line, fresh())


def test_the_table_can_be_printed() -> None:
    text = watch.TABLE.lines()
    assert len(text) == 1 + len(watch.TABLE.rows)
    print("\n".join(text))


@row("first A ever")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Booted(armed=False))
    assert say.at(30, Tick()) == []  # an unarmed voter only logs
    assert say.at(31, heard(31)) == [Persist(Armed())]


@row("10 s without A")
def _(say: Dialogue, _row: Any) -> None:
    watching(say)
    assert say.at(9.9, Tick()) == []
    assert say.at(10, Tick()) == [BurstProbes(), AskVoters()]


@row("A | count")
def _(say: Dialogue, _row: Any) -> None:
    suspect(say)
    assert say.at(13, heard(13)) == [CalmProbes(), GapCounted(13.0)]


@row("A, only forwarded")
def _(say: Dialogue, _row: Any) -> None:
    suspect(say)
    # A forwarded heartbeat is as old as its receipt: the other voter's last one before the
    # cut proves nothing, or two voters would calm each other for ever.
    say.at(11, Tick())
    assert say.at(11, heard(0.5, direct=False)) == []
    assert say.state.phase is Phase.SUSPECT
    assert say.at(12, heard(11, direct=False))[-1] == Degraded()
    say.at(21, Tick())
    assert say.state.phase is Phase.SUSPECT  # silence is counted from the receipt, not from now
    assert Degraded() not in say.at(22, heard(21.5, direct=False))  # said once


@row("20 s without A")
def _(say: Dialogue, _row: Any) -> None:
    suspect(say)
    say.at(14, GOOD, Answered(T0 + 14), Tick())
    say.at(20, GOOD, Tick())
    assert say.state.phase is Phase.SUSPECT  # 20 s without A, but B 6 s ago
    say.at(23, GOOD)
    assert say.at(24, Tick())[-1] == Vote(Verdict.SITE, T0)


@row("45 s without A")
def _(say: Dialogue, _row: Any) -> None:
    suspect(say)
    for second in range(11, 45):
        say.at(second, GOOD, Answered(T0 + second), Tick())
        assert say.state.phase is Phase.SUSPECT
    assert say.at(45, GOOD, Tick()) == [Vote(Verdict.SERVICE, T0)]


@row("every second | ask")
def _(say: Dialogue, _row: Any) -> None:
    suspect(say)
    assert say.at(11, Tick()) == [AskVoters()]


@row("no self-check for 5 s")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    assert say.at(25.1, Tick()) == [Withdraw()]


@row("10 s without B | go on")
def _(say: Dialogue, _row: Any) -> None:
    down_service(say)
    say.at(50, GOOD)
    say.at(54.9, GOOD, Tick())
    assert say.state.phase is Phase.DOWN_SERVICE
    assert say.at(55, Tick()) == [Vote(Verdict.SITE, T0)]


@row("every 5 s")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    say.at(24, GOOD, Tick())
    assert AskVoters() not in say.actions
    assert AskVoters() in say.at(25, Tick())


@row("every second | VOTE")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    assert say.at(21, Tick()) == [Vote(Verdict.SITE, T0)]
    assert say.at(21.5, Tick()) == []
    assert say.at(22, Tick()) == [Vote(Verdict.SITE, T0)]


@row("B | withdraw")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    say.at(44, GOOD)
    assert say.at(44, Answered(T0 + 44)) == [Withdraw()]
    assert say.state.phase is Phase.SUSPECT
    say.at(45, GOOD, Answered(T0 + 45), Tick())  # silence went on counting
    assert say.actions == [Vote(Verdict.SERVICE, T0)]
    say.state = fresh().state
    down_site(say)
    say.at(21, GOOD, Answered(T0 + 21))


def test_an_old_answer_takes_no_verdict_back() -> None:
    say = fresh()
    down_site(say)
    say.at(21, GOOD, Answered(T0 + 5))
    assert say.state.phase is Phase.DOWN_SITE


@row("A | withdraw")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    assert say.at(22, heard(22)) == [Withdraw(), CalmProbes()]


@row("self-check fails")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    assert say.at(21, BAD) == [Withdraw()]
    assert say.at(22, Tick()) == []  # S3: ISOLATED never votes


@row("self-check good for 10 s")
def _(say: Dialogue, _row: Any) -> None:
    isolated(say)
    say.at(60, GOOD)
    say.at(69, GOOD)
    assert say.state.phase is Phase.ISOLATED
    assert say.at(70, GOOD) == [CalmProbes()]
    assert say.state.silent_from == T0 + 70  # "fresh silence clock"


@row("a direct A")
def _(say: Dialogue, _row: Any) -> None:
    isolated(say)
    say.at(16, heard(16, direct=False))
    assert say.state.phase is Phase.ISOLATED  # a forwarded one says nothing about our uplink
    say.at(17, heard(17))


@row("own stall > 2 s | fresh clock, withdraw")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    say.at(22, GOOD, Tick())
    assert say.at(22, Stalled(2.0)) == []  # "> 2 s"
    assert say.at(60, Stalled(2.1)) == [Withdraw(), CalmProbes()]
    assert say.state.silent_from == T0 + 60


@row("own stall > 2 s | fresh clock")
def _(say: Dialogue, _row: Any) -> None:
    maintained(say)
    say.at(60, Stalled(40.0))
    assert say.state.phase is Phase.MAINTENANCE
    assert say.state.silent_from == T0 + 60


@row("boot: persisted maintenance")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Booted(True, (window().notice,)))


@row("boot: armed")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Booted(True))
    say.at(10, Tick(), GOOD)  # "an outage already under way is found like any other"
    assert say.at(20, GOOD, Tick())[-1] == Vote(Verdict.SITE, T0)
    say.state = fresh().state
    say.at(0, Booted(True))


@row("boot: never armed")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Booted(False))


@row("a heartbeat: home server down [that is announced]")
def _(say: Dialogue, _row: Any) -> None:
    say.state = WatchState(timings=ANNOUNCED_HOME)
    down_site(say)
    assert say.at(21, heard(21, home_down=True)) == [Withdraw()]


@row("45 s of heartbeats that all say: home server down")
def _(say: Dialogue, _row: Any) -> None:
    watching(say)
    for second in range(1, 46):
        assert not say.at(second, heard(second, home_down=True), Tick()), "not before 45 s"
    [told] = say.at(46, heard(46, home_down=True))
    assert isinstance(told, TellOps)
    assert say.state.phase is Phase.WATCHING, "it lives, and that is what the watch is about"
    assert not say.at(47, heard(47, home_down=True)), "told once"


def test_a_drill_never_votes_for_real() -> None:
    """ "heartbeats carry a `drill` flag: silence for the drill, A for the real watch"."""
    real, drill = fresh(), fresh(WatchState(drill=True))
    for say in (real, drill):
        watching(say)
        for second in range(1, 31):
            say.at(second, heard(second, drill=True), GOOD, Tick())
    assert real.state.phase is Phase.WATCHING
    assert drill.state.phase is Phase.DOWN_SITE
    assert drill.at(31, Tick()) == [Vote(Verdict.SITE, T0, drill=True)]


@pytest.mark.parametrize("phase", REACH, ids=lambda phase: phase.name)
def test_no_vote_but_in_down(phase: Phase) -> None:
    """S3, and "the agent doubts itself first": whoever votes has a verdict and a good uplink."""
    say = fresh()
    REACH[phase](say)
    votes = [action for action in say.at(46, Tick()) if isinstance(action, Vote)]
    assert bool(votes) == (say.state.phase in watch.DOWN)


def test_wake_at_misses_nothing() -> None:
    """Stepping only when `wake_at` says so takes the same way as stepping all the time."""
    lazy, busy = fresh(), fresh()
    for say in (lazy, busy):
        watching(say)
        say.at(1, window("m5", 300, 400))
        say.at(1.5, GOOD)
    wake = 0.0
    for tenth in range(20, 12_000):
        second = tenth / 10
        events: list[Any] = [GOOD] if tenth % 10 == 0 else []
        busy.at(second, *events, Tick())
        if events:
            lazy.at(second, *events)
            wake = watch.wake_at(lazy.state, lazy.now)
        if T0 + second >= wake:
            lazy.at(second, Tick())
            wake = watch.wake_at(lazy.state, lazy.now)
        assert lazy.state.phase is busy.state.phase, second
