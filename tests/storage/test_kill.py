"""kill -9 at any moment: what `append` returned for is there, once, and serving goes on at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from storage import messages
from storage.search import search
from storage.store import open_store
from tests.storage.model import add_network

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
