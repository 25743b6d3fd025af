"""Who takes part in a simulation, with what, and what is counted of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fallback import incident, voter, watch
from fallback.timings import DEFAULTS, Timings
from tests.fallback.simulator.faults import VoterFaults

NETWORK = "net"


@dataclass(frozen=True, slots=True)
class Setup:
    """A row of the table: who takes part, and which ingredients they have."""

    name: str
    agents: int
    witnesses: int
    timings: Timings = DEFAULTS
    heartbeat_s: int = 1
    self_check: bool = True  # landmarks, and the own loop's gaps
    asks: bool = True  # forwarding and indirect probes
    answers: bool = True  # class B evidence


@dataclass(slots=True)
class Result:
    """Counts over all years. Latencies in seconds from the cut to the announcement."""

    years: int = 0
    false: int = 0
    false_verdicts: int = 0
    announced: int = 0
    cuts: int = 0
    missed: int = 0
    live_cuts: int = 0
    late: int = 0
    latencies: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Voter:
    """One simulated voter: its machines, what it last heard, what the world does to it."""

    def __init__(self, name: str, rank: int | None, faults: VoterFaults, setup: Setup) -> None:
        timings = setup.timings
        self.name = name
        self.faults = faults
        self.is_agent = rank is not None
        made = (
            voter.witness(name, timings)
            if rank is None
            else voter.agent(name, rank, (NETWORK,), timings)
        )
        self.state = made
        self.wake = 0.0
        self.heard = -1  # the last heartbeat, in seconds of the year
        self.queue: list[voter.Event] = []
        self.paused_at: int | None = None
        self.joined = False
        self.outage_from: int | None = None
        self.checked_at = -99
        self.good: bool | None = None
        self.fed_at = -99
        self.noticed: str = ""

    @property
    def phase(self) -> watch.Phase:
        return self.state.watch.phase

    @property
    def calm(self) -> bool:
        own = self.state.incident
        calm = self.phase in (watch.Phase.WATCHING, watch.Phase.MAINTENANCE)
        return calm and (own is None or own.phase is incident.Phase.NONE)
