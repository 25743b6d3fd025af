"""S4: coming back. A client attaches to a hundred channels with a long backlog."""

from __future__ import annotations

import re
import statistics
import time

from tests.bench.benchmark import (
    Benchmark,
    Meter,
    Metric,
    Reading,
    Scale,
    Stage,
    Wrong,
    accounts,
    always,
    channel_names,
    no_more_than,
    stage,
)
from tests.bench.corpus import NUMBER
from tests.bench.crowd import WANTED
from tests.bench.dialogue import HISTORY_CAPS, Dialogue, dialogue
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.muster import Muster
from tests.bench.subjects.subject import Account, Subject
from tests.bench.subjects.znc import Znc

MEMBERS = 50
PAGE = 100
_MSGID = re.compile(rb"msgid=([^; ]+)")


def measure(kind: type[Subject], scale: Scale) -> Reading:
    channels = channel_names(scale.attach_channels)
    people = accounts(1, channels)
    with stage(kind, people, MEMBERS, tls=scale.tls) as scene:
        _, subject, _ = scene
        account = people[0]
        # A first visit, so that the bouncer knows the client and keeps its place.
        with dialogue(subject.connect, subject.login(account), WANTED) as client:
            client.state(len(channels))
        fill(scene, scale.attach_backlog, channels)
        reading = {}
        if kind is not Floor:  # it plays nothing back
            reading["playback"] = playback(subject, account, scale)
        times = []
        for _ in range(scale.attach_times):
            with dialogue(subject.connect, subject.login(account), WANTED) as client:
                times.append(client.state(len(channels)) * 1000)
        reading["state"] = statistics.median(times)
        reading["worst"] = max(times)
        with dialogue(subject.connect, subject.login(account, "pager"), HISTORY_CAPS) as client:
            client.state(len(channels))
            if "draft/chathistory" in client.caps:
                reading["first"], reading["pages"] = read_pages(client, channels, scale)
        return reading


def fill(scene: Stage, lines: int, channels: list[str]) -> None:
    """Backlog that nobody sees yet. Returns once the subject has taken and stored it."""
    meter = Meter(scene.subject.pid)
    scene.network.blast(lines, channels)
    scene.network.blasted()
    meter.settled_s()


def playback(subject: Subject, account: Account, scale: Scale) -> float:
    """Seconds until a client that knows no history commands has the whole backlog."""
    began = time.monotonic()
    with dialogue(subject.connect, subject.login(account), WANTED) as client:
        numbers = client.shown(scale.attach_backlog, timeout_s=10)
        took = time.monotonic() - began - client.hash_wait_s
    if len(set(numbers)) < scale.attach_backlog:
        raise Wrong(f"playback showed {len(set(numbers))} of {scale.attach_backlog} lines")
    return took


def read_pages(client: Dialogue, channels: list[str], scale: Scale) -> tuple[float, float]:
    """(milliseconds to the first page, seconds for all), by CHATHISTORY from the newest on."""
    began = time.monotonic()
    first_ms = 0.0
    seen: set[int] = set()
    for channel in channels:
        page = client.batch(f"CHATHISTORY LATEST {channel} * {PAGE}")
        first_ms = first_ms or (time.monotonic() - began) * 1000
        while numbers := [int(number) for number in NUMBER.findall(page)]:
            seen.update(numbers)
            if len(numbers) < PAGE:
                break
            oldest = _MSGID.search(page)
            if not oldest:
                raise Wrong("a page has no msgids")
            page = client.batch(f"CHATHISTORY BEFORE {channel} msgid={oldest[1].decode()} {PAGE}")
    took = time.monotonic() - began
    if len(seen) < scale.attach_backlog:
        raise Wrong(f"pages showed {len(seen)} of {scale.attach_backlog} lines")
    return first_ms, took


ATTACH = Benchmark(
    "attach",
    "S4 attach: 100 channels of 50 members, 50,000 lines of backlog",
    always(
        Metric("state", "full state, beyond the password's verdict", "ms", no_more_than(20)),
        Metric("worst", "the same, slowest", "ms"),
        Metric("first", "first page of history", "ms"),
        Metric("pages", "all backlog by CHATHISTORY", "s", no_more_than(0.6)),
        Metric("playback", "all backlog by playback", "s"),
    ),
    measure,
    (Muster, Znc, Floor),
    notes="Playback is for clients without CHATHISTORY. ZNC's state includes its password's check.",
)
