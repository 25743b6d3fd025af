"""A history of the corpus' lines, made by the storage layer alone: the same rows as the bouncer
would keep, without a network and clients. For what would take too long to say.

`python -m tests.bench.filler URL USER NETWORK SESSION FIRST COUNT CHANNEL…`, while no bouncer runs.
Prints the messages per second that were stored, and those that the indexer took in after it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import trio
from sqlalchemy import Connection, func, select

from storage import accounts, index, schema
from storage.coverage import uncovered
from storage.errors import NotFound
from storage.messages import Row
from storage.records import Network, User
from storage.store import Store, open_store
from tests.bench.corpus import Corpus, msgid
from tests.bench.process import ROOT, Failed

CHUNK_ROWS = 1_000  # of one commit, as a busy bouncer would have them
LONGEST_S = 1_200.0


def filled(
    url: str,
    user: str,
    network: str,
    session: bytes,
    first: int,
    count: int,
    channels: Sequence[str],
) -> tuple[float, float]:
    """Have another process do it: (messages stored, messages indexed) per second. Raises Failed."""
    words = [url, user, network, session.decode(), str(first), str(count), *channels]
    command = [sys.executable, "-m", "tests.bench.filler", *words]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    if done.returncode:
        raise Failed(f"not filled: {done.stderr[-400:]}")
    stored, indexed = map(float, done.stdout.split())
    return stored, indexed


def network_id(connection: Connection, user: str, network: str) -> int:
    """The network of that name; made where there is none."""
    try:
        owner = accounts.get_user(connection, user)
    except NotFound:
        owner = accounts.add_user(connection, User(user))
    try:
        return accounts.get_network(connection, owner.id, network).id
    except NotFound:
        made = Network(owner.id, network, "irc+insecure://127.0.0.1:9")
        return accounts.add_network(connection, made).id


async def fill(
    store: Store, network: int, session: str, numbers: range, channels: Sequence[str]
) -> None:
    """Keep the lines of these numbers, round robin over the channels, a millisecond apart."""
    corpus = Corpus(session)
    start_ms = time.time_ns() // 1_000_000 - len(numbers)
    for chunk in range(0, len(numbers), CHUNK_ROWS):
        rows = []
        for number in numbers[chunk : chunk + CHUNK_ROWS]:
            channel = channels[number % len(channels)]
            account, source, text = corpus.said(number)
            time_ms = start_ms + number - numbers[0]
            own_msgid = msgid(session.encode(), number).decode()
            row = Row(
                store.next_id(), network, channel, channel, time_ms, own_msgid, "PRIVMSG", source,
                account, "", text,
            )  # fmt: skip
            rows.append(row)
        await store.append(rows)


async def main(url: str, user: str, network: str, *words: str) -> None:
    session, first, count, *channels = words
    numbers = range(int(first), int(first) + int(count))
    async with open_store(url) as store:
        at = await store.run(network_id, user, network)
        began = time.monotonic()
        await fill(store, at, session, numbers, channels)
        stored = time.monotonic()
        left = await store.read(not_indexed)
        await store.catch_up()
        indexed = time.monotonic()
    print(len(numbers) / (stored - began), left / (indexed - stored))


def not_indexed(connection: Connection) -> int:
    """How many messages the index has not taken in beside the filling."""
    covered = index.of(connection).covered(connection)
    number = schema.messages.c.id
    counts = (
        connection.scalar(select(func.count()).where(number.between(low, high)))
        for low, high in uncovered(connection, covered)
    )
    return sum(count or 0 for count in counts)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
