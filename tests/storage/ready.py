"""An empty SQLite database that is made once for many tests: each gets a copy of its own.

Making the tables is most of what opening it takes. What tests the making itself does without.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import trio

from storage.store import open_store


@cache
def _files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:

        async def make() -> None:
            async with open_store(f"sqlite:///{place}/muster.db", key=None):
                pass

        trio.run(make)
        return {path.name: path.read_bytes() for path in Path(place).iterdir()}


def _copy(folder: Path) -> None:
    for name, octets in _files().items():
        (folder / name).write_bytes(octets)


async def ready(folder: Path) -> str:
    """The URL of a fresh database in `folder`."""
    await trio.to_thread.run_sync(_copy, folder)
    return f"sqlite:///{folder / 'muster.db'}"
