"""What a network deletes while the database cannot be written is deleted when it can."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import pytest

from storage import owed
from storage.errors import NotWritten
from storage.messages import msgid_of
from storage.owed import MOST, ROOM_BYTES, Owed, Redaction
from storage.store import open_store
from tests.real.disk import small_disk
from tests.storage.busy import busy
from tests.storage.model import add_network, kept, said, until_well


async def test_what_waits_in_memory_can_be_redacted(url: str) -> None:
    """message-redaction: who has deleted it wants it out of history, whenever that is written."""
    async with open_store(url) as store:
        network = await add_network(store)
        rows = [said(store, network, f"line {n}", n) for n in range(3)]
        slip, own = said(store, network, "a slip", 4, msgid="slip"), said(store, network, "own", 5)
        with busy(url):
            assert not await store.append([*rows[:2], slip, own, rows[2]])
            assert await store.redact(network, slip.target, "slip") == slip
            assert await store.redact(network, own.target, msgid_of(own)) == own
            assert await store.redact(network, slip.target, "slip") is None
            assert store.trouble is not None
            assert store.trouble.waiting == 3
        await until_well(store)
        assert await kept(store, network) == rows


async def test_what_cannot_be_redacted_now_is_redacted_later(url: str) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
        slip = said(store, network, "a slip", 1, msgid="slip")
        assert await store.append([slip])
        with busy(url):
            with pytest.raises(NotWritten):
                await store.redact(network, slip.target, "slip")
            await store.redact_owed()
            assert await kept(store, network) == [slip]
        await until_well(store)
        await store.redact_owed()
        assert await kept(store, network) == []


async def test_what_is_to_be_redacted_outlives_a_restart(url: str, tmp_path: Path) -> None:
    file = tmp_path / "redactions"
    async with open_store(url, owed=file) as store:
        network = await add_network(store)
        slips = [said(store, network, "a slip", n, msgid=f"slip{n}") for n in range(3)]
        good = said(store, network, "good", 4)
        assert await store.append([*slips, good])
        with busy(url):
            for slip in slips:
                with pytest.raises(NotWritten):
                    await store.redact(network, slip.target, slip.msgid)
    async with open_store(url, owed=file) as store:
        await store.redact_owed()
        assert await kept(store, network) == [good]
    assert file.read_bytes().strip() == b"", "nothing is owed any more"


async def test_a_full_disk_has_room_for_what_is_to_be_redacted(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place, "4m"):
        url, file = f"sqlite:///{place}/muster.db", place / "redactions"
        async with open_store(url, owed=file) as store:
            network = await add_network(store)
            slip = said(store, network, "a slip", 1, msgid="slip")
            assert await store.append([slip])
            ballast = place / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as filling:
                while filling.write(b"\0" * 4096):
                    pass
            while store.trouble is None:
                await store.append([said(store, network, "x" * 4096, 2)])
            with pytest.raises(NotWritten):
                await store.redact(network, slip.target, "slip")
        ballast.unlink()
        async with open_store(url, owed=file) as store:
            await store.redact_owed()
            assert slip not in await kept(store, network)


async def test_a_file_that_cannot_be_written_is_told_of_once(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "redactions"
    file.mkdir()
    async with open_store(url, owed=file) as store:
        network = await add_network(store)
        slips = [said(store, network, "a slip", n, msgid=f"slip{n}") for n in range(2)]
        assert await store.append(slips)
        with caplog.at_level(logging.ERROR, owed.__name__), busy(url):
            for slip in slips:
                with pytest.raises(NotWritten):
                    await store.redact(network, slip.target, slip.msgid)
        await until_well(store)
        await store.redact_owed()
        assert await kept(store, network) == []
    told = [each for each in caplog.messages if "is forgotten at a restart" in each]
    assert told == [
        f"{file} cannot be written: what is to be deleted is forgotten at a restart "
        "(Is a directory)"
    ]


def test_the_file_is_bounded_and_a_cut_line_takes_no_other_with_it(tmp_path: Path) -> None:
    file = tmp_path / "redactions"
    wanted = [Redaction(1, "#ops", f"{n}{'x' * 40}") for n in range(MOST + 1)]
    owing = Owed(file)
    for each in wanted:
        owing.add(each)
    owing.write()
    assert file.stat().st_size == ROOM_BYTES
    assert Owed(file).first() == wanted[1], "the oldest gave way"
    assert wanted[-1] in Owed(file)
    file.write_bytes(file.read_bytes().strip(b"\n") + b"\n")
    assert Owed(file).first() == wanted[1]
    assert file.stat().st_size == ROOM_BYTES, "what a full disk has cut has its room again"
    content = bytearray(file.read_bytes())
    content[5:60] = b"\xff" * 55
    file.write_bytes(content)
    read = Owed(file)
    assert wanted[1] not in read
    assert wanted[3] in read
    for huge in range(3):
        read.add(Redaction(1, "#ops", f"{huge}{'x' * ROOM_BYTES}"))
    read.write()
    assert file.stat().st_size == ROOM_BYTES
