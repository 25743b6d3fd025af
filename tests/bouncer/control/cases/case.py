"""What a case is, and the lines that many begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bouncer.mesh.keys import MeshKey

KEY = str(MeshKey(b"\1" * 32).public)
SSH = "'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSpeMWYHBy+PDsSVWbgFvKrXNIFq+yvpvIr/TP6N8 alice@x'"
CERT = "ab" * 32

ALICE = "user add alice --password secret"
LIBERA = "network add alice libera ircs://irc.libera.chat"
CHANNEL = "channel add alice libera '#ops'"
STAFF = "staff add alice --role net --oncall 1"
AGENT = f"agent add fra 192.0.2.1:7000 {KEY}"


@dataclass(frozen=True)
class Case:
    """One right use and one wrong one. `own` is the line a user types about their own things;
    without one the line is the same at every door."""

    line: str
    answers: str  # a pattern for the reply, its lines joined by newlines
    wrong: str
    complaint: str  # a pattern for what a wrong use is told
    before: Sequence[str] = ()
    own: str = ""


def of_alice(line: str, answers: str, wrong: str, complaint: str, *before: str) -> Case:
    """A case about a user's things: alice says the same about her own, without her name."""
    own = line.replace(" alice", "", 1)
    return Case(line, answers, wrong, complaint, [ALICE, *before], own)


def of_libera(line: str, answers: str, wrong: str, complaint: str, *before: str) -> Case:
    """A case about a network of hers."""
    return of_alice(line, answers, wrong, complaint, LIBERA, *before)
