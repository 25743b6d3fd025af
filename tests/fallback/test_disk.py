"""A disk that hangs: nobody waits longer than they said, and what counts is still written."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
from structlog.testing import capture_logs

from fallback.disk import Disk, DiskFault
from tests.fallback.voters import until

SOON_S = 0.05


@contextmanager
def hanging(disk: Disk) -> Iterator[Callable[[], None]]:
    """Inside, a job hangs in it, until what is given is called."""
    answers = threading.Event()
    disk.put(answers.wait)
    try:
        yield answers.set
    finally:
        answers.set()


async def test_what_is_given_is_done_in_turn_and_answers() -> None:
    disk, done = Disk(8), list[int]()
    jobs = [disk.put(lambda number=number: done.append(number)) for number in range(3)]
    assert await disk.do(lambda: "well") == "well"
    assert done == [0, 1, 2]
    for job in jobs:
        await job.result(0)


async def test_one_thread_at_a_time() -> None:
    disk, inside = Disk(8), threading.Lock()

    def alone() -> None:
        assert inside.acquire(blocking=False)
        inside.release()

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(disk.do, alone)


async def test_who_waits_does_so_no_longer_than_they_say_and_it_is_done_all_the_same() -> None:
    disk, done = Disk(8), list[str]()
    with hanging(disk) as answer:
        with trio.fail_after(5), pytest.raises(DiskFault, match="not answered"):
            await disk.do(lambda: done.append("late"), SOON_S)
        answer()
        await disk.do(lambda: None)
    assert done == ["late"]


async def test_it_is_done_also_when_whoever_gave_it_is_gone() -> None:
    disk, done = Disk(8), list[str]()
    with hanging(disk) as answer:
        with trio.move_on_after(SOON_S):
            await disk.do(lambda: done.append("given"))
        answer()
        await disk.do(lambda: None)
    assert done == ["given"]


async def test_so_many_wait_and_no_more() -> None:
    disk = Disk(2)
    with hanging(disk):
        waiting = [disk.put(lambda: None) for _ in range(2)]
        with pytest.raises(DiskFault, match="does not answer"):
            disk.put(lambda: None)
    for job in waiting:
        await job.result(math.inf)


async def test_of_alike_ones_the_latest_is_done_and_answers_all_who_wait() -> None:
    disk, done = Disk(2), list[int]()
    with hanging(disk) as answer:
        jobs = [disk.put(lambda n=n: done.append(n) or n, alike="state") for n in range(9)]
        answer()
        assert [await job.result(math.inf) for job in jobs] == [8] * 9
    assert done == [8]
    await disk.do(lambda: done.append(9), alike="state")
    assert done == [8, 9], "one that has begun is not alike any more"


async def test_a_fault_is_told_to_who_waits_and_else_to_the_log() -> None:
    def fails() -> None:
        raise OSError("no space left")

    disk = Disk(8)
    with capture_logs() as logs:
        with pytest.raises(OSError, match="no space left"):
            await disk.do(fails)
        assert not logs
        disk.put(fails)
        await disk.do(lambda: None)
    assert [each["error"] for each in logs] == ["no space left"]


async def test_at_the_end_all_is_done_and_the_last_after_it() -> None:
    disk, done = Disk(2), list[str]()
    with hanging(disk) as answer:
        for number in range(2):
            disk.put(lambda number=number: done.append(str(number)))
        with trio.CancelScope() as scope:
            scope.cancel()  # an end comes with it
            answer()
            await disk.end(30, last=lambda: done.append("last"))
    assert done == ["0", "1", "last"]
    with pytest.raises(DiskFault, match="this is the end"):
        disk.put(lambda: None)


async def test_an_end_waits_no_longer_than_its_bound_and_nothing_is_done_later() -> None:
    """Else what is old would be written over what the next voter in this process has written."""
    disk, done, told = Disk(8), list[str](), list[str]()

    async def waits() -> None:
        with pytest.raises(DiskFault, match="until the end"):
            await disk.do(lambda: done.append("too late"))
        told.append("in vain")

    with hanging(disk) as answer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits)
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(5):
                await disk.end(SOON_S, last=lambda: done.append("the last"))
            assert disk.busy
        answer()
        await until(lambda: not disk.busy)
    assert (done, told) == ([], ["in vain"])


NO_THREADS = """
import threading, trio
from fallback.disk import Disk, DiskFault

async def main():
    threading.stack_size(1 << 46)  # more than there is
    disk = Disk(1)
    try:
        await disk.do(lambda: None)
    except DiskFault as fault:
        print(fault)
    threading.stack_size(0)
    print(await disk.do(lambda: "again"))

trio.run(main)
"""


def test_a_process_without_threads_to_spare_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_THREADS], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["can't start new thread", "again"], done.stderr
