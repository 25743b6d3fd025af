"""Maintenance windows: bounded, numbered, kept across restarts, told until acked."""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bouncer.mesh.beacon import Beacon
from bouncer.mesh.heartbeat import (
    Kind,
    Maintenance,
    acked_name,
    called,
    read_body,
    read_statement,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import Voter
from bouncer.mesh.windows import COUNT, KEPT, MAX_WINDOWS, Windows
from fallback.mesh.answers import evidence
from fallback.mesh.gossip import PADDING, Forwarded
from storage import directory
from storage.store import Store, open_store

KEY = MeshKey(b"b" * 32)
NOW = 1_700_000_000.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'm.db'}") as store:
        yield store


def windows(store: Store, boot: str = "boot") -> Windows:
    return Windows(store, KEY, boot, lambda: NOW)


async def test_a_window_is_signed_and_told_until_it_is_held(store: Store) -> None:
    ours = windows(store)
    window = await ours.begin(NOW, NOW + 600, "new switch")
    [(told, statement)] = ours.to_tell(set())
    assert told == window == read_statement(Maintenance, Kind.MAINTENANCE, KEY.public, statement)
    assert ours.to_tell({acked_name(window)}) == []
    ended = await ours.end()
    assert [each for each, _ in ours.to_tell({acked_name(window)})] == [ended]
    assert ours.open == []


async def test_windows_are_numbered_for_ever_and_known_to_the_next_boot(store: Store) -> None:
    first = windows(store)
    assert called((await first.begin(NOW, NOW + 60, "")).id) == "m1"
    assert called((await first.begin(NOW + 3600, NOW + 7200, "")).id) == "m2"
    second = windows(store, "boot2")
    await second.load()
    assert [called(each.id) for each in second.open] == ["m1", "m2"]
    assert second.in_force is not None
    assert called(second.in_force.id) == "m1"
    assert (await second.end("m2")).ended
    third = await second.begin(NOW, NOW + 60, "")
    assert called(third.id) == "m3"
    assert (await second.end(third.id)).ended


async def test_a_number_given_again_after_a_restore_is_another_window(store: Store) -> None:
    """S8, "nothing accepted twice": voters know a window by its id, and enter none that ended."""
    first = windows(store)
    ended = await first.begin(NOW, NOW + 60, "")
    await first.end()
    await store.run(directory.put_meta, COUNT, "0")
    await store.run(directory.put_meta, KEPT, "[]")
    restored = windows(store, "boot2")
    await restored.load()
    again = await restored.begin(NOW, NOW + 60, "")
    assert called(again.id) == called(ended.id) == "m1"
    assert again.id != ended.id
    assert (await restored.end("m1")).id == again.id


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (NOW, NOW + 13 * 3600, "at most 12 h"),
        (NOW + 60, NOW, "at most 12 h"),
        (NOW - 600, NOW - 60, "over already"),
    ],
)
async def test_a_bad_window_is_refused(begins: float, ends: float, said: str, store: Store) -> None:
    with pytest.raises(ValueError, match=said):
        await windows(store).begin(begins, ends, "")


async def test_words_in_any_script_leave_room_for_the_way_from_voter_to_voter(store: Store) -> None:
    ours = windows(store)
    window = await ours.begin(NOW, NOW + 60, "\N{HORSE FACE}\t" * 150)
    assert window.why.startswith("\N{HORSE FACE}")
    await ours.end()
    [(_window, statement)] = ours.to_tell(set())
    [(kind, body)] = evidence(1, PADDING, heartbeat=None, notices=[statement], answered_s=math.inf)
    assert kind is Kind.FORWARD
    assert base64.b64decode(read_body(Forwarded, body).statement) == statement


async def test_there_are_only_so_many(store: Store) -> None:
    ours = windows(store)
    for _ in range(MAX_WINDOWS):
        await ours.begin(NOW, NOW + 60, "")
    with pytest.raises(ValueError, match="end one first"):
        await ours.begin(NOW, NOW + 60, "")
    with pytest.raises(ValueError, match="there is no maintenance m99; `maintenance list`"):
        await ours.end("m99")


async def test_a_stop_is_told_unless_a_window_covers_it(store: Store) -> None:
    """FALLBACK: "TERM of the bouncer sends a 120 s notice by itself"."""
    ours = windows(store)
    notice = ours.stopping()
    assert notice is not None
    assert (notice.stopping, notice.boot, notice.ends_ms - notice.begins_ms) == (
        True,
        "boot",
        120_000,
    )
    covered = windows(store)
    await covered.begin(NOW, NOW + 600, "")
    assert covered.stopping() is None
    reborn = windows(store, "boot2")
    await reborn.load()
    assert not any(each.stopping for each in reborn.open), "the next boot ends it by itself"


def test_a_voter_that_does_not_answer_is_told_to_ops_once() -> None:
    """FALLBACK: "tells ops after 5 min without an ack"."""
    told: list[str] = []
    beacon = Beacon(None, KEY, tell_ops=told.append)  # type: ignore[arg-type]
    voter = Voter("fra", str(MeshKey.generate().public), "192.0.2.1:6690")
    tracked = beacon.track(voter, since=1000.0)
    for now in (1000.0, 1299.0, 1301.0, 1302.0, 2000.0):
        beacon.watch_acks(tracked, now)
    assert len(told) == 1
    assert "agent fra has not answered for 5 min" in told[0]
