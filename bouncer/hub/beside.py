"""Commands that may take minutes: they run beside the others, each of them once at a time, so that
nobody's next command waits for them.

Who gave one by the service is answered at once where it is done soon, else told later.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

import structlog
import trio

from bouncer.control.actors import Actor
from bouncer.control.grammar import ControlError
from bouncer.hub.answering import FAILED
from bouncer.hub.hub import Hub

AT_ONCE_S = 1.0  # what is done by then is answered like any other command

Work = Callable[[], Awaitable[list[str]]]

log = structlog.get_logger("control")


class Beside:
    """`hubs` by their users' names: whose clients are told what came of it."""

    def __init__(self, hubs: Mapping[str, Hub]) -> None:
        self._hubs = hubs
        self._running: dict[str, str] = {}  # commands -> who gave them

    async def carry_out(
        self, nursery: trio.Nursery, name: str, actor: Actor, work: Work
    ) -> list[str]:
        """What `work` answers, or that it goes on in `nursery`. Raises ControlError, also where the
        command called `name` is at work already."""
        if name in self._running:
            raise ControlError(
                f"busy: {name} is at work already, for {self._running[name]}; "
                "say it again once it has ended"
            )
        self._running[name] = actor.name
        task = _Task()
        nursery.start_soon(self._run, name, actor, work, task)
        with trio.move_on_after(math.inf if actor.waits else AT_ONCE_S):
            await task.ended.wait()
        if not task.ended.is_set():
            task.is_late = True
            return [f"{name} takes a while and goes on; you are told here what comes of it"]
        if task.error is not None:
            raise task.error
        return task.lines

    async def _run(self, name: str, actor: Actor, work: Work, task: _Task) -> None:
        try:
            task.lines = await work()
        except ControlError as error:
            task.error, task.lines = error, [str(error)]
        except Exception as error:  # the task's border: told to whoever gave the command
            task.error, task.lines = error, [FAILED]
            if task.is_late:
                log.exception("command failed", command=name, user=actor.user)
        finally:
            del self._running[name]
            task.ended.set()
        hub = self._hubs.get(actor.user)
        if task.is_late and hub is not None:
            hub.notify(*(f"{name}: {line}" for line in task.lines))


class _Task:
    def __init__(self) -> None:
        self.ended = trio.Event()
        self.lines: list[str] = []
        self.error: Exception | None = None
        self.is_late = False  # who asked does not wait any more
