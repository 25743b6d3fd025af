"""Hosts that are to be connected to by TLS alone, for as long as they have asked. IRCv3 sts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import structlog
from sqlalchemy import Connection

from bouncer.connections.dial import ServerAddress
from storage import directory
from storage.errors import StorageError
from storage.store import Store

PREFIX = "sts "  # of their keys among the store's single values

log = structlog.get_logger("upstream")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where to go by TLS, and until when."""

    port: int
    until_s: int


def kept(connection: Connection, host: str, now: float) -> Kept | None:
    """What the store has kept of this host and still holds."""
    text = directory.get_meta(connection, _key(host))
    found = Kept(**json.loads(text)) if text else None
    return found if found and now < found.until_s else None


def drop(connection: Connection, host: str) -> None:
    """Forget in the store what this host has asked for; a running bouncer must be told, too."""
    directory.drop_meta(connection, _key(host))


class Policies:
    """Kept in the store and, once loaded, known here by host. `wall` gives seconds since the
    epoch."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._known: dict[str, Kept] = {}
        self._wall = wall

    async def load(self) -> None:
        """Learn what the store has kept. Raises StorageError."""
        texts = await self._store.read(directory.list_meta, PREFIX)
        self._known = {key: Kept(**json.loads(text)) for key, text in texts.items()}

    def applied(self, address: ServerAddress) -> ServerAddress:
        """The address as it may be connected to. "it then MUST only use a secure transport to
        connect to the server at the requested hostname in future, until the policy expires" """
        if address.tls or address.path:
            return address
        known = self._known.get(_key(address.host))
        if known is None or known.until_s <= self._wall():
            return address
        return replace(address, tls=True, port=known.port)

    def forget(self, host: str) -> None:
        """It was dropped from the store."""
        self._known.pop(_key(host), None)

    async def keep(self, address: ServerAddress, duration_s: int) -> None:
        """`address`, which TLS was spoken with, wants nothing else for so long from now. "A
        duration value of 0 indicates an immediate expiry" """
        key = _key(address.host)
        try:
            if duration_s:
                known = self._known[key] = Kept(address.port, int(self._wall()) + duration_s)
                await self._store.run(directory.put_meta, key, json.dumps(asdict(known)))
            else:
                self.forget(address.host)
                await self._store.run(drop, address.host)
        except StorageError as error:
            log.error("a policy of TLS alone was not kept", host=address.host, reason=str(error))


def _key(host: str) -> str:
    return PREFIX + host.lower()
