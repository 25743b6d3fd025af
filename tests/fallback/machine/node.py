"""One voter of the plays: its machines, its store, and what truly happened to it.

What a decider concludes is never asked to judge itself: the facts to judge it by are noted here as
they are fed to it.
"""

from __future__ import annotations

from typing import Any

from fallback import incident, speaker, voter, watch
from fallback.timings import DEFAULTS

NET = "net"
NAMES = ("fra", "hel", "ams")  # ams is the witness
AGENTS = 2
NEVER = float("-inf")


class Node:
    """One voter; `skew` is its clock's error, so all its own times are off by that."""

    def __init__(self, index: int, skew: float) -> None:
        self.index, self.skew = index, skew
        self.name = NAMES[index]
        self.facts: dict[Any, Any] = {}
        self.alive = True
        self.uplink = True
        self.paused_until = 0.0
        self.slept_from: float | None = None
        self.deeds_left: int | None = None  # it is killed after so many actions
        self.heard = NEVER  # the last direct A, on the world's clock
        self.voted_at = NEVER  # on the world's clock
        self.unread: list[speaker.LineSeen] = []  # lines of others in the lobby
        # On its own clock:
        self.woke_at = NEVER  # the last start or stall
        self.last_a = self.a_since = NEVER  # of any A; `a_since`: without a gap of 10 s
        self.shown: dict[str, float] = {}  # when each other voter last showed A
        self.windows: dict[str, watch.Notice] = {}  # maintenance it was told of, not ended
        self.ended: set[str] = set()
        self.closed: set[str] = set()  # incidents it has heard to be over
        self.state = self._new()

    def _new(self) -> voter.VoterState:
        if self.index < AGENTS:
            return voter.agent(self.name, self.index, (NET,), DEFAULTS)
        return voter.witness(self.name, DEFAULTS)

    def forget_all_but_the_store(self) -> None:
        """What kill -9 leaves."""
        self.state = self._new()
        self.shown.clear()
        self.deeds_left = None
        self.unread.clear()

    def dies_now(self) -> bool:
        """Whether the next action is not done any more: its process was killed before it."""
        if self.deeds_left == 0:
            self.alive = False
        elif self.deeds_left is not None:
            self.deeds_left -= 1
        return not self.alive

    def keep(self, fact: Any) -> None:
        key: Any = type(fact)
        if isinstance(fact, incident.TombstoneFact):
            key = fact.tombstone.id
        self.facts[key] = fact

    def kept(self) -> voter.Kept:
        f = self.facts
        stones = tuple(v.tombstone for v in f.values() if isinstance(v, incident.TombstoneFact))
        stood = f.get(incident.StoodDownFact)
        line = f.get(speaker.LineFact)
        return voter.Kept(
            watch.Armed in f,
            f.get(watch.KnownNotices),
            f.get(incident.IncidentFact),
            stones,
            stood.stood_down if stood else False,
            f.get(incident.StanddownFact),
            (line,) if line else (),
        )

    def note(self, event: Any, now: float) -> None:
        """Write down what is about to be fed to it."""
        match event:
            case watch.Heartbeat(_, at):
                at = min(at, now)
                if at > self.last_a:
                    if at >= self.last_a + DEFAULTS.suspect_s:
                        self.a_since = at
                    self.last_a = at
            case voter.Stalled(gap_s) if gap_s > DEFAULTS.self_stall_s:
                self.woke_at = now
            case incident.VoterShows(name, at):
                self.shown[name] = max(self.shown.get(name, NEVER), at)
            case watch.Noticed(notice) if notice.id not in self.ended:
                self.windows[notice.id] = notice
            case watch.NoticeEnded(id):
                self.windows.pop(id, None)
                self.ended.add(id)
            case incident.PeerClosed(_, id):
                self.closed.add(id)
            case _:
                pass

    def in_maintenance(self, now: float) -> bool:
        """A window it was told of has begun, and neither ended nor overrun by ten minutes."""
        grace_s = DEFAULTS.overrun_grace_s
        return any(w.begins <= now < w.ends + grace_s for w in self.windows.values())

    @property
    def own(self) -> incident.IncidentState:
        """An agent's incident."""
        assert self.state.incident is not None
        return self.state.incident

    @property
    def speaks(self) -> bool:
        return self.alive and self.state.speakers[0].phase is speaker.Phase.SPEAKING
