"""Plays a machine event by event under virtual time, and remembers which rows it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fallback.tables import Row, Table

T0 = 1_700_000_000.0
Script = Callable[["Dialogue", Row[Any, Any]], None]


class Dialogue:
    """`at(3, Event())` says the event 3 s after the start; `actions` are what it asked for.

    `note` and `tick` are the machine's own: it looks at the time after every event.
    """

    def __init__(self, table: Table[Any, Any], step: Any, note: Any, tick: Any, state: Any) -> None:
        self.table, self.step, self.note, self.tick = table, step, note, tick
        self.state = state
        self.taken: list[Row[Any, Any]] = []
        self.actions: list[Any] = []
        self.now = T0

    def at(self, second: float, *events: Any) -> list[Any]:
        """What the machine asks for when it hears these events `second` s after the start."""
        self.now = T0 + second
        said: list[Any] = []
        for event in events:
            self._trace(event)
            self.state, actions = self.step(self.state, event, self.now)
            said += actions
        self.actions = said
        return said

    def _trace(self, event: Any) -> None:
        state = self.note(self.state, event, self.now)
        state, _, taken = self.table.read(state, event, self.now)
        self.taken += taken
        for _ in range(4):
            state, _, taken = self.table.read(state, self.tick, self.now)
            self.taken += taken

    def said(self, kind: type) -> list[Any]:
        """The actions of this type among the last ones."""
        return [action for action in self.actions if isinstance(action, kind)]


class Scripts:
    """Dialogues by the row they show: every row must have one, or its test fails."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}

    def row(self, says: str) -> Callable[[Script], Script]:
        """The dialogue for all rows whose text begins so."""

        def keep(script: Script) -> Script:
            assert says not in self.scripts
            self.scripts[says] = script
            return script

        return keep

    def play(self, row: Row[Any, Any], dialogue: Dialogue) -> None:
        """Run the row's dialogue and check that the row was taken, and led where it says."""
        fitting = [says for says in self.scripts if row.says.startswith(says)]
        assert fitting, f"no dialogue shows the row {row.says!r}"
        self.scripts[max(fitting, key=len)](dialogue, row)
        assert row in dialogue.taken, "the dialogue did not take its row"
        if row.to is not None:
            assert dialogue.state.phase is row.to


def name(row: Row[Any, Any]) -> str:
    """A short name for a row's test."""
    states = "+".join(sorted(state.name for state in row.states))
    return f"{states if len(states) < 40 else 'many'}: {row.says.split(' | ')[0][:60]}"
