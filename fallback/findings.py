"""What was looked at, how it stands, and what to do about it: one line each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

TELL_AFTER_S = 300.0  # a fault that mends itself sooner is no news


class Level(Enum):
    OK = "ok  "
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `todo` says what to do about it, '' when all is well."""

    level: Level
    what: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.level.value}  {self.what}" + (f": {self.todo}" if self.todo else "")


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warn(what: str, todo: str) -> Finding:
    return Finding(Level.WARN, what, todo)


def fail(what: str, todo: str) -> Finding:
    return Finding(Level.FAIL, what, todo)


def read_finding(line: str) -> Finding:
    """A finding as the running voter wrote it."""
    for level in Level:
        if line.startswith(level.value):
            return Finding(level, line.removeprefix(level.value).strip())
    return ok(line)


@dataclass
class Worries:
    """What stands long enough to be told, once; and that it is mended."""

    _since: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def look(self, found: Iterable[Finding], now: float) -> list[str]:
        """What to tell, given how all stands `now`."""
        bad = {each.what: each for each in found if each.level is not Level.OK}
        lines = [f"mended: {what}" for what in sorted(self._told - bad.keys())]
        self._told &= bad.keys()
        self._since = {what: self._since.get(what, now) for what in bad}
        for what, each in bad.items():
            if what not in self._told and now >= self._since[what] + TELL_AFTER_S:
                self._told.add(what)
                lines.append(f"{what}: {each.todo}")
        return lines
