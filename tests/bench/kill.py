"""S7: kill -9 in a flood. What a client was shown must be there afterwards, once."""

from __future__ import annotations

import random
import time

from tests.bench.benchmark import (
    Aim,
    Benchmark,
    Metric,
    Reading,
    Scale,
    Wrong,
    accounts,
    always,
    channel_names,
    no_more_than,
    stage,
)
from tests.bench.crowd import WANTED, Crowd
from tests.bench.dialogue import dialogue
from tests.bench.process import cpu_s
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.muster import Muster
from tests.bench.subjects.subject import Subject
from tests.bench.subjects.znc import Znc

CHANNELS = 10


def measure(kind: type[Subject], scale: Scale) -> Reading:
    channels = channel_names(CHANNELS)
    people = accounts(1, channels)
    account = people[0]
    with stage(kind, people, tls=scale.tls) as (network, subject, _):
        # Known, then away: this client gets everything at its next visit.
        with dialogue(subject.connect, subject.login(account, "late"), WANTED) as client:
            client.state(CHANNELS)
        with Crowd(subject.connect) as crowd:
            crowd.attach([subject.login(account)], CHANNELS)
            network.pace(1_000_000, scale.kill_rate, channels)
            shown = crowd.watch(scale.kill_s * random.uniform(0.5, 1.5))
            subject.kill()
            shown += crowd.watch(1.0)
        network.halt()
        killed_at = time.monotonic()
        subject.start()
        with dialogue(subject.connect, subject.login(account, "late"), WANTED) as client:
            client.until(rb" 001 ")
            cpu_used_s = cpu_s(subject.pid)
            serving_s = time.monotonic() - killed_at - client.hash_wait_s
            stored = subject.stored_numbers()
            if stored is None:
                stored = client.shown(10**9, timeout_s=3)
        if not shown or shown != list(range(shown[0], shown[0] + len(shown))):
            raise Wrong("the flood itself came with gaps")
        kept = set(stored)
        return {
            "shown": len(shown),
            "lost": len(set(shown) - kept),
            "doubled": len(stored) - len(kept),
            "serving": serving_s,
            "cpu": cpu_used_s,
        }


KILL = Benchmark(
    "kill",
    "S7 kill -9 at a random moment of a flood of 5,000 lines/s",
    always(
        Metric("shown", "lines shown before", "lines"),
        Metric("lost", "of these not in the history", "lines", Aim(0, at_most=True)),
        Metric("doubled", "lines twice in the history", "lines", Aim(0, at_most=True)),
        Metric("serving", "start until a client is welcome", "s", no_more_than(0.7)),
        Metric("cpu", "CPU it takes for that", "s"),
    ),
    measure,
    (Muster, Znc, Floor),
    notes="Muster is asked by a client that was away; ZNC's and the floor's files are read.",
)
