"""Names of public hosts by public resolvers, with the last good answer kept on disk.

The networks' names are asked of the resolvers that are landmarks, then of the system's, which may
stand at the primary's site; in an outage of both, hosts are still found where they were. The
primary and the voters are never looked up this way unless the operator wrote names for them.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from bouncer.config import Address
from fallback.config import Config
from fallback.disk import Disk, DiskFault
from fallback.senses.dns import DnsFault, look_up

FILE = "names.json"
MAX_NAMES = 64  # of the configuration; full: the oldest is forgotten
LOOKUP_S = 5.0
SETTLE_S = 0.5  # at the end


class RememberingResolver(trio.abc.HostnameResolver):
    """Falls back to the last good answer when a lookup fails or takes too long."""

    def __init__(
        self, path: Path, public: frozenset[str] = frozenset(), resolvers: Sequence[Address] = ()
    ) -> None:
        """`public`: the hosts that are asked of `resolvers` first."""
        self._path = path
        self._public = public
        self._resolvers = resolvers
        self._disk = Disk(1)  # the latest state alone waits
        self._known: dict[str, list[Any]] = {}
        try:
            kept = json.loads(path.read_text("utf-8"))
            self._known = {str(key): list(value) for key, value in kept.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            pass  # nothing kept yet, or not readable: the resolver will tell

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        key = f"{host!r} {port!r} {family} {type} {proto} {flags}"
        name = host.decode("ascii", "replace").lower() if host else ""
        if name in self._public and (found := await self._ask_public(name, port, family, type)):
            self._keep(key, found)
            return found
        try:
            with trio.fail_after(LOOKUP_S):
                found = await trio.to_thread.run_sync(
                    socket.getaddrinfo, host, port, family, type, proto, flags,
                    abandon_on_cancel=True,
                )  # fmt: skip
        except (OSError, trio.TooSlowError):
            kept = self._known.get(key)
            if kept is None:
                raise socket.gaierror(socket.EAI_AGAIN, "the name was not found") from None
            return [(entry[0], entry[1], entry[2], entry[3], tuple(entry[4])) for entry in kept]
        self._keep(key, found)
        return found

    async def _ask_public(
        self, name: str, port: bytes | str | int | None, family: int, type: int
    ) -> list[Any]:
        found: list[Any] = []
        with trio.move_on_after(LOOKUP_S), suppress(DnsFault):
            for address in await look_up(name, self._resolvers):
                with suppress(OSError):  # of a family that was not asked for
                    found += socket.getaddrinfo(
                        address, port, family, type, flags=socket.AI_NUMERICHOST
                    )
        return found

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        return await trio.to_thread.run_sync(
            socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True
        )

    def _keep(self, key: str, found: list[Any]) -> None:
        plain = [[int(e[0]), int(e[1]), int(e[2]), str(e[3]), list(e[4])] for e in found]
        if self._known.get(key) == plain:
            return
        self._known[key] = plain
        while len(self._known) > MAX_NAMES:
            del self._known[next(iter(self._known))]
        text = json.dumps(self._known)
        with suppress(DiskFault):  # this was the end
            self._disk.put(partial(self._write, text), alike=FILE)

    async def end(self) -> None:
        """The latest answers are on disk, where it answers in time."""
        await self._disk.end(SETTLE_S)

    def _write(self, text: str) -> None:
        new = self._path.with_suffix(".new")
        try:
            new.write_text(text, "utf-8")
            new.replace(self._path)  # whole or not at all: a full disk takes no answer away
        except OSError:
            return  # only a convenience: the next start asks the resolver again


def public_hosts(config: Config) -> frozenset[str]:
    """The hosts of the public networks that are not to be looked up by the system's resolver."""
    return frozenset(
        address.host.lower()
        for network in config.network
        if network.public_resolver
        for address in network.addresses
    )


def resolvers(config: Config) -> list[Address]:
    """The resolvers that are landmarks."""
    return [place.address for place in config.landmark if place.kind == "dns"]


def remember_answers(config: Config) -> RememberingResolver:
    """From here on all lookups of this trio run keep their last good answer. To be ended."""
    path = config.data_dir / FILE
    remembering = RememberingResolver(path, public_hosts(config), resolvers(config))
    trio.socket.set_custom_hostname_resolver(remembering)
    return remembering
