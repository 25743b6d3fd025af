"""No number is given twice, whatever the database has forgotten."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing

import sqlalchemy

from storage.coverage import ZONE
from storage.imports import LAST_IMPORTED_ID
from storage.message import LAST
from storage.numbers import BEGUN_S, last_given
from storage.spill import SPILL_ROWS
from storage.store import open_store
from tests.storage.model import add_network

DAY_S = 86_400
# Says that the store is open; shows what cannot be kept, and is killed.
TALKER = """
import os, signal, sys, trio
from storage.messages import Row
from storage.store import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        print("open", flush=True)
        sys.stdin.readline()
        rows = [
            Row(store.next_id(), int(sys.argv[2]), "#a", "#a", n, "", "PRIVMSG", "b!b", "", "", "x")
            for n in range(20)
        ]
        assert not await store.append(rows), "it waits in memory"
        print(rows[-1].id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

trio.run(main)
"""


def lock(url: str) -> closing[sqlalchemy.Connection]:
    """A connection that keeps messages from being written."""
    connection = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect()
    is_sqlite = connection.dialect.name == "sqlite"
    statement = "BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLE messages IN EXCLUSIVE MODE"
    connection.exec_driver_sql(statement)
    return closing(connection)


async def test_what_was_shown_and_lost_leaves_its_numbers_to_nobody(url: str) -> None:
    async with open_store(url) as store:
        network = await add_network(store)
    words = [sys.executable, "-c", TALKER, url, str(network)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: ASYNC220
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with lock(url):
            process.stdin.write("\n")
            process.stdin.flush()
            shown = int(process.stdout.readline())
            assert process.wait() == -signal.SIGKILL
    async with open_store(url) as store:
        assert store.next_id() > shown


def test_the_clock_leads_beyond_what_a_restored_backup_has_forgotten() -> None:
    backed_up = last_given(0, BEGUN_S)
    before = last_given(backed_up + 5, BEGUN_S + DAY_S) + 1_000_000  # what the lost one gave since
    assert last_given(backed_up, BEGUN_S + 2 * DAY_S) > before


def test_a_clock_that_was_set_back_leaves_a_gap() -> None:
    assert last_given(LAST_IMPORTED_ID, 0) > LAST_IMPORTED_ID + 10 * SPILL_ROWS
    assert last_given(1 << 50, BEGUN_S) > (1 << 50) + 10 * SPILL_ROWS


def test_there_are_enough() -> None:
    """Of what own msgids and both databases can hold."""
    in_a_century = last_given(0, BEGUN_S + 36_525 * DAY_S)
    assert in_a_century < LAST >> 16


def test_they_begin_with_a_zone_of_the_search_index() -> None:
    """So that a search takes the same work whenever the bouncer was started."""
    for now_s in (BEGUN_S + 0.0, BEGUN_S + 17.9, BEGUN_S + 86_400.5):
        assert (last_given(0, now_s) + 1) % ZONE == 0
