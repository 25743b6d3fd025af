"""kill -9 at any moment: what `append` returned for is there, once, and serving goes on at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from storage import messages
from storage.search import search
from storage.store import open_store
from tests.real.process import Program, until
from tests.storage.busy import busy
from tests.storage.model import add_network, kept

KILLS = 3

# Ten tasks say numbered lines as fast as they are kept, and tell each chunk once it is.
TALKER = """
import os, sys, trio
from storage.messages import Row
from storage.store import open_store

async def speak(store, network, target):
    n = 0
    while True:
        rows = [
            Row(store.next_id(), network, target, target, 1000 + n + k, "", "PRIVMSG",
                "bob!b@example.net", "", "", f"{os.getpid()} {target[1:]} {n + k}")
            for k in range(20)
        ]
        n += 20
        await store.append(rows)
        os.write(1, f"{rows[0].id} {rows[-1].id}\\n".encode())

async def main():
    async with open_store(sys.argv[1]) as store:
        async with trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(speak, store, int(sys.argv[2]), f"#c{n}")

trio.run(main)
"""


async def test_what_was_kept_survives_kill_9(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
    told: list[tuple[int, int]] = []
    for turn in range(KILLS):
        out = tmp_path / f"told-{turn}"
        with out.open("wb") as file:
            words = [sys.executable, "-c", TALKER, sqlite_url, str(network)]
            process = subprocess.Popen(words, stdout=file)  # noqa: ASYNC220 killed below
            while not out.stat().st_size:
                assert process.poll() is None
                time.sleep(0.01)  # noqa: ASYNC251 nothing else runs here
            time.sleep(random.uniform(0.05, 1.0))  # noqa: ASYNC251
            process.kill()
            process.wait()
        lines = out.read_text().splitlines(keepends=True)
        told += [(int(a), int(b)) for a, b in map(str.split, lines[:-1])]

        begun_s = time.monotonic()
        async with open_store(sqlite_url) as store:
            rows = await store.read(messages.since, network, 0, 10_000_000)
            assert time.monotonic() - begun_s < 5
            ids = [row.id for row in rows]
            assert len(set(ids)) == len(ids)
            assert len({row.text for row in rows}) == len(rows), "nothing is there twice"
            kept = set(ids)
            for first, last in told:
                assert kept.issuperset((first, last))
            assert store.next_id() > max(ids)
            newest = rows[-1]
            assert await store.read(search, network, newest.text) == [newest]
            oldest = rows[0]
            assert await store.read(search, network, oldest.text) == [oldest]
    assert len(told) > KILLS


# One task says numbered lines, tells each chunk once it may be shown, and renames the channel there
# and back again after each. After the first one it waits until the database is locked.
IN_TROUBLE = """
import os, sys, trio
from pathlib import Path
from storage.message import Renamed, Row
from storage.store import open_store

async def main():
    url, network, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    async with open_store(url, unwritten=file) as store:
        n, name, other = 0, "#ops", "#team"
        while True:
            rows = [
                Row(store.next_id(), network, name, name, 1000 + n + k, "", "PRIVMSG",
                    "bob!b@example.net", "", "", f"line {n + k}")
                for k in range(20)
            ]
            n += 20
            await store.append([*rows, Renamed(network, name, other, other)])
            name, other = other, name
            os.write(1, f"{n} {name}\\n".encode())
            while not file.with_name("locked").exists():
                await trio.sleep(0.01)

trio.run(main)
"""


@pytest.mark.parametrize("late_s", [0.0, 0.3, 0.6], ids=["before", "while", "after"])
async def test_what_was_shown_in_trouble_survives_kill_9(
    url: str, tmp_path: Path, late_s: float
) -> None:
    """Killed before the database can be written again, or about the moment when it is."""
    file = tmp_path / "unwritten"
    async with open_store(url) as store:
        network = await add_network(store)
    words = [sys.executable, "-c", IN_TROUBLE, url, str(network), str(file)]
    with Program(words, log=tmp_path / "told") as speaker:

        def told() -> int:
            return speaker.output.count("\n")

        await until(told, 30, "it speaks")
        with busy(url):
            file.with_name("locked").touch()
            await until(lambda: told() > 100, 60, "it speaks on, in trouble")
            if not late_s:
                speaker.kill()
        await trio.sleep(random.uniform(late_s / 2, late_s))
        speaker.kill()
    lines, name = speaker.output.splitlines()[-1].split()
    async with open_store(url, unwritten=file) as store:
        assert not file.exists()
        rows = await kept(store, network)
        assert [row.text for row in rows] == [f"line {n}" for n in range(len(rows))]
        assert len(rows) >= int(lines), "what was shown is there"
        names = {row.target for row in rows}
        assert len(names) == 1, "each renaming was done, and once"
        assert len(rows) > int(lines) or names == {name}
