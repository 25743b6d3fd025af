"""What is done every so often, for as long as the bouncer runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
import trio

from bouncer.hub.hub import Hub
from bouncer.hub.keeping import Cursors
from storage.errors import StorageError
from storage.retention import Keep
from storage.store import Store

TICK_S = 1.0
SAVE_CURSORS_S = 2.0
REDACT_S = 5.0
MERGE_S = 5.0
PRUNE_S = 3600.0

log = structlog.get_logger("bouncer")


async def tick(hubs: Mapping[str, Hub]) -> None:
    """Tell the sessions of all hubs that time has passed."""
    while True:
        await trio.sleep(TICK_S)
        for hub in hubs.values():
            hub.tick()


async def save_cursors(cursors: Cursors) -> None:
    """Write down what clients have confirmed."""
    while True:
        await trio.sleep(SAVE_CURSORS_S)
        await cursors.save()


async def redact_owed(store: Store) -> None:
    """Delete what its network has deleted while the database could not be written."""
    await _keep_at(store.redact_owed, REDACT_S, "message not redacted")


async def merge(store: Store) -> None:
    """Bring together what was kept of one conversation under two names."""
    await _keep_at(store.merge, MERGE_S, "conversations not merged")


async def prune(store: Store, keep_s: Callable[[], int | None]) -> None:
    """Let go of what is kept too long, every hour, in steps that hinder nobody."""

    async def work() -> None:
        gone = await store.prune(Keep(age_s=keep_s()))
        log.info("history pruned", messages=gone)

    await _keep_at(work, PRUNE_S, "history not pruned")


async def _keep_at(work: Callable[[], Awaitable[object]], every_s: float, failure: str) -> None:
    """What the store cannot do this time it does the next."""
    while True:
        await trio.sleep(every_s)
        try:
            await work()
        except StorageError as error:
            log.error(failure, reason=str(error))
