"""S3: a whole team in one channel, each with a connection and a client of their own."""

from __future__ import annotations

from tests.bench.benchmark import (
    Aim,
    Benchmark,
    Meter,
    Metric,
    Reading,
    Scale,
    accounts,
    always,
    expect_all,
    no_more_than,
    quantile,
    stage,
)
from tests.bench.crowd import Crowd
from tests.bench.network import FakeNetwork
from tests.bench.subjects.subject import Subject

CHANNEL = "#ops"
TRICKLE_PER_S = 20  # lines whose delay is measured
# Lines shown a second, over all users; the last is half of what ZNC does at its best.
LOADS = {"1k": 1_000, "10k": 10_000, "20k": 20_000}


def measure(kind: type[Subject], scale: Scale) -> Reading:
    people = accounts(scale.team_users, [CHANNEL])
    with (
        stage(kind, people, tls=scale.tls) as (network, subject, _),
        Crowd(subject.connect) as crowd,
    ):
        crowd.attach([subject.login(account) for account in people], 1)
        network.blast(scale.team_lines // 10, [CHANNEL])
        crowd.receive(scale.team_lines // 10)
        network.blasted()
        first = network.next_number()
        meter = Meter(subject.pid)
        network.blast(scale.team_lines, [CHANNEL])
        tally = crowd.receive(scale.team_lines)
        cpu_s = meter.used_s()
        began, _ = network.blasted()
        expect_all(tally.numbers, first, scale.team_lines)
        reading = {
            "lines": tally.lines / (tally.last_at - began),
            "cpu": cpu_s * 100_000 / tally.lines,
        }
        for name, per_s in LOADS.items():
            reading |= trickle(network, crowd, subject, scale, name, per_s)
        return reading


def trickle(
    network: FakeNetwork, crowd: Crowd, subject: Subject, scale: Scale, name: str, per_s: float
) -> dict[str, float]:
    """Delays of 20 lines a second among others, from the network's send to each client."""
    rate = max(TRICKLE_PER_S, per_s / scale.team_users)
    lines = int(rate * scale.trickle_s)
    meter = Meter(subject.pid)
    network.pace(lines, rate, [CHANNEL], stamp_every=max(1, round(rate / TRICKLE_PER_S)))
    tally = crowd.receive(lines)
    cpu_s = meter.used_s()
    began, ended = network.paced()
    took_s = max(ended, tally.last_at) - began  # who cannot keep up is busy for longer
    return {
        f"p50-{name}": quantile(tally.delays_s, 0.5) * 1000,
        f"p99-{name}": quantile(tally.delays_s, 0.99) * 1000,
        f"core-{name}": 100 * cpu_s / took_s,
    }


TEAM = Benchmark(
    "team",
    "S3 team: 50 users in one channel, one client each",
    always(
        Metric("lines", "lines shown, over all users", "/s", Aim(2.5, ratio=True)),
        Metric("cpu", "CPU per 100,000 lines shown", "s"),
        Metric("p50-1k", "delay at 1,000 lines/s, p50", "ms"),
        Metric("p99-1k", "delay at 1,000 lines/s, p99", "ms", no_more_than(12)),
        Metric("core-1k", "CPU at 1,000 lines/s", "% of a core"),
        Metric("p50-10k", "delay at 10,000 lines/s, p50", "ms"),
        Metric("p99-10k", "delay at 10,000 lines/s, p99", "ms", no_more_than(20)),
        Metric("core-10k", "CPU at 10,000 lines/s", "% of a core", no_more_than(60)),
        Metric("p50-20k", "delay at 20,000 lines/s, p50", "ms"),
        Metric("p99-20k", "delay at 20,000 lines/s, p99", "ms"),
        Metric("core-20k", "CPU at 20,000 lines/s", "% of a core"),
    ),
    measure,
    notes="Delays: of 20 lines a second among all, from the network's send to the client's read.",
)
