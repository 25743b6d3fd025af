"""A flood on one user's network must not delay what other users read."""

from __future__ import annotations

from tests.bench.benchmark import (
    Aim,
    Benchmark,
    Metric,
    Reading,
    Scale,
    accounts,
    always,
    channel_names,
    quantile,
    stage,
)
from tests.bench.crowd import Crowd
from tests.bench.subjects.subject import Subject

QUIET_USERS = 10
RATE = 50  # lines a second to each of them, each with a clock


def measure(kind: type[Subject], scale: Scale) -> Reading:
    channels = channel_names(2)
    flooded, *quiet = accounts(1 + QUIET_USERS, channels)
    nicks = [account.nick for account in quiet]
    with (
        stage(kind, [flooded, *quiet], tls=scale.tls) as (network, subject, _),
        Crowd(subject.connect) as crowd,
    ):
        crowd.attach([subject.login(account) for account in (flooded, *quiet)], len(channels))
        lines = int(scale.trickle_s / 2 * RATE)
        # It lasts longer than the trickle; what is left of it is cut off.
        network.blast(scale.relay_lines * 5, channels, [flooded.nick])
        network.pace(lines, RATE, channels, 1, nicks)
        tally = crowd.receive(lines, keep_numbers=False, nicks=nicks)
        network.paced()
        return {
            "p50": quantile(tally.delays_s, 0.5) * 1000,
            "p99": quantile(tally.delays_s, 0.99) * 1000,
            "worst": max(tally.delays_s) * 1000,
        }


FAIRNESS = Benchmark(
    "fairness",
    "Fairness: what ten quiet users wait while another one's network floods",
    always(
        Metric("p50", "delay of their lines, p50", "ms"),
        Metric("p99", "delay of their lines, p99", "ms", Aim(20, at_most=True)),
        Metric("worst", "delay of their lines, worst", "ms"),
    ),
    measure,
)
