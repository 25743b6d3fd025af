"""The loop around the deciders: one event at a time, its actions performed in their order.

A fact is on disk before the next action begins. Before each event the pulse is felt, so that a
stall is known before what waited meanwhile.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import structlog
import trio

from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import Roster
from fallback import claims, company, incident, speaker, voter, watch
from fallback.actions import Persist
from fallback.journal import Journal
from fallback.mesh.port import Mesh
from fallback.networks import wording
from fallback.networks.announcer import Announcer
from fallback.performer import Performer
from fallback.senses.probes import Probes
from fallback.senses.selfcheck import TICK_S, Pulse
from storage.incidents import IncidentsError

MAX_EVENTS = 2048  # waiting for the deciders; full: dropped and counted, peers say it again

log = structlog.get_logger("conduct")


class Desk(Protocol):
    """Who performs the claims desk's actions."""

    async def perform(self, action: claims.Action) -> None: ...

    def renamed(self, network: str, old: str, new: str) -> None: ...

    def closed(self) -> None: ...


class Conduct:
    """Holds the deciders' states. `put` and `put_claim` never wait."""

    def __init__(
        self,
        key: MeshKey,
        state: voter.VoterState,
        *,
        pulse: Pulse,
        journal: Journal,
        mesh: Mesh,
        probes: Probes,
        announcers: Mapping[str, Announcer],
        roster: Callable[[], Roster | None],
    ) -> None:
        self.state = state
        self.desk = claims.Desk()
        self.dropped = 0
        self.front: Desk | None = None
        self.performer = Performer(
            key,
            lambda: self.state,
            pulse=pulse,
            journal=journal,
            mesh=mesh,
            probes=probes,
            announcers=announcers,
            roster=roster,
        )
        self._pulse = pulse
        self._gap_s = 0.0  # a stall that is not told yet
        self.stalled_at: deque[float] = deque(maxlen=company.MANY_STALLS)
        self._journal = journal
        self._on_the_way: Counter[claims.Connection] = Counter()  # of whom something waits
        self._send, self._receive = trio.open_memory_channel[object](MAX_EVENTS)

    # -- events in --------------------------------------------------------------------------------

    def put(self, event: voter.Event) -> None:
        self._put(event, claim=False)

    def put_claim(self, event: claims.Event) -> None:
        """What a stranger does who leaves or changes the nick concerns nobody: a split of thousands
        must not fill the place of what is said once, such as that we have lost the network."""
        connection: claims.Connection | None = getattr(event, "connection", None)
        if isinstance(event, claims.Lost | claims.NickChanged):
            known = event.connection in self._on_the_way
            if not known and claims.claim_of(self.desk, event.connection) is None:
                return
        if self._put(event, claim=True) and connection is not None:
            self._on_the_way[connection] += 1

    def _put(self, event: voter.Event | claims.Event, *, claim: bool) -> bool:
        try:
            self._send.send_nowait(_ForDesk(event) if claim else event)
        except trio.WouldBlock:
            self.dropped += 1
            return False
        return True

    def roster_changed(self, roster: Roster) -> None:
        """A roster was accepted and is on disk: ranks, k and voters may be new."""
        try:
            self._send.send_nowait(roster)
        except trio.WouldBlock:
            self.dropped += 1

    async def _take_roster(self, roster: Roster) -> None:
        """The deciders' own values follow the roster; what they know of the world stays."""
        state = self.state
        timings = replace(state.timings, k=roster.k)
        rank = roster.rank(state.me)
        self.state = replace(
            state,
            timings=timings,
            watch=replace(state.watch, timings=timings),
            incident=state.incident and replace(state.incident, timings=timings),
            speakers=tuple(
                replace(said, timings=timings, rank=said.rank if rank is None else rank)
                for said in state.speakers
            ),
        )
        if state.incident is not None:
            others = frozenset(one.name for one in roster.voters if one.name != state.me)
            await self._voter_step(incident.VotersKnown(others))

    @property
    def waiting(self) -> int:
        """Events that are not decided upon yet."""
        return self._send.statistics().current_buffer_used

    @property
    def incident_id(self) -> str:
        return self.state.incident.id if self.state.incident else ""

    async def run(self, kept: voter.Kept, stored: claims.Stored) -> None:
        """Start with what the file remembers, then go on until cancelled."""
        now = self._pulse.now()
        self._pulse.beat()
        self.state, actions = voter.start(self.state, kept, now)
        await self._perform(actions, self.state)
        await self._desk_step(stored)
        if self.incident_id:
            await self._desk_step(claims.IncidentBegan(self.incident_id))
        else:
            await self._forget_people()  # killed as the last one closed?
        if (roster := self.performer.roster()) is not None:
            await self._take_roster(roster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.performer.repeating.run)
            nursery.start_soon(self.performer.fetch, self.put)
            while True:
                await self._once()

    async def _once(self) -> None:
        now = self._pulse.now()
        wake = min(voter.wake_at(self.state, now), claims.wake_at(self.desk, now))
        event: object = None
        with trio.move_on_after(min(max(0.0, wake - now), TICK_S)):
            event = await self._receive.receive()
        gap, self._gap_s = max(self._pulse.beat(), self._gap_s), 0.0
        if gap:
            log.warning("this process was stopped or suspended", gap_s=round(gap, 1))
            self.stalled_at.append(self._pulse.now())
            await self._voter_step(voter.Stalled(gap))
        if isinstance(event, _ForDesk):
            await self._desk_step(event.event)
            self._arrived(event.event)
        elif isinstance(event, Roster):
            await self._take_roster(event)
        elif event is not None:
            await self._voter_step(event)  # type: ignore[arg-type]
        now = self._pulse.now()
        if voter.wake_at(self.state, now - TICK_S) <= now or event is None:
            await self._voter_step(voter.Tick())
        if claims.wake_at(self.desk, now - TICK_S) <= now or event is None:
            await self._desk_step(claims.Tick())

    def _arrived(self, event: claims.Event) -> None:
        connection: claims.Connection | None = getattr(event, "connection", None)
        if connection is not None:
            self._on_the_way[connection] -= 1
            if not self._on_the_way[connection]:
                del self._on_the_way[connection]

    async def _voter_step(self, event: voter.Event) -> None:
        before = self.state
        self.state, actions = voter.step(before, event, self._pulse.now())
        if before.watch.phase is not self.state.watch.phase:
            log.info("watch", state=self.state.watch.phase.name, before=before.watch.phase.name)
            doubted = self.state.watch.phase is watch.Phase.ISOLATED
            if doubted or before.watch.phase is watch.Phase.ISOLATED:
                await self._desk_step(claims.UplinkDoubted(doubted))
        was = before.incident.id if before.incident else ""
        if self.incident_id and self.incident_id != was:
            log.info("incident", id=self.incident_id, name=wording.short_name(self.incident_id))
            await self._desk_step(claims.IncidentBegan(self.incident_id))
        await self._perform(actions, before)
        for old, new in zip(before.speakers, self.state.speakers, strict=True):
            if new.phase is speaker.Phase.SPEAKING is not old.phase:
                self.performer.took_over(new.network)
        if was and not self.incident_id:
            log.info("incident closed", id=was)
            await self._desk_step(claims.IncidentClosed())
            await self._forget_people()
            if self.front is not None:
                self.front.closed()

    async def _forget_people(self) -> None:
        try:
            await self._journal.forget_people()
        except IncidentsError as error:
            log.error("cannot write the agent's own file", error=str(error))

    async def _desk_step(self, event: claims.Event) -> None:
        if self.front is not None and isinstance(event, claims.Lost | claims.NickChanged):
            claim = claims.claim_of(self.desk, event.connection)
            if claim is not None:
                new = event.nick if isinstance(event, claims.NickChanged) else ""
                self.front.renamed(event.connection.network, claim.nick, new)
        self.desk, actions = claims.step(self.desk, event, self._pulse.now())
        for action in actions:
            if isinstance(action, Persist):
                # A used code that cannot be remembered must open nothing: stop here.
                if not await self._keep(action.fact):
                    return
            elif self.front is not None:
                await self.front.perform(action)

    async def _perform(self, actions: list[voter.Action], before: voter.VoterState) -> None:
        for action in actions:
            if isinstance(action, Persist):
                # Silence is the failure: an announcement does not wait for a broken disk.
                await self._keep(action.fact)
            else:
                self.performer.perform(action, before)

    async def _keep(self, fact: object) -> bool:
        try:
            await self._journal.keep(fact)
        except IncidentsError as error:
            log.error("cannot write the agent's own file", error=str(error))
            self.performer.tell_ops("cannot write its own file: disk full or broken?")
            return False
        finally:  # a slow disk is no stall; the loop was awake
            self._gap_s = max(self._gap_s, self._pulse.beat())
        return True


class _ForDesk:
    """A claims event on its way through the one queue."""

    __slots__ = ("event",)

    def __init__(self, event: Any) -> None:
        self.event: claims.Event = event
