"""The store that a configuration names, with the key file that seals its secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from sqlalchemy import Connection

from bouncer import alone
from bouncer.config import Config
from storage import accounts
from storage.engine import parse_url
from storage.errors import Unusable
from storage.opening import count_sealed
from storage.store import Store, open_store
from storage.vault import load_key

KEY_FILE = "secrets.key"
UNWRITTEN_FILE = "unwritten"  # what the database does not take now, see `storage.unwritten`
OWED_FILE = "redactions"  # what is still to be deleted, see `storage.owed`


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Store]:
    """Open the store of `config`; makes the data directory and the key file where missing.

    Raises StorageError, or OSError for a data directory that cannot be made.
    """
    alone.make(config.data_dir)
    key = await trio.to_thread.run_sync(key_of, config)
    database = config.database
    async with open_store(
        database.url,
        synchronous=database.synchronous,
        key=key,
        owed=config.data_dir / OWED_FILE,
        unwritten=config.data_dir / UNWRITTEN_FILE,
    ) as store:
        yield store


def key_of(config: Config) -> bytes:
    """The content of the key file, which is made where it is missing and nothing was sealed yet.

    Raises Unusable where it is lost, or holds no keys.
    """
    path = config.data_dir / KEY_FILE
    if not path.exists() and (count := count_sealed(config.database.url)):
        raise Unusable(f"{lost_key(config, count)}. No new key was made")
    return load_key(path)


def lost_mesh_key(connection: Connection, config: Config) -> str:
    """What it means that the mesh key is missing, where it means something; the start makes one."""
    path = config.mesh.key
    if path is None or path.exists() or not (voters := accounts.list_agents(connection)):
        return ""
    names = ", ".join(voter.name for voter in voters)
    return (
        f"{path} is missing, and the voters ({names}) know this bouncer by it: they take no "
        "heartbeat by another, and may announce an outage; put it back from your backup, or pair "
        "them anew"
    )


def lost_key(config: Config, count: int) -> str:
    """What the missing key file keeps shut, and what to do."""
    database = parse_url(config.database.url).render_as_string(hide_password=True)
    return (
        f"{config.data_dir / KEY_FILE} is missing, and {database} holds {count} secret"
        f"{'' if count == 1 else 's'} sealed with it (passwords, certificates, keys of channels); "
        "put it back from your backup, or give them up: `bouncer history rekey --forget`"
    )
