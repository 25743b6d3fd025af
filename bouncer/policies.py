"""Hosts that are to be connected to by TLS alone, for as long as they have asked. IRCv3 sts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import structlog

from bouncer.dial import ServerAddress
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


class Policies:
    """Kept in the store and known here, by host; made by `of`. `wall` gives seconds since the
    epoch."""

    def __init__(self, store: Store, known: dict[str, Kept], wall: Callable[[], float]) -> None:
        self._store = store
        self._known = known
        self._wall = wall

    @classmethod
    async def of(cls, store: Store, wall: Callable[[], float] = time.time) -> Policies:
        """Those that the store has kept. Raises StorageError."""
        texts = await store.read(directory.list_meta, PREFIX)
        known = {key: Kept(**json.loads(text)) for key, text in texts.items()}
        return cls(store, known, wall)

    def applied(self, address: ServerAddress) -> ServerAddress:
        """The address as it may be connected to. "it then MUST only use a secure transport to
        connect to the server at the requested hostname in future, until the policy expires" """
        if address.tls or address.path:
            return address
        kept = self._known.get(_key(address))
        if kept is None or kept.until_s <= self._wall():
            return address
        return replace(address, tls=True, port=kept.port)

    async def keep(self, address: ServerAddress, duration_s: int) -> None:
        """`address`, which TLS was spoken with, wants nothing else for so long from now. "A
        duration value of 0 indicates an immediate expiry" """
        key = _key(address)
        try:
            if duration_s:
                kept = self._known[key] = Kept(address.port, int(self._wall()) + duration_s)
                await self._store.run(directory.put_meta, key, json.dumps(asdict(kept)))
            else:
                self._known.pop(key, None)
                await self._store.run(directory.drop_meta, key)
        except StorageError as error:
            log.error("a policy of TLS alone was not kept", host=address.host, reason=str(error))


def _key(address: ServerAddress) -> str:
    return PREFIX + address.host.lower()
