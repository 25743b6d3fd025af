"""Names of public hosts by the system's resolver, with the last good answer kept on disk.

In an outage of the resolver the networks are still found where they were. The primary and the
voters are never looked up this way unless the operator wrote names for them.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import trio

FILE = "names.json"
MAX_NAMES = 64  # of the configuration; full: the oldest is forgotten
LOOKUP_S = 5.0


class RememberingResolver(trio.abc.HostnameResolver):
    """Falls back to the last good answer when a lookup fails or takes too long."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
        try:
            self._path.write_text(json.dumps(self._known), "utf-8")
        except OSError:
            return  # only a convenience: the next start asks the resolver again


def remember_answers(data_dir: Path) -> None:
    """From here on all lookups of this trio run keep their last good answer."""
    trio.socket.set_custom_hostname_resolver(RememberingResolver(data_dir / FILE))
