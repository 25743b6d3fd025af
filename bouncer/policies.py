"""Hosts that are to be connected to by TLS alone, for as long as they have asked. IRCv3 sts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from bouncer.dial import DialError, ServerAddress
from storage import accounts
from storage.errors import StorageError
from storage.store import Store

log = structlog.get_logger("upstream")


class Policies:
    """Kept in the store, by host. `wall` gives seconds since the epoch."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall

    async def applied(self, address: ServerAddress) -> ServerAddress:
        """The address as it may be connected to. "it then MUST only use a secure transport to
        connect to the server at the requested hostname in future, until the policy expires"

        Raises DialError where that cannot be known.
        """
        if address.tls or address.path:
            return address
        try:
            text = await self._store.read(accounts.get_meta, _key(address))
        except StorageError as error:
            raise DialError(f"{address}: whether it wants TLS cannot be read: {error}") from None
        if text is None:
            return address
        kept = json.loads(text)
        if kept["until_s"] <= self._wall():
            return address
        return replace(address, tls=True, port=kept["port"])

    async def keep(self, address: ServerAddress, duration_s: int) -> None:
        """`address`, which TLS was spoken with, wants nothing else for so long from now. "A
        duration value of 0 indicates an immediate expiry" """
        until_s = int(self._wall()) + duration_s
        text = json.dumps({"port": address.port, "until_s": until_s})
        try:
            if duration_s:
                await self._store.run(accounts.put_meta, _key(address), text)
            else:
                await self._store.run(accounts.drop_meta, _key(address))
        except StorageError as error:
            log.error("a policy of TLS alone was not kept", host=address.host, reason=str(error))


def _key(address: ServerAddress) -> str:
    return f"sts {address.host.lower()}"
