"""Long scenarios side by side: each mostly waits, so that all of them last as the longest.

They run in one thread under one trio.run; a test waits for its own scenario and reports it.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import trio

Scenario = Callable[[Path], Awaitable[None]]
START_APART_S = 4.0  # starting up is the one thing that needs the processor
STOP_S = 30.0


@contextmanager
def running(
    scenarios: Mapping[str, Scenario], folder: Path
) -> Iterator[Mapping[str, Future[None]]]:
    """Start all of them, each in FOLDER/NAME; at the end the rest is cancelled."""
    futures: dict[str, Future[None]] = {name: Future() for name in scenarios}
    scope = trio.CancelScope()
    token: Future[trio.lowlevel.TrioToken] = Future()

    async def run_all() -> None:
        token.set_result(trio.lowlevel.current_trio_token())
        with scope:
            async with trio.open_nursery() as nursery:
                for number, (name, scenario) in enumerate(scenarios.items()):
                    delay_s = number * START_APART_S
                    nursery.start_soon(_one, scenario, folder / name, futures[name], delay_s)

    thread = threading.Thread(target=partial(trio.run, run_all), name="scenarios", daemon=True)
    thread.start()
    try:
        yield futures
    finally:
        with suppress(trio.RunFinishedError):  # all came to their end by themselves
            trio.from_thread.run_sync(scope.cancel, trio_token=token.result())
        thread.join(STOP_S)


async def _one(scenario: Scenario, folder: Path, future: Future[None], delay_s: float) -> None:
    await trio.sleep(delay_s)
    try:
        await scenario(folder)
    except trio.Cancelled:
        future.cancel()
        raise
    except BaseException as error:  # the border: its own test reports it, the others go on
        future.set_exception(error)
    else:
        future.set_result(None)
