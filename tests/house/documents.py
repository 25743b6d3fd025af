"""Documents that are printed from the code: `python -m tests.house.documents` writes them anew."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from bouncer.control.registry import COMMANDS, HELP
from fallback.tables import Row, Table
from tests.house.support import support

ROOT = Path(__file__).parents[2]
DECIDERS = ROOT / "docs" / "deciders.md"
SUPPORT = ROOT / "docs" / "support.md"
GROUPS = ROOT / "bouncer" / "cli" / "groups.py"
_QUESTIONS = {
    "watch": "Can I hear the bouncer? One per voter.",
    "incident": "Is it an outage for all of us? One per agent.",
    "speaker": "Do I say it? One per agent and public network.",
    "claims": "Who is this? One per handle, network and connection.",
}
_HEAD = """\
# The deciders' tables

Printed from the code by `python -m tests.house.documents`; a test compares.
[ARCHITECTURE.md](../ARCHITECTURE.md) says how a table is read. A is an authenticated heartbeat, B
anything of the primary that answered; k is the quorum. *Added* marks what the first design lacks.
"""
_GROUPS = '''\
"""The registry's commands by their first words, for whoever cannot wait for its import.

Printed from the code by `python -m tests.house.documents`; a test compares.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {'''


def deciders() -> str:
    """docs/deciders.md as the tables are now."""
    parts = [_HEAD]
    for name, question in _QUESTIONS.items():
        table = importlib.import_module(f"fallback.{name}.rows").TABLE
        parts.append(f"\n## {name.capitalize()}\n\n{question} [{name}/rows.py](")
        parts[-1] += f"../fallback/{name}/rows.py)\n\n{_table(table)}"
    return "".join(parts)


def groups() -> str:
    """bouncer/cli/groups.py as the registry is now."""
    found: dict[str, list[str]] = {}
    for command in COMMANDS:
        if command is not HELP:  # the command line has its own
            found.setdefault(command.words[0], []).extend(command.words[1:])
    rows = [
        f'    "{name}": ({", ".join(map(quoted, names))}{"," * (len(names) == 1)}),'
        for name, names in found.items()
    ]
    return "\n".join([_GROUPS, *rows, "}\n"])


def quoted(word: str) -> str:
    return f'"{word}"'


def _table(table: Table[Any, Any]) -> str:
    every = {state.name for row in table.rows for state in row.states} - {"BOOTING"}
    lines = ["| state | event [guard] | next | action |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row, every) for row in table.rows)]) + "\n"


def _line(row: Row[Any, Any], every: set[str]) -> str:
    names = {state.name for state in row.states}
    others = sorted(every - names)
    states = ", ".join(sorted(names))
    if not others:
        states = "any"
    elif len(others) < len(names) and len(names) > 3:
        states = f"any but {', '.join(others)}"
    when, _, then = row.says.partition(" | ")
    added = f" *Added: {row.hole}.*" if row.hole else ""
    return f"| {states} | {when} | {row.to.name if row.to else 'same'} | {then}{added} |"


if __name__ == "__main__":
    DECIDERS.write_text(deciders())
    SUPPORT.write_text(support())
    GROUPS.write_text(groups())
