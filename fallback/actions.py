"""What every decider may ask of the shell: keep a fact durably, tell the operators.

Rule: actions are performed in the order given, and a `Persist` is finished (on disk) before the
next action begins. A voter killed between two actions therefore never did something it does not
remember.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Persist:
    """Write `fact` durably, replacing an older fact of the same type and key, before going on."""

    fact: object


@dataclass(frozen=True, slots=True)
class TellOps:
    """One line for the operators (home ops channel, room): no cause, customer or host name."""

    text: str
