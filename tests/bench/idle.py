"""S6: a thousand users who say nothing, each with one network and one client."""

from __future__ import annotations

from tests.bench.benchmark import (
    Aim,
    Benchmark,
    Metric,
    Reading,
    Scale,
    accounts,
    always,
    no_more_than,
    stage,
)
from tests.bench.crowd import Crowd
from tests.bench.process import rss_kib, settled_cpu_s
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.muster import Muster
from tests.bench.subjects.subject import Subject
from tests.bench.subjects.znc import Znc

CHANNEL = "#ops"
MEMBERS = 10
# It brings up one network a second, whatever it is told.
ZNC_USERS = 30


def measure(kind: type[Subject], scale: Scale) -> Reading:
    count = min(scale.idle_users, ZNC_USERS) if kind is Znc else scale.idle_users
    with stage(kind, accounts(1, [CHANNEL]), MEMBERS, tls=scale.tls) as (_, subject, _):
        settled_cpu_s(subject.pid)
        alone_kib = rss_kib(subject.pid)
    people = accounts(count, [CHANNEL])
    with (
        stage(kind, people, MEMBERS, timeout_s=180, tls=scale.tls) as (_, subject, joined_s),
        Crowd(subject.connect) as crowd,
    ):
        settled_cpu_s(subject.pid)
        networks_kib = rss_kib(subject.pid)
        crowd.attach([subject.login(account) for account in people], 1, timeout_s=300)
        settled_cpu_s(subject.pid)
        all_kib = rss_kib(subject.pid)
    reading = {
        "kib": (all_kib - alone_kib) / (count - 1),
        "network": (networks_kib - alone_kib) / (count - 1),
        "total": all_kib / 1024,
    }
    return reading if kind is Znc else reading | {"up": joined_s}


IDLE = Benchmark(
    "idle",
    "S6 idle: users with one network and one client each",
    always(
        Metric("kib", "memory per user", "KiB", Aim(100, at_most=True)),
        Metric("network", "of it without the client", "KiB"),
        Metric("total", "memory of the whole process", "MiB"),
        Metric("up", "start until all networks are joined", "s", no_more_than(2)),
    ),
    measure,
    (Muster, Znc, Floor),
    notes=f"ZNC with {ZNC_USERS} users: it connects one network a second.",
)
