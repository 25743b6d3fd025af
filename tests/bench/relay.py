"""S1 and S2: a flood through one user's connection to one client, and to twenty."""

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
    channel_names,
    expect_all,
    stage,
)
from tests.bench.crowd import Crowd
from tests.bench.subjects.subject import Subject

CHANNELS = 10


def flood(kind: type[Subject], scale: Scale, clients: int, lines: int, warm_up: int) -> Reading:
    """Lines per second to each of some clients; all of them are checked by the first one's."""
    channels = channel_names(CHANNELS)
    people = accounts(1, channels)
    with (
        stage(kind, people, tls=scale.tls) as (network, subject, _),
        Crowd(subject.connect) as crowd,
    ):
        logins = [subject.login(people[0], f"client{index}") for index in range(clients)]
        crowd.attach(logins, CHANNELS)
        network.blast(warm_up, channels)
        crowd.receive(warm_up)
        network.blasted()
        first = network.next_number()
        meter = Meter(subject.pid)
        network.blast(lines, channels)
        tally = crowd.receive(lines)
        cpu_until_shown_s = meter.used_s()
        began, _ = network.blasted()
        expect_all(tally.numbers, first, lines)
        return {
            "lines": tally.lines / (tally.last_at - began),
            "cpu": cpu_until_shown_s * 100_000 / tally.lines,
            "settled": meter.settled_s() * 100_000 / tally.lines,
        }


def relay(kind: type[Subject], scale: Scale) -> Reading:
    return flood(kind, scale, 1, scale.relay_lines, scale.warm_up_lines)


def fanout(kind: type[Subject], scale: Scale) -> Reading:
    return flood(kind, scale, scale.fanout_clients, scale.fanout_lines, scale.warm_up_lines // 10)


RELAY = Benchmark(
    "relay",
    "S1 relay: one user, one client, one network that floods",
    always(
        Metric("lines", "lines shown", "/s", Aim(3, ratio=True)),
        Metric(
            "cpu", "CPU per 100,000 lines, until shown", "s", Aim(1 / 3, at_most=True, ratio=True)
        ),
        Metric("settled", "CPU per 100,000 lines, until at rest", "s"),
    ),
    relay,
)
FANOUT = Benchmark(
    "fanout",
    "S2 fan-out: one user, 20 clients, one network that floods",
    always(
        Metric("lines", "lines shown, over all clients", "/s", Aim(6, ratio=True)),
        Metric("cpu", "CPU per 100,000 lines, until shown", "s"),
        Metric("settled", "CPU per 100,000 lines, until at rest", "s"),
    ),
    fanout,
)
