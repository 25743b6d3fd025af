"""S5: pages and searches in a growing history, over a client's connection.

The processor's time of a question is told too: it is the same on a busy machine. What only the
largest sizes hold is made by the storage layer alone.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable

from tests.bench.benchmark import (
    Aim,
    Benchmark,
    Meter,
    Metric,
    NotYet,
    Reading,
    Scale,
    Stage,
    Wrong,
    accounts,
    channel_names,
    no_more_than,
    quantile,
    stage,
)
from tests.bench.corpus import COMMON_WORD, NUMBER, TICKET_EVERY, msgid, ticket
from tests.bench.crowd import Crowd
from tests.bench.dialogue import HISTORY_CAPS, Dialogue, dialogue
from tests.bench.filler import filled
from tests.bench.process import cpu_s, disk_octets
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.muster import Muster
from tests.bench.subjects.subject import NETWORK, Subject

PAGE = 100
BLAST_LINES = 50_000
INDEXED_LINES = 100_000
THROUGH_NETWORK = 1_000_000  # beyond: by the storage layer alone, or it would take an hour


def measure(kind: type[Subject], scale: Scale) -> Reading:
    channels = channel_names(scale.history_channels)
    people = accounts(1, channels)
    reading: dict[str, float] = {}
    with stage(kind, people, tls=scale.tls) as scene:
        _, subject, _ = scene
        empty = disk_octets(subject.data())
        with dialogue(subject.connect, subject.login(people[0], "reader"), HISTORY_CAPS) as client:
            client.state(len(channels))
            if "draft/chathistory" not in client.caps:
                raise NotYet("it does not offer draft/chathistory")
        held = 0
        if kind is Muster:
            reading["indexed"] = indexed_per_s(scale, channels)
        for size in scale.history_sizes:
            if size <= THROUGH_NETWORK:
                fill(scene, size, channels)
            elif kind is not Muster:
                raise NotYet("what is not said over a network is made for Muster's storage alone")
            else:
                fill_at_rest(scene, range(held, size), channels)
            held = size
            if kind is Muster:
                reading[f"disk-{size}"] = (disk_octets(subject.data()) - empty) / size
            with dialogue(
                subject.connect, subject.login(people[0], "reader"), HISTORY_CAPS
            ) as client:
                client.state(len(channels))
                reading |= ask(client, scene, size, channels, scale.history_asks)
    return reading


def fill(scene: Stage, size: int, channels: list[str]) -> None:
    """Flood until the history holds so many lines, all of them shown and at rest."""
    network, subject, _ = scene
    meter = Meter(subject.pid)
    with Crowd(subject.connect) as crowd:
        crowd.attach([subject.login(subject.accounts[0], "filler")], len(channels))
        while (lines := min(BLAST_LINES, size - network.next_number())) > 0:
            network.blast(lines, channels)
            crowd.receive(lines, keep_numbers=False)
            network.blasted()
    meter.settled_s()


def fill_at_rest(scene: Stage, numbers: range, channels: list[str]) -> None:
    """The same rows, made while the bouncer does not run."""
    network, subject, _ = scene
    subject.stop()
    owner, url = subject.accounts[0].name, f"sqlite:///{subject.data() / 'muster.db'}"
    filled(url, owner, NETWORK, network.session, numbers[0], len(numbers), channels)
    subject.start()
    network.await_joined(len(channels))


def indexed_per_s(scale: Scale, channels: list[str]) -> float:
    """How many messages a second the indexer takes in, with nothing else to do."""
    count = min(INDEXED_LINES, scale.history_sizes[-1])
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        return filled(f"sqlite:///{place}/m.db", "a", NETWORK, b"indexed-", 0, count, channels)[1]


def ask(
    client: Dialogue, scene: Stage, size: int, channels: list[str], times: int
) -> dict[str, float]:
    """Times of each kind of question at random places, in milliseconds."""
    chance = random.Random(size)

    def latest() -> bytes:
        return client.batch(f"CHATHISTORY LATEST {chance.choice(channels)} * {PAGE}")

    def before() -> bytes:
        number = chance.randrange(size)
        channel = channels[number % len(channels)]
        reference = msgid(scene.network.session, number).decode()
        return client.batch(f"CHATHISTORY BEFORE {channel} msgid={reference} {PAGE}")

    def rare() -> bytes:
        number = chance.randrange(0, size, TICKET_EVERY)
        answer = client.batch(f"SEARCH text={ticket(number)}")
        if (found := len(NUMBER.findall(answer))) != 1:
            raise Wrong(f"a search for {ticket(number)} found {found} lines, not 1")
        return answer

    def common() -> bytes:
        return client.batch(f"SEARCH text={COMMON_WORD};limit={PAGE}")

    questions: dict[str, Callable[[], bytes]] = {"latest": latest, "before": before}
    if "soju.im/search" in client.caps:
        questions |= {"rare": rare, "common": common}
    reading = {}
    for name, question in questions.items():
        took_ms = []
        found = 0
        used_s = cpu_s(scene.subject.pid)
        for _ in range(times):
            began = time.monotonic()
            answer = question()
            took_ms.append((time.monotonic() - began) * 1000)
            found += len(NUMBER.findall(answer))
        if not found:
            raise Wrong(f"{name} found nothing in {size} lines")
        reading[f"{name}-p50-{size}"] = quantile(took_ms, 0.5)
        reading[f"{name}-p99-{size}"] = quantile(took_ms, 0.99)
        reading[f"{name}-cpu-{size}"] = (cpu_s(scene.subject.pid) - used_s) * 1000 / times
    return reading


def metrics(scale: Scale) -> tuple[Metric, ...]:
    """Rows for each size; the aims count at the largest."""
    sizes = scale.history_sizes
    rows = []
    aims = {
        "latest": (no_more_than(1), no_more_than(3)),
        "before": (no_more_than(1), no_more_than(3)),
        "rare": (no_more_than(2), no_more_than(4)),
        "common": (None, None),
    }
    labels = {
        "latest": "LATEST 100",
        "before": "BEFORE 100",
        "rare": "search, rare word",
        "common": "search, common word",
    }
    for name, (p50, p99) in aims.items():
        for size in sizes:
            last = size == sizes[-1]
            label = f"{labels[name]} of {size:,}"
            rows.append(Metric(f"{name}-p50-{size}", f"{label}, p50", "ms", p50 if last else None))
            rows.append(Metric(f"{name}-p99-{size}", f"{label}, p99", "ms", p99 if last else None))
            rows.append(Metric(f"{name}-cpu-{size}", f"{label}, CPU of one", "ms"))
    for size in sizes:
        aim = Aim(290, at_most=True) if size == sizes[-1] else None
        rows.append(Metric(f"disk-{size}", f"disk per message of {size:,}", "octets", aim))
    rows.append(Metric("indexed", "indexer, messages a second", "1/s", Aim(5_000)))
    return tuple(rows)


HISTORY = Benchmark(
    "history",
    "S5 history: pages and searches over a client's connection, 50 channels",
    metrics,
    measure,
    (Muster, Floor),
    notes="ZNC has no history to ask. The floor reads a page from SQLite and says it; no search.",
)
