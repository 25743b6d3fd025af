"""A fault in one user's hub is that user's: it is logged, and the hub is made anew after a pause.

What a session did wrong cannot be known, so nothing of it is kept: clients are told to come back,
networks are gone to again. What was said is in the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial

import structlog
import trio

from bouncer.connections.supervise import STABLE_S, backoff
from bouncer.hub.hub import Hub
from storage.errors import NotFound, StorageError
from storage.records import User

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
GOODBYE = "Something went wrong in the bouncer; it is in its log. Reconnect in a moment"

log = structlog.get_logger("hub")


class Endurance:
    """Serves the hubs that `make` gives, each under its user's name in `hubs` while it runs.

    `find` gives the user as they are now, or raises NotFound.
    """

    def __init__(
        self,
        hubs: MutableMapping[str, Hub],
        make: Callable[[User], Hub],
        find: Callable[[str], Awaitable[User]],
    ) -> None:
        self._hubs = hubs
        self._make = make
        self._find = find
        self._coming: set[str] = set()

    def is_coming(self, name: str) -> bool:
        """Whether a user's hub, which is not there, comes by itself."""
        return name in self._coming

    async def start(self, user: User, nursery: trio.Nursery) -> None:
        """Serve one more in `nursery`; returns when the hub has begun."""
        self._coming.add(user.name)  # at once: somebody else may be about to start the same
        await nursery.start(self.serve, user)

    async def begin(self, users: Sequence[User], nursery: trio.Nursery) -> None:
        """Serve them in `nursery`; returns when all their hubs have begun.

        What keeps one from beginning ends the nursery.
        """
        begun = _AllBegun(len(users))
        for user in users:
            nursery.start_soon(partial(self.serve, user, task_status=begun))
        await begun.all.wait()

    async def serve(
        self, user: User, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run a user's hub until it is stopped or the user is gone.

        Raises what keeps the first one from beginning.
        """
        begun = _Begun(task_status)
        delays = backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._coming.add(user.name)
        try:
            while True:
                hub = self._make(user)
                begun.then = partial(self._is_there, user.name, hub)
                since = trio.current_time()
                try:
                    await hub.run(task_status=begun)
                    return
                except Exception:  # the border between one user and all others
                    if not begun.is_set:
                        raise
                    log.exception("a fault ended the hub of a user", user=user.name)
                self._is_gone(user.name, hub)
                if trio.current_time() - since > STABLE_S:
                    delays = backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
                await trio.sleep(next(delays))
                user = await self._as_is_now(user)
        except NotFound:
            return  # removed in the pause
        finally:
            self._coming.discard(user.name)

    def _is_there(self, name: str, hub: Hub) -> None:
        self._coming.discard(name)
        self._hubs[name] = hub

    def _is_gone(self, name: str, hub: Hub) -> None:
        self._coming.add(name)
        for client in hub.clients.values():
            client.drop(GOODBYE)
        if self._hubs.get(name) is hub:
            del self._hubs[name]

    async def _as_is_now(self, user: User) -> User:
        """Raises NotFound."""
        try:
            return await self._find(user.name)
        except NotFound:
            raise
        except StorageError:
            return user


class _AllBegun(trio.TaskStatus[None]):
    """Waits for so many beginnings; a nursery's own way takes a nursery for each."""

    def __init__(self, awaited: int) -> None:
        self._awaited = awaited
        self.all = trio.Event()
        if not awaited:
            self.all.set()

    def started(self, _value: None = None) -> None:
        self._awaited -= 1
        if not self._awaited:
            self.all.set()


class _Begun(trio.TaskStatus[None]):
    """Passes on the first beginning, and does `then` at each."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status
        self.then: Callable[[], None] = lambda: None
        self.is_set = False

    def started(self, value: None = None) -> None:
        self.then()
        if not self.is_set:
            self.is_set = True
            self._task_status.started(value)
