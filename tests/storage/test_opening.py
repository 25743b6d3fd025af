"""Several open a database at the same moment, as at a first start with somebody who cannot wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

from storage import accounts
from storage.errors import OutOfReach
from storage.store import open_store

MANY = 4
OPENER = """
import sys, trio
from storage import accounts
from storage.records import User
from storage.store import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.run(accounts.add_user, User(sys.argv[2]))

print("ready", flush=True)
sys.stdin.readline()
trio.run(main)
"""


async def test_all_of_them_can(url: str) -> None:
    pipe = subprocess.PIPE
    openers = []
    for n in range(MANY):
        words = [sys.executable, "-c", OPENER, url, f"user{n}"]
        openers.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True))  # noqa: ASYNC220
    for each in openers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in openers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in openers:
        _, errors = each.communicate(timeout=120)
        assert each.returncode == 0, errors
    async with open_store(url) as store:
        assert len(await store.read(accounts.list_users)) == MANY


async def test_a_server_that_is_away_may_come_back() -> None:
    """The bouncer's unit tries again: it must not be given up for a fault of the configuration."""
    with pytest.raises(OutOfReach, match="cannot be reached"):
        async with open_store("postgresql://muster@/muster?host=/nowhere"):
            pass
