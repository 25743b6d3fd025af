"""What waits for the database as Muster ends, in whatever way, is in it after the next start, once.

A copy of the file, put back later, is what `kill -9` at that moment would have left.
"""

from __future__ import annotations

import errno
import json
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import trio

from storage.message import Kept, Renamed, Row
from storage.search import search
from storage.spill import Spill
from storage.store import open_store
from storage.unwritten import MOST_BYTES, Journal
from tests.real.disk import small_disk
from tests.real.process import until
from tests.storage.busy import busy
from tests.storage.model import add_network, kept, said, until_well


def line(number: int, text: str, target: str = "#ops") -> Row:
    source = "bob!b@example.net"
    return Row(number, 1, target, target, number, "", "PRIVMSG", source, "", "", text)


async def taken_in(tmp_path: Path) -> list[Row]:
    """What a start would find."""
    url = f"sqlite:///{tmp_path}/other.db"
    async with open_store(url) as store:
        network = await add_network(store)
        assert network == 1
    async with open_store(url, unwritten=tmp_path / "unwritten") as store:
        return await kept(store, network)


async def test_what_a_lock_held_up_to_the_end_is_there_after_it(url: str, tmp_path: Path) -> None:
    """Who is told that the database is locked may well restart Muster first."""
    file = tmp_path / "unwritten"
    with ExitStack() as held:
        async with open_store(url, unwritten=file) as store:
            network = await add_network(store)
            rows = [said(store, network, f"line {n} \u00e9", n) for n in range(2_500)]
            assert await store.append(rows[:10])
            await store.catch_up()
            held.enter_context(busy(url))
            assert not await store.append(rows[10:])
        assert file.stat().st_mode & 0o777 == 0o600
    left = file.read_bytes()
    async with open_store(url, unwritten=file) as store:
        assert not file.exists()
        assert await kept(store, network) == rows
        assert await store.read(search, network, "2499") == rows[-1:]
        assert store.next_id() > rows[-1].id
    file.write_bytes(left + json.dumps(rows[0]).encode()[:20])  # killed before it was removed
    async with open_store(url, unwritten=file) as store:
        assert await kept(store, network) == rows


async def test_where_no_file_can_be_made_the_loss_is_told(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(url, unwritten=tmp_path / "missing" / "unwritten") as store:
        network = await add_network(store)
        with busy(url):
            assert not await store.append([said(store, network, "x", 1)])
            await store._close()
    assert "1 messages could not be written before the end" in caplog.text


async def test_it_is_in_the_file_as_soon_as_it_may_be_shown(url: str, tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(30)]
        with busy(url):
            for row in rows[:20]:
                assert not await store.append([row])
            left = file.read_bytes()
        await until_well(store)
        assert not file.exists(), "it is in the database now"
        with busy(url):
            assert not await store.append(rows[20:])
            more = file.read_bytes()
        await until_well(store)
        assert await kept(store, network) == rows
    file.write_bytes(left + more)
    async with open_store(url, unwritten=file) as store:
        assert await kept(store, network) == rows, "once"
    file.write_bytes(left + more)
    assert await taken_in(tmp_path) == rows


async def test_what_was_deleted_does_not_come_back(url: str, tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n, msgid=f"id{n}") for n in range(5)]
        with busy(url):
            assert not await store.append(rows)
            for place in (4, 0, 2):
                assert await store.redact(network, "#ops", f"id{place}") == rows[place]
            left = file.read_bytes()
            assert b"line 2" not in left
        await until_well(store)
    file.write_bytes(left)
    assert await taken_in(tmp_path) == [rows[1], rows[3]]


async def test_the_same_renaming_twice_is_done_twice(url: str, tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        there = Renamed(network, "#ops", "#team", "#team")
        back = Renamed(network, "#team", "#ops", "#ops")
        names = ("#ops", "#team", "#ops", "#team")
        rows = [said(store, network, "line", n, name) for n, name in enumerate(names)]
        with busy(url):
            waiting: list[Kept] = [rows[0], there, rows[1], back, rows[2], there, rows[3]]
            assert not await store.append(waiting)
            await store._close()
    async with open_store(url, unwritten=file) as store:
        assert [row.target for row in await kept(store, network)] == ["#team"] * 4


async def test_what_was_renamed_is_not_renamed_again(url: str, tmp_path: Path) -> None:
    """Its old name is that of another conversation by then."""
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        old, new = said(store, network, "old", 1), said(store, network, "new", 2)
        with busy(url):
            assert not await store.append([old, Renamed(network, "#ops", "#team", "#team"), new])
            left = file.read_bytes()
        await until_well(store)
    for again in (left, left + left):  # the file of two outages cannot be, but is no reason to fail
        file.write_bytes(again)
        async with open_store(url, unwritten=file) as store:
            got = [(row.target, row.text) for row in await kept(store, network)]
            assert got == [("#team", "old"), ("#ops", "new")]


async def test_while_its_process_lives_nobody_else_takes_it_in(url: str, tmp_path: Path) -> None:
    """As `bouncer history stats`, which opens the database, while the bouncer serves."""
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        row = said(store, network, "line", 1)
        with busy(url):
            assert not await store.append([row])
            assert await taken_in(tmp_path) == []
            assert file.exists()
        await until_well(store)
        assert await kept(store, network) == [row]


async def test_a_file_that_fails_is_told_of_once_and_used_when_it_works_again(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place, "4m"):
        file, ballast = place / "unwritten", place / "ballast"
        async with open_store(url, unwritten=file) as store:
            network = await add_network(store)
            rows = [said(store, network, "x" * 400, n) for n in range(3_000)]
            with busy(url):
                assert not await store.append(rows[:1_000])
                with suppress(OSError), ballast.open("wb", buffering=0) as filling:
                    while filling.write(b"\0" * 4096):
                        pass
                for start in range(1_000, len(rows), 100):
                    assert not await store.append(rows[start : start + 100])
                assert file.read_bytes().endswith(b"]\n"), "nothing is cut"
                await trio.sleep(1.2)  # it tries again, and again in vain
                ballast.unlink()
                await until(lambda: file.read_bytes().count(b"]\n") == 3_000, 5, "all is there")
            await until_well(store)
            assert await kept(store, network) == rows
    told = [each for each in caplog.messages if "cannot be written" in each]
    assert told == [
        f"{file} cannot be written: what waits in memory is lost if Muster is killed "
        "(No space left on device)"
    ]


async def test_what_no_database_holds_keeps_nobody_from_starting(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "unwritten"
    async with open_store(url, unwritten=file) as store:
        network = await add_network(store)
        texts = ["a", "half \ud800 a pair", "nul \0 inside", "b"]
        rows = [said(store, network, text, n) for n, text in enumerate(texts)]
        huge = said(store, network, "huge", 1 << 70)
        with busy(url):
            assert not await store.append([*rows[:2], huge, *rows[2:]])
            await store._close()
    async with open_store(url, unwritten=file) as store:
        texts = [row.text.replace("\0", "") for row in await kept(store, network)]
        assert texts == ["a", "half ? a pair", "nul  inside", "b"]
    assert f"a message of network {network} cannot be kept" in caplog.text


async def test_of_a_spoilt_file_the_rest_is_taken_in(tmp_path: Path) -> None:
    rows = [line(n, f"line {n}") for n in range(1, 4)]
    spoilt = ["[1, 2", "[]", "7", '"eleven char"', '{"a": 1}', json.dumps([*rows[0]][:-1]), "\0\0"]
    lines = [json.dumps(rows[0]), *spoilt, json.dumps(rows[1]), " " * 40, json.dumps(rows[2])]
    (tmp_path / "unwritten").write_bytes("\n".join(lines).encode() + b"\xff\n")
    assert await taken_in(tmp_path) == rows[:2]


async def test_the_spill_and_its_file_go_together(tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    file.write_text("[1, 2")  # of somebody else, and cut
    spill = Spill(file)
    rows = [line(n, f"line {n}") for n in range(1, 3_001)]
    assert spill.put(rows) == 0
    assert spill.withdraw(1, "#ops", "mzzz") is None
    withdrawn = spill.withdraw(1, "#ops", "m1jk")
    assert withdrawn == rows[1_999]
    rows.remove(withdrawn)
    spill.drop(1_000)
    assert spill.withdraw(1, "#ops", "ms") is None, "line 28 is in the database"
    assert spill.put([line(4_000, "more")]) == 0
    assert list(spill.some(0, 5_000)) == [*rows[1_000:], line(4_000, "more")]
    spill.keep_up()
    left = file.read_bytes()
    spill.drop(len(spill))
    assert file.read_bytes() == b"[1, 2\n"
    file.write_bytes(left)
    assert await taken_in(tmp_path) == [*rows[1_000:], line(4_000, "more")]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "unwritten"
    file.touch()
    with file.open("r+b") as sparse:
        sparse.truncate(MOST_BYTES - 500)
    journal = Journal(file)
    journal.append([line(1, "x")])
    with pytest.raises(OSError, match="too large") as raised:
        journal.append([line(2, "x" * 400)])
    assert raised.value.errno == errno.EFBIG
    assert len(journal) == 1
    assert file.stat().st_size < MOST_BYTES
