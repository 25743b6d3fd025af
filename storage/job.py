"""Something to be done with a connection in another thread, and who is told of its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import outcome
import trio
from sqlalchemy import Connection

Then = Callable[[outcome.Outcome[Any]], None]


class Job:
    """`fn(connection, *args)`. `then` is called in trio's thread with what came of it; it must
    neither wait nor raise."""

    __slots__ = ("args", "fn", "then")

    def __init__(
        self, fn: Callable[..., Any], args: tuple[Any, ...], then: Then | None = None
    ) -> None:
        self.fn = fn
        self.args = args
        self.then = then

    def run(self, connection: Connection) -> Any:
        """Do it, in the thread whose connection it is."""
        return self.fn(connection, *self.args)

    def finish(self, result: outcome.Outcome[Any]) -> None:
        """Called in trio's thread."""
        if self.then is not None:
            self.then(result)

    async def wait(self) -> Any:
        """What it gives. Who is cancelled does not wait for the thread: it goes on, for nobody."""
        self.then = partial(trio.lowlevel.reschedule, trio.lowlevel.current_task())

        def forget(_: object) -> trio.lowlevel.Abort:
            self.then = None
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(forget)
