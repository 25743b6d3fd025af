"""The deciders' facts on disk, and the journal of what was said during an incident.

A fact is committed when `keep` returns, and only then is anything done because of it. Nothing that
proves a person is ever written here: codes as their hash alone, lines with secrets struck out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, singledispatchmethod
from typing import Any, TypeVar

import structlog
import trio
from pydantic import TypeAdapter, ValidationError

from bouncer.mesh.proofs import without_secrets
from fallback import claims, incident, speaker, watch
from fallback.disk import Disk, DiskFault
from fallback.voter import Kept
from storage.incidents import Incidents, IncidentsError, KeptOrder, Line

MAX_UNWRITTEN = 1000  # journal lines waiting for the disk; full: new ones are dropped and counted
FLUSH_S = 1.0
KEEP_S = 1.0  # less than a stall: then what hangs on the fact goes on without it
MAX_ON_THE_WAY = 256  # facts that a hanging disk has not written; full: refused
SETTLE_S = 2.0  # at the end
PRUNE_S = 3600.0
LATELY_MS = 12 * 3600 * 1000  # burned since then is told again: nobody may have heard of it
MAX_LATELY = 100
ROSTER = "roster"
SPENT = "spent"
REVOKED = "revoked"

log = structlog.get_logger("journal")

Fact = TypeVar("Fact")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(form: type) -> TypeAdapter[Any]:
    if form not in _ADAPTERS:
        _ADAPTERS[form] = TypeAdapter(form)
    return _ADAPTERS[form]


def write_fact(fact: object) -> bytes:
    """A decider's fact as JSON; infinities stand as they are, which only our own file needs."""
    return json.dumps(_adapter(type(fact)).dump_python(fact, mode="json")).encode()


def read_fact(form: type[Fact], data: bytes | None) -> Fact | None:
    """The reverse; None for one that is missing or was written by another release."""
    if data is None:
        return None
    try:
        return _adapter(form).validate_python(json.loads(data))  # type: ignore[no-any-return]
    except (ValidationError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a starting process finds in its own file. `roster` is the document as it was signed."""

    kept: Kept
    stored: claims.Stored
    roster: bytes


class Journal:
    """The agent's file, behind one thread at a time. `wall` gives epoch seconds."""

    def __init__(
        self, incidents: Incidents, origin: str, boot: str, wall: Callable[[], float]
    ) -> None:
        self._incidents = incidents
        self._origin = origin
        self._boot = boot
        self._wall = wall
        self._sequence = 0
        self._disk = Disk(MAX_ON_THE_WAY)  # full: refused
        self._unwritten: list[Line] = []
        self.dropped = 0

    async def _in_time(self, function: Callable[..., object], *args: object) -> None:
        """Have it written, each in its turn. A disk that hangs keeps nobody waiting: what it was
        given it writes when it answers, also after whoever gave it is gone. Raises IncidentsError,
        after `KEEP_S` at the latest."""
        try:
            await self._disk.do(partial(function, *args), KEEP_S)
        except DiskFault as fault:
            raise IncidentsError(str(fault)) from None

    async def run(self) -> None:
        """Write once a second what was said, until cancelled. What waits then, and what was to be
        kept, is still written, where the disk answers within `SETTLE_S`."""
        try:
            await self._write_lines()
        finally:
            await self._disk.end(SETTLE_S, last=self._write_unwritten)

    def close(self) -> None:
        """Close the file, after `run`. Where the disk has not answered yet it stays open, for a
        thread is in it."""
        if not self._disk.busy:
            self._incidents.close()

    def _now_ms(self) -> int:
        return round(self._wall() * 1000)

    async def keep(self, fact: object) -> None:
        """Commit a fact. Raises IncidentsError: whoever cannot remember must not act."""
        await self._in_time(self._keep, fact)

    @singledispatchmethod
    def _keep(self, fact: object) -> None:
        raise TypeError(f"no place for {type(fact).__name__}")

    @_keep.register
    def _(self, fact: watch.Armed) -> None:
        self._incidents.put_facts({"armed": write_fact(fact)})

    @_keep.register
    def _(self, fact: watch.KnownNotices) -> None:
        self._incidents.put_facts({"notices": write_fact(fact)})

    @_keep.register
    def _(self, fact: incident.IncidentFact) -> None:
        self._incidents.put_facts({"incident": write_fact(fact) if fact.id else None})

    @_keep.register
    def _(self, fact: incident.TombstoneFact) -> None:
        tombstone = fact.tombstone
        self._incidents.bury(tombstone.id, write_fact(fact), self._now_ms())

    @_keep.register
    def _(self, fact: incident.StoodDownFact) -> None:
        self._incidents.put_facts({"stood_down": write_fact(fact)})

    @_keep.register
    def _(self, fact: incident.StanddownFact) -> None:
        self._incidents.put_facts({"standdown": write_fact(fact)})

    @_keep.register
    def _(self, fact: speaker.LineFact) -> None:
        self._incidents.put_facts({f"line {fact.network}": write_fact(fact)})

    @_keep.register
    def _(self, fact: claims.SpentFact) -> None:
        self._incidents.burn(SPENT, [fact.spent], self._now_ms())

    @_keep.register
    def _(self, fact: claims.RevokedFact) -> None:
        self._incidents.burn(REVOKED, [fact.evidence], self._now_ms())

    @_keep.register
    def _(self, fact: claims.ClaimFact) -> None:
        claim = fact.claim
        key = (claim.connection.network, claim.handle, str(claim.connection.number))
        goes_on = claim.phase is claims.Phase.VERIFIED or claim.may_return
        self._incidents.put_people({key: write_fact(fact).decode() if goes_on else None})

    async def keep_roster(self, document: bytes) -> None:
        await self._in_time(self._incidents.put_facts, {ROSTER: document})

    async def forget_people(self) -> None:
        """The incident is over, or is ours no more. What was revoked was revoked for it; what was
        spent stays spent."""
        await self._in_time(self._forget_people)

    def _forget_people(self) -> None:
        self._incidents.put_facts({"incident": None})
        self._incidents.forget_people(REVOKED)

    async def keep_order(self, order: KeptOrder) -> None:
        """Commit an admin's order with its proof. Raises IncidentsError."""
        await self._in_time(self._incidents.put_order, order)

    def orders(self) -> list[KeptOrder]:
        """The orders taken so far, read at the start."""
        return self._incidents.latest_orders()

    def remember(self, networks: tuple[str, ...]) -> Remembered:
        """Read everything, at the start, before anything else runs."""
        store = self._incidents
        notices = read_fact(watch.KnownNotices, store.fact("notices"))
        stood_down = read_fact(incident.StoodDownFact, store.fact("stood_down"))
        opened = read_fact(incident.IncidentFact, store.fact("incident"))
        buried = [read_fact(incident.TombstoneFact, each) for each in store.buried().values()]
        lines = [read_fact(speaker.LineFact, store.fact(f"line {name}")) for name in networks]
        kept = Kept(
            armed=store.fact("armed") is not None,
            notices=notices,
            opened=opened,
            tombstones=tuple(each.tombstone for each in buried if each)[-incident.MAX_TOMBSTONES :],
            stood_down=stood_down.stood_down if stood_down else False,
            order=read_fact(incident.StanddownFact, store.fact("standdown")),
            lines=tuple(line for line in lines if line is not None),
        )
        records = [
            read_fact(claims.ClaimFact, record.encode())
            for network, record in store.all_people()
            if network in networks
        ]
        stored = claims.Stored(
            opened.id if opened else "",
            frozenset(store.all_burned(SPENT)),
            frozenset(store.all_burned(REVOKED)),
            tuple(store.lately_burned(SPENT, self._now_ms() - LATELY_MS, MAX_LATELY)),
            tuple(fact.claim for fact in records if fact)[-claims.MAX_VERIFIED :],
        )
        return Remembered(kept, stored, store.fact(ROSTER) or b"")

    # -- what was said ------------------------------------------------------------------------

    def note(
        self,
        incident_id: str,
        network: str,
        target: str,
        sender: str,
        verified: str,
        text: str,
    ) -> None:
        """Add a line to the journal; it is on disk within a second."""
        if len(self._unwritten) >= MAX_UNWRITTEN:
            self.dropped += 1
            return
        self._sequence += 1
        self._unwritten.append(
            Line(
                self._origin,
                self._boot,
                self._sequence,
                self._now_ms(),
                incident_id,
                network,
                target,
                sender,
                verified,
                without_secrets(text)[:1000],
            )
        )

    @property
    def unwritten(self) -> int:
        """Lines that wait for the disk."""
        return len(self._unwritten)

    async def _write_lines(self) -> None:
        next_prune = trio.current_time()
        while True:
            await self.flush()
            if trio.current_time() >= next_prune:
                next_prune += PRUNE_S
                await self._prune()
            await trio.sleep(FLUSH_S)

    async def flush(self) -> None:
        """Write the lines that wait. Cancelled, they wait on, for each is kept once."""
        if not self._unwritten:
            return
        try:
            written = await self._disk.do(self._write_unwritten)
        except DiskFault as fault:  # they wait on
            log.error("journal lines not written yet", error=str(fault))
        else:
            del self._unwritten[:written]

    def _write_unwritten(self) -> int:
        """In the thread: as many as there are by then. Returns how many are done with."""
        lines = self._unwritten[:]
        try:
            self._incidents.write(lines)
        except IncidentsError as error:  # a full disk must not silence the agent
            self.dropped += len(lines)
            log.error("journal lines lost", lines=len(lines), error=str(error))
        return len(lines)

    async def _prune(self) -> None:
        try:
            await self._disk.do(self._incidents.prune)
        except (DiskFault, IncidentsError) as error:
            log.error("journal not pruned", error=str(error))
