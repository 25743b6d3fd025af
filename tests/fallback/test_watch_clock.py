"""The watch's clocks: what sets them back, what does not, and what may not vote without them."""

from __future__ import annotations

import pytest

from fallback import watch
from fallback.watch import Phase, SelfCheck, Stalled, Tick, Vote
from tests.fallback.dialogue import T0
from tests.fallback.watches import GOOD, fresh, heard, suspect, watching


@pytest.mark.parametrize("checks", [0, 1], ids=["never", "long ago"])
def test_without_a_fresh_self_check_nobody_votes(checks: int) -> None:
    """S3, "no vote while its own uplink is in doubt": a check that stopped coming is no good one,
    not for a single vote."""
    say = fresh()
    suspect(say)
    if not checks:
        say.at(10, SelfCheck(0, 0))
    for second in range(11, 60):
        voted = [action for action in say.at(second, Tick()) if isinstance(action, Vote)]
        assert not voted, second


@pytest.mark.parametrize("gap_s", [9, 15])
def test_steady_is_what_had_no_gap_of_ten_seconds(gap_s: int) -> None:
    """S7, "automatic stand-down only after 300 s of A": counted from the last gap."""
    say = fresh()
    watching(say)
    for second in range(1, 6):
        say.at(second, heard(second), GOOD)
    say.at(5 + gap_s, heard(5 + gap_s))
    since = 0 if gap_s < 10 else 5 + gap_s
    assert watch.sight(say.state).steady_from == T0 + since


def test_a_heartbeat_of_before_a_stall_does_not_set_the_clock_back() -> None:
    """ "own stall > 2 s: fresh clock": what was forwarded from before says nothing about since."""
    say = fresh()
    watching(say)
    say.at(8, Stalled(7.0))
    say.at(9, heard(5, direct=False))
    assert say.state.silent_from == T0 + 8
    say.at(17.9, GOOD, Tick())
    assert say.state.phase is Phase.WATCHING
    say.at(18, GOOD, Tick())
    assert say.state.phase is Phase.SUSPECT
