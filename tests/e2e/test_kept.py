"""A full, a failing and a locked disk or database under a serving bouncer, and a damaged one.

"an alarm at once to the user's clients and ops, lines shown with the promise openly suspended, kept
in a bounded spill and written when it works again; nothing silently lost; `bouncer check` tells"
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK, Site, site
from tests.real.disk import damage, ext4_disk, fail_disk, index_root, locked, small_disk
from tests.real.peer import Peer
from tests.real.process import until

CAPS = ["server-time", "message-tags", "batch"]
OPS = '[ops]\nuser = "alice"\nnetwork = "work"\nchannel = "#ops"\n'
LINE = "x" * 300
WELL = "HISTORY: the database can be written again"
ALARM_S = 15.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "bouncer" / "data"
    place.mkdir(parents=True)
    with small_disk(place, "24m"):
        place.chmod(0o700)
        yield place


@asynccontextmanager
async def talk(here: Site, already: list[str] | None = None) -> AsyncIterator[list[str]]:
    """Bob says a numbered line every few milliseconds; what he said so far."""
    said: list[str] = [] if already is None else already

    async def speak() -> None:
        while True:
            texts = [f"{len(said) + n:05d} {LINE}" for n in range(5)]
            await here.bob.says(*(f"PRIVMSG {CHANNEL} :{text}" for text in texts))
            said.extend(texts)
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        yield said
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def phone_of_alice(here: Site) -> AsyncIterator[Peer]:
    """Her phone, in the channel."""
    async with here.bouncer.attached("alice/work@phone", caps=CAPS) as phone:
        await phone.hears("366", "alice", CHANNEL)
        yield phone


async def shown_up_to(client: Peer, text: str) -> None:
    await client.has_heard("PRIVMSG", CHANNEL, text, within_s=30)


async def talks_on(said: list[str], *clients: Peer, lines: int = 100) -> None:
    """Bob says so many more lines, and each client sees the last of them."""
    wanted = len(said) + lines
    await until(lambda: len(said) > wanted, 10, "bob talks")
    for client in clients:
        await shown_up_to(client, said[wanted - 1])


async def all_kept_once(here: Site, said: list[str]) -> None:
    rows = await here.bouncer.history("alice", NETWORK)
    kept = Counter(row.text for row in rows if row.text in set(said))
    missing = [text[:5] for text in said if text not in kept]
    assert not missing, f"{len(missing)} of {len(said)} are not in history, as {missing[:5]}"
    twice = [text[:5] for text, count in kept.items() if count > 1]
    assert not twice, f"in history twice: {twice[:5]}"
    order = [row.text for row in rows if row.text in kept]
    assert order == sorted(order), "kept in another order than they were said"


async def alarm(here: Site, phone: Peer, cause: str) -> None:
    """Alice's client and the ops channel hear of it, and so does whoever asks."""
    await phone.has_heard("NOTICE", "*", f"HISTORY: The database {cause}*", within_s=ALARM_S)
    await here.bob.has_heard(
        "NOTICE", CHANNEL, f"HISTORY: The database {cause}*", source="alice!*", within_s=ALARM_S
    )
    assert f"HISTORY: The database {cause}" in await here.bouncer.ctl("server", "status")


async def all_clear(here: Site, phone: Peer) -> None:
    await phone.has_heard("NOTICE", "*", WELL, within_s=30)
    await here.bob.has_heard("NOTICE", CHANNEL, WELL, source="alice!*", within_s=30)
    assert "HISTORY" not in await here.bouncer.ctl("server", "status")


async def test_a_full_disk_is_told_at_once_and_all_is_kept_when_there_is_room(
    disk: Path, tmp_path: Path
) -> None:
    async with site(tmp_path, tables=OPS) as here:
        assert "all is well" in await here.bouncer.cli("check")
        async with phone_of_alice(here) as phone:
            async with talk(here) as said:
                await talks_on(said)
                ballast = disk / "ballast"
                fill(ballast)
                await alarm(here, phone, "has no room")
                checked = await here.bouncer.cli("check", expect=2)
                assert f"database.url: {disk} has no room" in checked
                # Lines go on, to those who are there and to those who come.
                await talks_on(said, phone)
                async with here.bouncer.attached("alice/work@late", caps=CAPS) as late:
                    await late.has_heard("NOTICE", "*", "HISTORY: The database has no room*")
                    await talks_on(said, late, lines=10)
                ballast.unlink()
                await all_clear(here, phone)
                await talks_on(said, lines=50)
            await shown_up_to(phone, said[-1])
            assert sorted(set(phone.texts(CHANNEL)) & set(said)) == said, "all was shown"
            here.bouncer.kill()
        await all_kept_once(here, said)


def fill(ballast: Path) -> None:
    """Leave no room at all."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            while True:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    break


async def test_a_locked_database_is_told_at_once_and_all_is_kept_when_it_is_free(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, tables=OPS) as here:
        async with phone_of_alice(here) as phone:
            async with talk(here) as said:
                await talks_on(said)
                path = here.bouncer.data / "muster.db"
                with locked(path):
                    await alarm(here, phone, "is locked by another process")
                    assert "is locked by another" in await here.bouncer.cli("check", expect=2)
                    await talks_on(said, phone)
                await all_clear(here, phone)
            await shown_up_to(phone, said[-1])
            here.bouncer.kill()
        await all_kept_once(here, said)


async def test_what_was_shown_while_it_was_locked_outlives_kill_9(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        async with phone_of_alice(here) as phone:
            with locked(here.bouncer.data / "muster.db"):
                async with talk(here) as said:
                    await phone.has_heard("NOTICE", "*", "HISTORY: *", within_s=ALARM_S)
                    await talks_on(said)
                await shown_up_to(phone, said[-1])
                here.bouncer.kill()
        await here.bouncer.start()
        await all_kept_once(here, said)


async def test_a_damaged_database_is_told_at_once_and_all_is_kept_when_it_is_mended(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, tables=OPS) as here:
        path = here.bouncer.data / "muster.db"
        async with phone_of_alice(here) as phone:
            async with talk(here) as said:
                await talks_on(said)
            await shown_up_to(phone, said[-1])
            page = index_root(path)
            with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                was = damage(path, page)
                # Where somebody else has written SQLite forgets the pages it had read.
                other.execute("INSERT INTO meta (key, value) VALUES ('somebody', 'else')")
            async with talk(here, said):
                await alarm(here, phone, "is damaged")
                assert "the database is damaged" in await here.bouncer.cli("check", expect=2)
                await talks_on(said, phone)
                damage(path, page, was)
                await all_clear(here, phone)
            await shown_up_to(phone, said[-1])
            here.bouncer.kill()
        await all_kept_once(here, said)


async def test_a_disk_that_fails_is_told_at_once_and_what_was_promised_is_there(
    tmp_path: Path,
) -> None:
    """The kernel makes a damaged file system read-only, and nothing makes it writable again."""
    place = tmp_path / "disk"
    place.mkdir()
    with ext4_disk(place, tmp_path / "image", 24 << 20):
        database = f'[database]\nurl = "sqlite:///{place}/muster.db"\n'
        async with site(tmp_path, tables=OPS + database) as here:
            async with phone_of_alice(here) as phone:
                async with talk(here) as said:
                    await talks_on(said)
                await shown_up_to(phone, said[-1])
                promised = list(said)
                fail_disk(place)
                async with talk(here, said):
                    await alarm(here, phone, "is read-only")
                    assert "is read-only" in await here.bouncer.cli("check", expect=2)
                    await talks_on(said, phone)
            await here.bouncer.program.terminate()
            assert "messages wait in" in here.bouncer.program.output
            waiting = (here.bouncer.data / "unwritten").read_text()
            assert all(text in waiting for text in said[len(promised) :])
            assert "is read-only" in await here.bouncer.cli("check", expect=2), "also when at rest"
        with closing(sqlite3.connect(f"file:{place}/muster.db?mode=ro", uri=True)) as rest:
            texts = [row[0] for row in rest.execute("SELECT text FROM messages ORDER BY id")]
    assert [text for text in texts if text.endswith(LINE)] == promised
