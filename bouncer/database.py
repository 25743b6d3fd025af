"""The store that a configuration names, with the key file that seals its secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bouncer.alone import DATA_MODE
from bouncer.config import Config
from storage.store import Store, open_store
from storage.vault import load_key

KEY_FILE = "secrets.key"
OWED_FILE = "redactions"  # what is still to be deleted, see `storage.owed`


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Store]:
    """Open the store of `config`; makes the data directory and the key file where missing.

    Raises StorageError, or OSError for a data directory that cannot be made.
    """
    config.data_dir.mkdir(mode=DATA_MODE, parents=True, exist_ok=True)
    key = load_key(config.data_dir / KEY_FILE)
    owed = config.data_dir / OWED_FILE
    database = config.database
    async with open_store(
        database.url, synchronous=database.synchronous, key=key, owed=owed
    ) as store:
        yield store
