"""How a drill is told: time stamps, numbered steps, the table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO


class StepFailed(AssertionError):
    """A step was not observed; the text says which, and what was seen instead."""


@dataclass
class Story:
    """Tells to `out`. Marks are moments by name; durations are from one mark to another."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    marks: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    _begun: float = field(default_factory=time.monotonic)

    def tell(self, text: str) -> None:
        """One line of narration with the wall clock and the seconds since the beginning."""
        clock = datetime.now(UTC).strftime("%H:%M:%SZ")
        print(f"{clock} {time.monotonic() - self._begun:6.1f}s  {text}", file=self.out, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A step that must be observed: told when it was. Raises StepFailed."""
        try:
            yield
        except AssertionError as error:
            raise StepFailed(f"not observed: {text}\n{error}") from error
        self.steps += 1
        self.tell(f"[{self.steps:2d}] {text}")

    def mark(self, name: str) -> float:
        """Remember this moment under `name`, the first time that it is named."""
        return self.marks.setdefault(name, time.monotonic())

    def since(self, first: str, second: str) -> float:
        """Seconds from one mark to another."""
        return self.marks[second] - self.marks[first]

    def quote(self, who: str, text: str) -> None:
        """What an IRC client just read, word for word."""
        self.tell(f"       <{who}> {text}")

    def table(self, rows: list[tuple[str, str, str]]) -> None:
        """Three columns: from where to where, how long, and the promise."""
        widths = [max(len(row[n]) for row in rows) for n in range(3)]
        rule = "+-" + "-+-".join("-" * width for width in widths) + "-+"
        print(rule, file=self.out)
        for n, row in enumerate(rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("| " + " | ".join(cells) + " |", file=self.out)
            if n == 0:
                print(rule, file=self.out)
        print(rule, file=self.out, flush=True)
