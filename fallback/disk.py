"""Work on a disk that may hang: by one thread at a time, and nobody waits longer than they say.

What is given is done in turn, also after whoever gave it is gone. Should the disk hang, a bounded
number waits, of alike ones the latest alone. At the end what waits is still done, if in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import structlog
import trio

log = structlog.get_logger("disk")

Result = TypeVar("Result")


class DiskFault(Exception):
    """It was not done, or not in time."""


class Job(Generic[Result]):
    """Something to do, and what came of it."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self.function = function
        self._done = trio.Event()
        self._value: Result
        self._error: BaseException | None = None
        self._awaited = 0

    async def result(self, within_s: float) -> Result:
        """Raises what it raised, and DiskFault after `within_s`; it may be done later."""
        self._awaited += 1
        try:
            with trio.move_on_after(within_s):
                await self._done.wait()
        finally:
            self._awaited -= 1
        if not self._done.is_set():
            raise DiskFault(f"the disk has not answered for {within_s:g} s")
        if self._error is not None:
            raise self._error
        return self._value

    def work(self) -> None:
        """In the thread."""
        try:
            self._value = self.function()
        except BaseException as error:  # whoever waits is told; else it is logged
            self._error = error

    def worked(self) -> None:
        if self._error is not None and not self._awaited:
            log.error("not done", error=str(self._error), exc_info=self._error)
        self._done.set()

    def never(self, why: str) -> None:
        self._error = DiskFault(why)
        self._done.set()


class Disk:
    """To be used in trio's thread alone; `most` jobs wait for one that hangs."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Hashable, Job[object]] = {}
        self._ended = False
        self._idle = trio.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Whether a thread is in it."""
        return not self._idle.is_set()

    async def do(
        self, function: Callable[[], Result], within_s: float = math.inf, *, alike: Hashable = None
    ) -> Result:
        """Have it done. Raises DiskFault, after `within_s` at the latest, and what it raises."""
        return await self.put(function, alike=alike).result(within_s)

    def put(self, function: Callable[[], Result], *, alike: Hashable = None) -> Job[Result]:
        """The same without waiting. It takes the place of one that waits and is `alike`. Raises
        DiskFault where too many wait, and after the end."""
        if self._ended:
            raise DiskFault("the disk is not used any more: this is the end")
        job = self._waiting.get(alike) if alike is not None else None
        if job is not None:
            job.function = function
        elif len(self._waiting) >= self._most:
            raise DiskFault("the disk does not answer")
        else:
            job = self._add(function, alike)
        return job  # type: ignore[return-value]  # alike ones have results alike

    def _add(self, function: Callable[[], object], alike: Hashable = None) -> Job[object]:
        job = Job(function)
        self._waiting[object() if alike is None else alike] = job
        if not self.busy:
            self._begin_next(trio.lowlevel.current_trio_token())
        return job

    def _begin_next(self, token: trio.lowlevel.TrioToken) -> None:
        while self._waiting:
            job = self._waiting.pop(next(iter(self._waiting)))
            try:
                trio.lowlevel.start_thread_soon(job.work, partial(self._worked, job, token))
            except RuntimeError as error:  # this process may have no more threads
                job.never(str(error))
                continue
            if not self.busy:
                self._idle = trio.Event()
            return
        self._idle.set()

    def _worked(self, job: Job[object], token: trio.lowlevel.TrioToken, _: object) -> None:
        """In the job's thread, when it is done."""

        def worked() -> None:
            job.worked()
            self._begin_next(token)

        with suppress(trio.RunFinishedError):  # it hung past the end of the program
            token.run_sync_soon(worked)

    async def end(self, within_s: float, last: Callable[[], object] | None = None) -> None:
        """Take nothing any more, and wait for what was taken and, after it, `last`. What the disk
        has not begun within `within_s` is never done. On the way out: cannot be cancelled."""
        self._ended = True
        if last is not None:
            self._add(last)
        with trio.move_on_after(within_s, shield=True):
            await self._idle.wait()
        never = list(self._waiting.values())
        self._waiting.clear()
        if never:
            log.error("the disk does not answer: never done", jobs=len(never))
        for job in never:
            job.never("the disk did not answer until the end")
