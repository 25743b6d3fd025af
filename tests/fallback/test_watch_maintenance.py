"""Maintenance as the watch sees it: windows that begin, end, overrun, and a stop by mistake."""

from __future__ import annotations

from typing import Any

import pytest

from fallback.actions import Persist, TellOps
from fallback.watch import (
    AckNotice,
    Booted,
    CalmProbes,
    KnownNotices,
    Noticed,
    NoticeEnded,
    Phase,
    Tick,
    Withdraw,
)
from tests.fallback.dialogue import T0, Dialogue
from tests.fallback.watches import (
    BAD,
    GOOD,
    down_site,
    fresh,
    heard,
    maintained,
    row,
    watching,
    window,
)


@row("a kept window begins")
def _(say: Dialogue, line: Any) -> None:
    (state,) = line.states if len(line.states) == 1 else (Phase.DOWN_SITE,)
    watching(say)
    assert AckNotice("m2") in say.at(0, window("m2", 60, 600))
    assert say.state.phase is Phase.WATCHING
    if state is Phase.WATCHING:
        say.at(59, heard(59), Tick())
    else:
        say.at(30, heard(30))
        say.at(40, Tick(), GOOD)
        if state is Phase.DOWN_SITE:
            say.at(50, GOOD, Tick())
        if state is Phase.ISOLATED:
            say.at(50, BAD)
    assert say.state.phase is state
    assert say.at(60, Tick()) == [Withdraw(), CalmProbes()]


@row("valid maintenance notice, direct or as forwarded")
def _(say: Dialogue, _row: Any) -> None:
    down_site(say)
    actions = say.at(21, window())
    assert isinstance(actions[0], Persist)  # persisted before acked
    assert actions[1:] == [AckNotice("m1"), Withdraw(), CalmProbes()]


def test_the_later_end_wins() -> None:
    say = fresh()
    maintained(say)
    say.at(10, window("m2", 0, 2000))
    say.at(1700, Tick())
    assert say.state.phase is Phase.MAINTENANCE
    say.at(2600, Tick())
    assert say.state.phase is Phase.WATCHING


@pytest.mark.parametrize(
    "notice",
    [
        window(ends=12 * 3600 + 1),  # "signed, <= 12 h"
        window(begins=-2000, ends=-700),  # over, grace and all
        window(term="an older boot"),
    ],
)
def test_an_invalid_notice_changes_nothing(notice: Noticed) -> None:
    say = fresh()
    watching(say)
    assert say.at(1, notice) == []
    assert say.state.phase is Phase.WATCHING


@row("valid maintenance notice [its window begins later]")
def _(say: Dialogue, _row: Any) -> None:
    watching(say)
    actions = say.at(1, window("m3", 100, 200))
    assert actions == [Persist(KnownNotices((window("m3", 100, 200).notice,), ())), AckNotice("m3")]


@row("valid maintenance notice | persist, ack")
def _(say: Dialogue, _row: Any) -> None:
    say.at(0, Booted(armed=False))
    say.at(1, window())
    assert AckNotice("m1") in say.actions
    say.at(2, heard(2), Tick())
    assert say.state.phase is Phase.MAINTENANCE
    say.state = fresh().state
    say.at(0, Booted(armed=False), window())


@row("a copy of a kept notice")
def _(say: Dialogue, _row: Any) -> None:
    maintained(say)
    assert say.at(2, window()) == [AckNotice("m1")]


@row("5 min over its end")
def _(say: Dialogue, _row: Any) -> None:
    maintained(say)
    assert say.at(1299, Tick()) == []
    assert [type(action) for action in say.at(1300, Tick())] == [TellOps]
    assert say.at(1301, Tick()) == []  # said once


@row("end + grace")
def _(say: Dialogue, _row: Any) -> None:
    maintained(say)
    say.at(1599, Tick())
    assert say.state.phase is Phase.MAINTENANCE
    say.at(1600, Tick())
    assert say.state.silent_from == T0 + 1600


@row("`end` | persist, ack, fresh clock")
def _(say: Dialogue, _row: Any) -> None:
    maintained(say)
    say.at(500, NoticeEnded("m1"))
    assert say.state.silent_from == T0 + 500
    assert say.at(501, window()) == []  # S8: an ended window is not begun again by a copy


@row("A of a new boot")
def _(say: Dialogue, _row: Any) -> None:
    watching(say)
    say.at(1, window("t1", 1, 121, term="b1"))
    say.at(2, heard(2))  # the last ones of the boot that is ending
    assert say.state.phase is Phase.MAINTENANCE
    say.at(30, heard(30, boot="b2"))


def test_a_mistaken_stop_is_watched_again_after_two_minutes() -> None:
    """ "TERM of the bouncer sends a 120 s notice by itself, without overrun"."""
    say = fresh()
    watching(say)
    say.at(1, window("t1", 1, 121, term="b1"))
    say.at(121, Tick())
    assert say.state.phase is Phase.WATCHING


def test_a_window_of_an_admin_does_not_end_with_a_new_boot() -> None:
    say = fresh()
    maintained(say)
    say.at(30, heard(30, boot="b2"))
    assert say.state.phase is Phase.MAINTENANCE


@row("`end` of another window")
def _(say: Dialogue, _row: Any) -> None:
    watching(say)
    say.at(1, window("m4", 100, 200))
    assert say.at(2, NoticeEnded("m4")) == [Persist(KnownNotices((), ("m4",))), AckNotice("m4")]
    assert say.at(2, NoticeEnded("m4")) == [AckNotice("m4")], "a copy writes nothing"
    assert say.at(3, window("m4", 100, 200)) == []
