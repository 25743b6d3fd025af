"""Transition tables: one row per row of the specification, run from the top, printable.

A step first notes what the event says in the state (`note` of each machine), then reads the rows
of its phase and event from the top. The first whose guard holds is taken: its action runs and the
phase becomes its `to` (None: it stays). Rows on time, of the machine's `tick`, are read on after
one that stays, so that "VOTE every second" and a transition can stand in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar


class Phased(Protocol):
    """A machine's state: a frozen dataclass with a phase."""

    @property
    def phase(self) -> Any: ...


S = TypeVar("S", bound=Phased)
A = TypeVar("A")

Guard = Callable[[S, Any, float], bool]
Act = Callable[[S, Any, float], tuple[S, Sequence[A]]]


def always(_state: Phased, _event: object, _now: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Row(Generic[S, A]):
    """One row: in `states`, on `event`, if `guard`: run `act`, go `to` (None: same state).

    `says` is the row of the specification, "event [guard] | action", as the printed table
    shows it; `hole` marks a row the specification lacks, with the reason it is needed.
    """

    states: frozenset[Enum]
    event: type
    guard: Guard[S]
    to: Enum | None
    act: Act[S, A]
    says: str
    hole: str = ""


class Table(Generic[S, A]):
    """Rows indexed by (phase, type of event), in their written order."""

    def __init__(self, name: str, tick: type, rows: Iterable[Row[S, A]]) -> None:
        self.name = name
        self._tick = tick
        self.rows = tuple(rows)
        self._index: dict[tuple[Enum, type], list[Row[S, A]]] = {}
        for row in self.rows:
            for state in row.states:
                self._index.setdefault((state, row.event), []).append(row)

    def run(self, state: S, event: object, now: float) -> tuple[S, list[A]]:
        """The state after the event, and what is to be done, in that order."""
        state, actions, _ = self.read(state, event, now)
        return state, actions

    def read(self, state: S, event: object, now: float) -> tuple[S, list[A], list[Row[S, A]]]:
        """As `run`, and the rows that were taken: for tests and for a log that says why."""
        actions: list[A] = []
        taken: list[Row[S, A]] = []
        for row in self._index.get((state.phase, type(event)), ()):
            if row.guard(state, event, now):
                state, more = row.act(state, event, now)
                actions.extend(more)
                taken.append(row)
                if row.to is not None:
                    return replace(state, phase=row.to), actions, taken  # type: ignore[type-var]
                if not isinstance(event, self._tick):
                    break
        return state, actions, taken

    def lines(self) -> list[str]:
        """The table as text: `state | event [guard] | next | action`, holes marked."""
        out = [f"{self.name}: state | event | next | action"]
        for row in self.rows:
            states = ", ".join(sorted(state.name for state in row.states))
            when, _, then = row.says.partition(" | ")
            to = row.to.name if row.to else "same"
            mark = f"  (added: {row.hole})" if row.hole else ""
            out.append(f"{states} | {when} | {to} | {then}{mark}")
        return out
