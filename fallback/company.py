"""Whom a voter hears, by what it knows its own line, and whether it was awake.

It needs them in an outage alone. So what fails is looked for in peacetime, and told: two voters
that a firewall keeps apart are never a quorum, and with one landmark gone for good a lone agent
never speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import trio

from bouncer.mesh.heartbeat import NO_NONCE
from fallback.findings import Finding, fail, ok
from fallback.mesh.port import Mesh
from fallback.senses.landmarks import Landmarks

if TYPE_CHECKING:
    from fallback.app import Voter

HEARD_S = 10.0  # five greetings
MANY_STALLS, STALLS_WITHIN_S = 5, 600.0


def about_company(voter: Voter) -> Iterator[Finding]:
    """Of a running voter: who waits to be paired, and all of the above."""
    yield from voter.pairing.shown(voter.roster) if voter.roster else ()
    yield from about_voters(voter.mesh, trio.current_time())
    yield from about_landmarks(voter.landmarks)
    yield from about_stalls(voter.conduct.stalled_at, voter.pulse.now())


def about_voters(mesh: Mesh, now: float) -> Iterator[Finding]:
    """Whether each of the other voters is heard and hears us; `now` in trio's time."""
    for name in mesh.others:
        heard_at = mesh.heard_at.get(name, float("-inf"))
        if now - heard_at < HEARD_S and mesh.peers.nonce_of(name) != NO_NONCE:
            yield ok(f"voter {name}: heard, both ways")
        else:
            todo = "if it is up, open the mesh port, UDP, between the voters"
            yield fail(f"voter {name}: not heard", todo)


def about_link(mesh: Mesh) -> Iterator[Finding]:
    """Whether the bouncer's link stands, which alone brings rosters."""
    if mesh.linked:
        yield ok("TLS link from the bouncer")
    else:
        yield fail("no TLS link", "open the mesh port, TCP, for the bouncer")


def about_landmarks(landmarks: Landmarks) -> Iterator[Finding]:
    """The landmarks that do not answer; networks have findings of their own."""
    for name in landmarks.silent():
        todo = "allow it out, or take another: while one is silent, a lone agent is, too"
        yield fail(f"landmark {name}: no answer", todo)


def about_stalls(stalled_at: Sequence[float], now: float) -> Iterator[Finding]:
    """Whether this process stood still again and again; the times are of the latest few."""
    if len(stalled_at) == MANY_STALLS and now < stalled_at[0] + STALLS_WITHIN_S:
        todo = "give it a calmer machine, or a steady clock: after each its watch begins anew"
        yield fail("this voter stalls again and again", todo)
