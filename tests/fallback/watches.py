"""Dialogues with the watch of one voter, and how each of its states is reached."""

from __future__ import annotations

from typing import Any

from fallback import watch
from fallback.timings import Timings
from fallback.watch import (
    Answered,
    Booted,
    Heartbeat,
    Notice,
    Noticed,
    Phase,
    SelfCheck,
    Tick,
    WatchState,
)
from fallback.watch.guards import note
from tests.fallback.dialogue import T0, Dialogue, Scripts

scripts = Scripts()
row = scripts.row
ANNOUNCED_HOME = Timings(announce_home=True)
GOOD, BAD = SelfCheck(5, 5), SelfCheck(2, 5)


def fresh(state: WatchState | None = None) -> Dialogue:
    return Dialogue(watch.TABLE, watch.step, note, Tick(), state or WatchState())


def heard(second: float, **more: Any) -> Heartbeat:
    return Heartbeat(more.pop("boot", "b1"), T0 + second, **more)


def window(id: str = "m1", begins: float = 0, ends: float = 1000, term: str = "") -> Noticed:
    return Noticed(Notice(id, T0 + begins, T0 + ends, term))


def watching(say: Dialogue) -> None:
    say.at(0, Booted(armed=True), heard(0))
    assert say.state.phase is Phase.WATCHING


def suspect(say: Dialogue) -> None:
    watching(say)
    say.at(10, Tick(), GOOD)
    assert say.state.phase is Phase.SUSPECT


def down_site(say: Dialogue) -> None:
    suspect(say)
    say.at(20, GOOD, Tick())
    assert say.state.phase is Phase.DOWN_SITE


def down_service(say: Dialogue) -> None:
    suspect(say)
    for second in range(11, 46):
        say.at(second, GOOD, Answered(T0 + second), Tick())
    assert say.state.phase is Phase.DOWN_SERVICE


def isolated(say: Dialogue) -> None:
    suspect(say)
    say.at(15, BAD)
    assert say.state.phase is Phase.ISOLATED


def maintained(say: Dialogue) -> None:
    watching(say)
    say.at(1, window())
    assert say.state.phase is Phase.MAINTENANCE


REACH = {
    Phase.UNARMED: lambda say: say.at(0, Booted(armed=False)),
    Phase.WATCHING: watching,
    Phase.SUSPECT: suspect,
    Phase.DOWN_SITE: down_site,
    Phase.DOWN_SERVICE: down_service,
    Phase.ISOLATED: isolated,
    Phase.MAINTENANCE: maintained,
}
