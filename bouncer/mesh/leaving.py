"""Voters that were removed and have yet to hear it: who is dialled, until when."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bouncer.mesh import dismissals
from bouncer.mesh.roster import Voter
from bouncer.mesh.voters import Tracked
from bouncer.mesh.windows import Writes
from storage.errors import StorageError

log = structlog.get_logger("beacon")


class Leaving:
    """By the names that `dismissals.to_dial` gives; `wanted` is what it gave last."""

    def __init__(self, store: Writes) -> None:
        self._store = store
        self.wanted: dict[str, Voter] = {}
        self._dialled: dict[str, Tracked] = {}

    def track(self, now: float) -> list[Tracked]:
        """Those to attend from now on; who was told or is paired again is let go."""
        for name in self._dialled.keys() - self.wanted.keys():
            self._dialled.pop(name).let_go()
        new = {
            name: Tracked(replace(voter, name=name), now, leaves=True)
            for name, voter in self.wanted.items()
            if name not in self._dialled
        }
        self._dialled |= new
        return list(new.values())

    def heard(self, peer: str) -> None:
        """A fresh datagram proves who it is; nothing else counts that it says."""
        if (one := self._dialled.get(peer)) is not None:
            one.proven.set()

    async def told(self, one: Tracked) -> None:
        """It has its last roster: it is dialled no more."""
        try:
            await self._store.run(dismissals.told, one.voter.key)
        except StorageError as error:  # then it is told once more
            log.error("not noted that a removed voter was told", reason=str(error))
            return
        log.info("a removed voter was told", address=one.voter.address)
        one.let_go()
