"""What a voter is, by its file and by the roster: an agent that is called a witness speaks nowhere.

The roster is signed and the newer word. Who is called a witness votes as one, on the landmarks of
its file; it leaves the public networks, and goes back once it is called an agent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bouncer.mesh.roster import Roster
from fallback.config import Config
from fallback.findings import Finding, fail
from fallback.journal import Remembered


def as_called(config: Config, roster: Roster | None) -> Config:
    """The file as the roster lets it be: without networks and topics for an agent that is none."""
    if config.role == "agent" and _called(config, roster) == "witness":
        return config.model_copy(update={"role": "witness", "network": (), "push": ()})
    return config


def silent(remembered: Remembered) -> Remembered:
    """What a former agent goes on with: the incident is the others', and people are theirs."""
    kept = replace(remembered.kept, opened=None, order=None, lines=())
    return replace(remembered, kept=kept, stored=replace(remembered.stored, incident="", claims=()))


def about_role(config: Config, roster: Roster) -> Iterator[Finding]:
    """Where the file says another role than the roster."""
    called = _called(config, roster)
    if called and called != config.role:
        so = "so it speaks nowhere" if called == "witness" else "and cannot speak without a network"
        todo = "make them agree: pair it by `bouncer agent add` in the role it is to have"
        yield fail(f"the roster says {called}, this file {config.role}, {so}", todo)


def _called(config: Config, roster: Roster | None) -> str:
    ours = roster.voter(config.name) if roster else None
    return ours.role if ours else ""
