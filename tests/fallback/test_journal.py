"""The agent's own file: what is kept survives kill -9, what is used stays used, no secret in it."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from bouncer.mesh.proofs import code_hash, new_codes
from fallback import claims, incident, speaker, watch
from fallback.journal import KEEP_S, MAX_ON_THE_WAY, SETTLE_S, Journal, read_fact, write_fact
from storage.incidents import MAX_JOURNAL, Incidents, IncidentsError, Line
from tests.fallback.voters import until

FACTS: list[object] = [
    watch.Armed(),
    watch.KnownNotices(
        (watch.Notice("m1", 1.0, 2.0), watch.Notice("t1", 3.0, 4.0, "boot")), ("m0",)
    ),
    incident.IncidentFact(
        "0199.fra", incident.Kind.QUORUM, False, True, watch.Verdict.SITE, 1.5, 2.5
    ),
    incident.TombstoneFact(incident.Tombstone("0198.fra", True, 1.0, frozenset({"hel"}))),
    incident.StoodDownFact(True),
    incident.StanddownFact(float("-inf"), 7.0),
    speaker.LineFact("pub", "0199.fra", 3.5),
    claims.SpentFact("ab" * 32),
    claims.RevokedFact("ssh:key"),
    claims.ClaimFact(claims.Claim(claims.Connection("pub", 3), "al", claims.Phase.VERIFIED)),
]


VERIFIED = claims.Phase.VERIFIED


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_is_read_as_it_was_written(fact: object) -> None:
    assert read_fact(type(fact), write_fact(fact)) == fact


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b'{"id":5}', b"\xff\xfe", b"null"])
def test_what_cannot_be_read_is_nothing(data: bytes | None) -> None:
    assert read_fact(incident.IncidentFact, data) is None


@asynccontextmanager
async def writing(folder: Path, wall: float = 100.0) -> AsyncIterator[tuple[Incidents, Journal]]:
    """A journal that runs."""
    incidents = Incidents(folder / "f.db")
    journal = Journal(incidents, "fra", "boot1", lambda: wall)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        yield incidents, journal
        nursery.cancel_scope.cancel()
    journal.close()


async def test_everything_kept_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    async with writing(tmp_path) as (_, journal):
        for fact in FACTS:
            await journal.keep(fact)
        await journal.keep_roster(b"document")

    incidents = Incidents(tmp_path / "f.db")
    remembered = Journal(incidents, "fra", "boot2", lambda: 200.0).remember(("pub", "other"))
    incidents.close()
    kept = remembered.kept
    assert kept.armed
    assert kept.notices == FACTS[1]
    assert kept.opened == FACTS[2]
    assert [tombstone.id for tombstone in kept.tombstones] == ["0198.fra"]
    assert kept.tombstones[0].acked == {"hel"}
    assert kept.stood_down
    assert kept.order == FACTS[5]
    assert kept.lines == (FACTS[6],)
    assert remembered.stored.spent == {"ab" * 32}
    assert remembered.stored.revoked == {"ssh:key"}
    assert remembered.stored.claims == (FACTS[9].claim,)  # type: ignore[attr-defined]
    assert remembered.stored.last_number == 3
    assert remembered.roster == b"document"


async def test_only_claims_that_may_go_on_are_remembered(tmp_path: Path) -> None:
    async with writing(tmp_path) as (_, journal):
        alice = claims.Claim(claims.Connection("pub", 3), "al", VERIFIED, "alice", host="al@host")
        await journal.keep(claims.ClaimFact(alice))
        away = replace(alice, phase=claims.Phase.SUSPENDED, away=True)
        for now, remembered in ((away, (away,)), (alice, (alice,))):
            await journal.keep(claims.ClaimFact(now))
            assert journal.remember(("pub",)).stored.claims == remembered
        assert journal.remember(("other",)).stored.claims == ()
        for phase in set(claims.Phase) - {VERIFIED}:
            await journal.keep(claims.ClaimFact(alice))
            await journal.keep(claims.ClaimFact(replace(alice, phase=phase)))
            assert journal.remember(("pub",)).stored.claims == (), phase


async def test_a_closed_incident_is_not_remembered_as_open(tmp_path: Path) -> None:
    async with writing(tmp_path) as (_, journal):
        await journal.keep(FACTS[2])
        none = incident.IncidentFact(
            "", incident.Kind.DRILL, False, False, watch.Verdict.SITE, 0, 0
        )
        await journal.keep(none)
        assert journal.remember(()).kept.opened is None


def test_a_code_is_burned_once(tmp_path: Path) -> None:
    incidents = Incidents(tmp_path / "f.db")
    assert incidents.burn("spent", ["a", "b"], 1) == ["a", "b"]
    assert incidents.burn("spent", ["b", "c"], 2) == ["c"]
    assert incidents.all_burned("spent") == {"a", "b", "c"}
    incidents.close()


async def test_no_secret_is_in_the_journal(tmp_path: Path) -> None:
    async with writing(tmp_path) as (incidents, journal):
        code = new_codes(1)[0]
        journal.note(
            "0199.fra", "pub", "#room", "al!a@h", "", f"my code is {code}, proof {'QUJD' * 60}"
        )
        await journal.flush()
        [line] = incidents.lines()
        assert line.text == "my code is [code], proof [proof]"
        assert code_hash(code) not in line.text


async def test_a_broken_file_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    async with writing(tmp_path) as (_, journal):
        with closing(sqlite3.connect(tmp_path / "f.db")) as connection, connection:
            connection.execute("DROP TABLE journal")
            connection.execute("DROP TABLE facts")
        connection.close()
        journal.note("0199.fra", "pub", "#room", "al!a@h", "", "hello")
        await journal.flush()
        assert journal.dropped == 1
        with pytest.raises(IncidentsError):
            await journal.keep(watch.Armed())


def test_the_file_is_private_and_a_later_format_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    Incidents(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(IncidentsError, match="newer release"):
        Incidents(path)


def test_lines_are_kept_once_by_origin_boot_and_sequence(tmp_path: Path) -> None:
    incidents = Incidents(tmp_path / "f.db")
    line = Line("fra", "b", 1, 5, "0199.fra", "pub", "#room", "al", "alice (ssh)", "hello")
    incidents.write([line])
    incidents.write([line, Line("fra", "b", 2, 4, "0199.fra", "pub", "#room", "al", "", "first")])
    assert [each.text for each in incidents.lines("0199.fra")] == ["first", "hello"]
    assert incidents.lines("other") == []
    incidents.prune()
    assert len(incidents.lines(limit=MAX_JOURNAL)) == 2
    incidents.close()


async def test_what_was_revoked_ends_with_its_incident_and_what_was_spent_does_not(
    tmp_path: Path,
) -> None:
    async with writing(tmp_path, wall=1.0) as (incidents, journal):
        await journal.keep(claims.SpentFact("a" * 64))
        await journal.keep(claims.RevokedFact("account:pub:alice"))
        assert journal.remember(()).stored.revoked == {"account:pub:alice"}
        await journal.forget_people()
        stored = journal.remember(()).stored
        assert (stored.spent, stored.revoked) == ({"a" * 64}, frozenset())
        assert stored.lately == ("a" * 64,)
        half_a_day_on = Journal(incidents, "fra", "boot", lambda: 13 * 3600.0)
        assert half_a_day_on.remember(()).stored.lately == ()


@contextmanager
def hanging(incidents: Incidents) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Inside, the disk takes nothing until the second event is set; the first is when a thread
    hangs."""
    hangs, answers, burn = threading.Event(), threading.Event(), incidents.burn

    def hang(kind: str, digests: list[str], at_ms: int) -> list[str]:
        hangs.set()
        answers.wait()
        return burn(kind, digests, at_ms)

    incidents.burn = hang  # type: ignore[method-assign,assignment]
    try:
        yield hangs, answers
    finally:
        answers.set()


async def test_what_waits_at_the_end_is_written_and_nothing_after_it(tmp_path: Path) -> None:
    async with writing(tmp_path) as (incidents, journal), trio.open_nursery() as nursery:
        with hanging(incidents) as (_, answers):
            for number in range(3):
                nursery.start_soon(journal.keep, claims.SpentFact(str(number)))
            await trio.testing.wait_all_tasks_blocked()
            journal.note("0199.fra", "pub", "#room", "al!a@h", "", "the last word")
            nursery.cancel_scope.cancel()
            answers.set()
    assert not (tmp_path / "f.db-wal").exists(), "the file was closed"
    with pytest.raises(IncidentsError, match="this is the end"):
        await journal.keep(claims.SpentFact("late"))
    incidents = Incidents(tmp_path / "f.db")
    assert incidents.all_burned("spent") == {"0", "1", "2"}
    assert [line.text for line in incidents.lines()] == ["the last word"]
    incidents.close()


async def test_a_disk_that_hangs_holds_up_neither_who_keeps_nor_the_end(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    incidents = Incidents(tmp_path / "f.db")
    journal = Journal(incidents, "fra", "boot", lambda: 1.0)

    async def fails(number: int) -> None:
        with pytest.raises(IncidentsError, match=r"not answered for 1 s|does not answer"):
            await journal.keep(claims.SpentFact(str(number)))

    with hanging(incidents) as (hangs, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run)
            await journal.keep(watch.Armed())
            async with trio.open_nursery() as first:
                first.start_soon(fails, 0)
                await trio.to_thread.run_sync(hangs.wait)
                mock_clock.autojump_threshold = 0  # from here on no thread is waited for
            for number in range(1, MAX_ON_THE_WAY + 2):
                await fails(number)
            assert mock_clock.current_time() == pytest.approx(KEEP_S * (MAX_ON_THE_WAY + 1))
            ended = mock_clock.current_time()
            nursery.cancel_scope.cancel()
        assert mock_clock.current_time() - ended == pytest.approx(SETTLE_S)
        mock_clock.autojump_threshold = math.inf
        journal.close()
        assert (tmp_path / "f.db-wal").exists(), "it stays open under the thread that is in it"
    mock_clock.rate = 1.0
    await until(lambda: not journal._disk.busy)
    incidents.close()
    incidents = Incidents(tmp_path / "f.db")
    assert incidents.all_burned("spent") == {"0"}
    incidents.close()


WRITER = """
import sys, trio
from pathlib import Path
from fallback import claims
from fallback.journal import Journal
from storage.incidents import Incidents

async def main():
    journal = Journal(Incidents(Path(sys.argv[1])), "fra", "boot", lambda: 1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        for number in range(100_000):
            await journal.keep(claims.SpentFact(str(number)))
            print(number, flush=True)  # "acted on": only now

trio.run(main)
"""


def test_what_was_acted_on_was_kept_before_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acted = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        acted += [int(line) for line in process.stdout if line.endswith("\n")]
    incidents = Incidents(path)
    burned = incidents.all_burned("spent")
    incidents.close()
    assert {str(number) for number in acted} <= burned
