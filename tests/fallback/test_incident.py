"""The incident, row by row: each dialogue shows one row of FALLBACK.md §3, "Incident"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fallback import incident, watch
from fallback.incident import (
    Kind,
    Phase,
    Watched,
)
from fallback.tables import Row
from fallback.timings import Solo, Timings
from fallback.watch import Sight
from tests.fallback import test_incident_ends, test_incident_opens  # noqa: F401 - more rows
from tests.fallback.dialogue import T0, name
from tests.fallback.incidents import (
    an_id,
    down,
    fresh,
    peer,
    scripts,
    vote,
)


@pytest.mark.parametrize("line", incident.TABLE.rows, ids=name)
def test_row(line: Row[Any, Any]) -> None:
    asks = "!confirm" in line.says.split(" | ")[1] or "ops were asked" in line.says
    scripts.play(line, fresh(Timings(solo=Solo.ASK) if asks else None))


def test_the_table_can_be_printed() -> None:
    text = incident.TABLE.lines()
    assert len(text) == 1 + len(incident.TABLE.rows)
    print("\n".join(text))


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
