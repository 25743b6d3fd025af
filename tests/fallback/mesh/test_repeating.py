"""What is said again and for how long, under virtual time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from bouncer.mesh.heartbeat import Kind
from fallback.mesh.repeating import KEEP_S, OFTEN_S, Repeating

HOUR_S = 3600.0


class Wire:
    """A mesh that keeps what is sent: (when, to whom, what)."""

    def __init__(self) -> None:
        self.others = ["ams", "hel"]
        self.sent: list[tuple[float, str, bytes]] = []
        self.repeating = Repeating(self, lambda: None)  # type: ignore[arg-type]

    def send(self, name: str, _kind: Kind, body: bytes = b"") -> None:
        self.sent.append((trio.current_time(), name, body))

    def since(self, moment: float, name: str) -> int:
        return sum(at > moment and to == name for at, to, _ in self.sent)


@pytest.fixture
async def wire(nursery: trio.Nursery) -> Wire:
    """What is repeated goes over it."""
    made = Wire()
    nursery.start_soon(made.repeating.run)
    return made


async def test_a_closing_is_said_until_every_voter_has_acked(
    wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    """ "Tombstones and stand-downs are gossiped until every voter has acked"."""
    begun = autojump_clock.current_time()
    wire.repeating.until_received(wire.others, "closed:k7", Kind.CLOSED, lambda: b"over")
    await trio.sleep(10.5)
    assert wire.since(begun, "hel") == wire.since(begun, "ams") == 10
    wire.repeating.received("ams", "closed:k7")
    await trio.sleep(OFTEN_S)
    assert wire.since(begun, "ams") == 10, "acked: no more of it"
    for _ in range(3):  # the other is away
        hour = autojump_clock.current_time()
        await trio.sleep(HOUR_S)
        assert 100 <= wire.since(hour, "hel") <= 140
    wire.repeating.received("hel", "closed:k7")
    acked = autojump_clock.current_time()
    await trio.sleep(HOUR_S)
    assert not wire.since(acked, "hel")


async def test_what_helps_nobody_after_ten_minutes_ends_then(
    wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    wire.repeating.until_received(["hel"], "s:code", Kind.JOURNAL, lambda: b"spent")
    await trio.sleep(KEEP_S + 2)
    over = autojump_clock.current_time()
    await trio.sleep(HOUR_S)
    assert not wire.since(over, "hel")


async def test_who_is_no_voter_any_more_is_told_nothing(
    wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    wire.repeating.until_received(["hel"], "closed:k7", Kind.CLOSED, lambda: b"over")
    await trio.sleep(3.5)
    wire.others = ["ams"]
    removed = autojump_clock.current_time()
    await trio.sleep(HOUR_S)
    assert not wire.since(removed, "hel")


async def test_what_is_newer_about_the_same_ends_the_older(
    wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    """Else who was suspended would stand as verified where the first word came last."""
    begun = autojump_clock.current_time()
    for id, body in (("v:1", b"verified"), ("v:2", b"suspended")):
        wire.repeating.until_received(["ams"], id, Kind.JOURNAL, lambda body=body: body, about="c1")
    wire.repeating.until_received(["ams"], "v:3", Kind.JOURNAL, lambda: b"other", about="c2")
    await trio.sleep(2.5)
    assert {what for at, _, what in wire.sent if at > begun} == {b"suspended", b"other"}
