"""The roster a voter holds: the signed document of the bouncer, on disk before it counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog
import trio

from bouncer.mesh.keys import PublicKey
from bouncer.mesh.roster import Roster, RosterFault, read_roster
from fallback.journal import Journal
from storage.incidents import IncidentsError

MAX_DOCUMENTS = 4  # that wait for the disk; full: dropped, it is pushed again

log = structlog.get_logger("fallback")


class Rosters:
    """`put` never waits; run `run` as a task. `held` is None until one came."""

    def __init__(
        self,
        primary_key: PublicKey,
        kept: bytes,
        journal: Journal,
        came: Callable[[Roster], None],
    ) -> None:
        """`kept` is the document on disk, b'' for none; `came` is told of each that is taken."""
        self._primary_key = primary_key
        self._journal = journal
        self._came = came
        self._put, self._documents = trio.open_memory_channel[bytes](MAX_DOCUMENTS)
        self.held = self._read_kept(kept) if kept else None

    def _read_kept(self, document: bytes) -> Roster | None:
        try:
            return read_roster(document, self._primary_key)
        except RosterFault as fault:
            log.warning("the roster on disk is not taken", error=str(fault))
            return None

    def put(self, document: bytes) -> None:
        with suppress(trio.WouldBlock):
            self._put.send_nowait(document)

    async def run(self) -> None:
        async for document in self._documents:
            version = self.held.version if self.held else 0
            try:
                roster = read_roster(document, self._primary_key, held_version=version)
                await self._journal.keep_roster(document)  # it never falls, restarts too
            except (RosterFault, IncidentsError) as error:
                log.warning("roster refused", error=str(error))
                continue
            if self.held is None or roster.version != version:
                log.info("roster", version=roster.version, voters=len(roster.voters))
            self.held = roster
            self._came(roster)
