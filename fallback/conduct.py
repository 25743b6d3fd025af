"""The loop around the deciders: one event at a time, its actions performed in their order.

A fact is on disk before the next action begins. Before each event the pulse is felt, so that a
stall is known before what waited meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any, Protocol

import structlog
import trio

from bouncer.heartbeat import Kind, OrderSaid, Received, sign_statement, write_body
from bouncer.keys import MeshKey
from bouncer.roster import Roster
from fallback import claims, incident, speaker, voter, watch, wording
from fallback.actions import Persist, TellOps
from fallback.announcer import Announcer
from fallback.config import Config
from fallback.gossip import (
    PADDING,
    Asked,
    ClaimSaid,
    ClosedSaid,
    Fetched,
    IncidentSaid,
    VoteSaid,
)
from fallback.hearing import CLOSED
from fallback.journal import Journal
from fallback.landmarks import Landmarks
from fallback.mesh import Mesh
from fallback.outgoing import Priority
from fallback.probes import Probes
from fallback.repeating import Repeating
from fallback.selfcheck import TICK_S, Pulse
from storage.incidents import IncidentsError

MAX_EVENTS = 2048  # waiting for the deciders; full: dropped and counted, peers say it again
FETCH_FOR_S = 15.0

log = structlog.get_logger("conduct")


class Desk(Protocol):
    """Who performs the claims desk's actions and says what belongs to an announcement."""

    async def perform(self, action: claims.Action) -> None: ...

    def announced(self, network: str) -> None: ...

    def renamed(self, network: str, old: str, new: str) -> None: ...

    def closed(self) -> None: ...


class Conduct:
    """Holds the deciders' states. `put` and `put_claim` never wait."""

    def __init__(
        self,
        config: Config,
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
        self.note = ""  # the last line for the operators
        self.announced: dict[str, str] = {}  # the line as it was last put, by network
        self.dropped = 0
        self.silences: list[float] = []
        self.repeating = Repeating(mesh, self._say_again)
        self.landmarks: Landmarks | None = None
        self.front: Desk | None = None
        self.began: Callable[[str], None] = lambda _network: None
        self.tell_bouncer: Callable[[str], None] = lambda _note: None
        self.notice_kept: Callable[[str], None] = lambda _id: None
        self._config = config
        self._key = key
        self._pulse = pulse
        self._journal = journal
        self._mesh = mesh
        self._probes = probes
        self._announcers = announcers
        self._roster = roster
        self._before = state
        self._asked = 0
        self._send, self._receive = trio.open_memory_channel[object](MAX_EVENTS)

    # -- events in --------------------------------------------------------------------------------

    def put(self, event: voter.Event) -> None:
        self._put(event, claim=False)

    def put_claim(self, event: claims.Event) -> None:
        self._put(event, claim=True)

    def _put(self, event: voter.Event | claims.Event, *, claim: bool) -> None:
        try:
            self._send.send_nowait(_ForDesk(event) if claim else event)
        except trio.WouldBlock:
            self.dropped += 1

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
    def incident_id(self) -> str:
        return self.state.incident.id if self.state.incident else ""

    async def run(self, kept: voter.Kept, stored: claims.Stored) -> None:
        """Start with what the file remembers, then go on until cancelled."""
        now = self._pulse.now()
        self._pulse.beat()
        self.state, actions = voter.start(self.state, kept, now)
        self._before = self.state
        await self._perform(actions)
        await self._desk_step(stored)
        if self.incident_id:
            await self._desk_step(claims.IncidentBegan(self.incident_id))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.repeating.run)
            nursery.start_soon(self._fetch)
            while True:
                await self._once()

    async def _once(self) -> None:
        now = self._pulse.now()
        wake = min(voter.wake_at(self.state, now), claims.wake_at(self.desk, now))
        event: object = None
        with trio.move_on_after(min(max(0.0, wake - now), TICK_S)):
            event = await self._receive.receive()
        if gap := self._pulse.beat():
            log.warning("this process was stopped or suspended", gap_s=round(gap, 1))
            await self._voter_step(voter.Stalled(gap))
        if isinstance(event, _ForDesk):
            await self._desk_step(event.event)
        elif isinstance(event, Roster):
            await self._take_roster(event)
        elif event is not None:
            await self._voter_step(event)  # type: ignore[arg-type]
        now = self._pulse.now()
        if voter.wake_at(self.state, now - TICK_S) <= now or event is None:
            await self._voter_step(voter.Tick())
        if claims.wake_at(self.desk, now - TICK_S) <= now or event is None:
            await self._desk_step(claims.Tick())

    async def _voter_step(self, event: voter.Event) -> None:
        before = self.state
        self.state, actions = voter.step(before, event, self._pulse.now())
        self._before = before
        if before.watch.phase is not self.state.watch.phase:
            log.info("watch", state=self.state.watch.phase.name, before=before.watch.phase.name)
            doubted = self.state.watch.phase is watch.Phase.ISOLATED
            if doubted or before.watch.phase is watch.Phase.ISOLATED:
                await self._desk_step(claims.UplinkDoubted(doubted))
        was = before.incident.id if before.incident else ""
        if self.incident_id and self.incident_id != was:
            log.info("incident", id=self.incident_id, name=wording.short_name(self.incident_id))
            await self._desk_step(claims.IncidentBegan(self.incident_id))
        await self._perform(actions)
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

    async def _perform(self, actions: list[voter.Action]) -> None:
        for action in actions:
            if isinstance(action, Persist):
                # Silence is the failure: an announcement does not wait for a broken disk.
                await self._keep(action.fact)
            else:
                self._do(action)

    async def _keep(self, fact: object) -> bool:
        try:
            await self._journal.keep(fact)
            if isinstance(fact, watch.KnownNotices):
                for id in fact.ended:
                    self.notice_kept(id)  # the end of a window is acked like its beginning
        except IncidentsError as error:
            log.error("cannot write the agent's own file", error=str(error))
            self.tell_ops("cannot write its own file: disk full or broken?")
            return False
        return True

    # -- actions ----------------------------------------------------------------------------------

    @singledispatchmethod
    def _do(self, action: object) -> None:
        log.debug("nothing to do", action=type(action).__name__)

    @_do.register
    def _(self, action: TellOps) -> None:
        self.tell_ops(action.text)

    def tell_ops(self, text: str) -> None:
        """One line for the operators: by the bouncer while it lives, and in the log."""
        log.warning("for ops", text=text)
        self.note = text
        self.tell_bouncer(text)

    @_do.register
    def _(self, action: watch.AckNotice) -> None:
        self.notice_kept(action.id)

    @_do.register
    def _(self, _action: watch.BurstProbes) -> None:
        self._probes.burst()
        if self.landmarks is not None:
            self.landmarks.burst()

    @_do.register
    def _(self, _action: watch.CalmProbes) -> None:
        self._probes.calm()
        if self.landmarks is not None:
            self.landmarks.calm()

    @_do.register
    def _(self, _action: watch.AskVoters) -> None:
        self._asked += 1
        body = write_body(Asked(self._asked, "." * (PADDING - 40)))
        for name in self._mesh.others:
            self._mesh.send(name, Kind.ASK, body)

    @_do.register
    def _(self, action: watch.Vote) -> None:
        silent_s = max(0.0, self._pulse.now() - action.silent_from)
        self._vote(VoteSaid(self.state.me, action.verdict.value, silent_s, action.drill))

    @_do.register
    def _(self, _action: watch.Withdraw) -> None:
        self._vote(VoteSaid(self.state.me, ""))

    def _vote(self, said: VoteSaid) -> None:
        statement = sign_statement(self._key, Kind.VOTE, said)
        for name in self._mesh.others:
            self._mesh.send(name, Kind.VOTE, statement)

    @_do.register
    def _(self, action: watch.GapCounted) -> None:
        self.silences = [*self.silences[-99:], action.gap_s]
        log.info("a silence ended", gap_s=round(action.gap_s, 1))

    @_do.register
    def _(self, _action: watch.Degraded) -> None:
        self.tell_ops("hears the primary through other voters only: the path to it is bad")

    @_do.register
    def _(self, _action: incident.Gossip) -> None:
        self._gossip()

    @_do.register
    def _(self, action: incident.Say) -> None:
        before = self._before.incident
        if before is None or not before.id:
            return
        text = wording.later(before.id, before.kind, action.line, action.since)
        if action.line is incident.Line.WORSE and self.state.incident is not None:
            text = wording.later(before.id, self.state.incident.kind, action.line, action.since)
        for said in self._before.speakers:
            if said.phase is speaker.Phase.SPEAKING and said.line_at is not None:
                self._say(said.network, text)

    @_do.register
    def _(self, action: incident.SendClosed) -> None:
        tombstone = action.tombstone

        def body() -> bytes:
            age_s = max(0.0, self._pulse.now() - tombstone.at)
            # "At that moment", each time it is said again: primary back ends a stand-down.
            own = self.state.incident
            holds = tombstone.by_hand and own is not None and own.stood_down
            said = ClosedSaid(self.state.me, tombstone.id, tombstone.by_hand, age_s, holds)
            return sign_statement(self._key, Kind.CLOSED, said)

        id = CLOSED + tombstone.id
        self.repeating.until_received(self._mesh.others, id, Kind.CLOSED, body)

    @_do.register
    def _(self, action: incident.AckClosed) -> None:
        self._mesh.send(action.agent, Kind.RECEIVED, write_body(Received(CLOSED + action.id)))

    @_do.register
    def _(self, action: incident.RelayOrder) -> None:
        order = action.order
        hold = isinstance(order, incident.HeldOrdered)
        name = "hold" if isinstance(order, incident.HeldOrdered) else "standdown"
        id = f"{name}:{order.at:.3f}:{self.state.me}"[:64]

        def body() -> bytes:
            now = self._pulse.now()
            left_s = max(0.0, order.until - now) if isinstance(order, incident.HeldOrdered) else 0.0
            kind = "hold" if hold else "standdown"
            said = OrderSaid(
                id,
                "hold" if kind == "hold" else "standdown",
                order.admin[:64],
                max(0.0, now - order.at),
                left_s,
            )
            return write_body(said)

        self.repeating.until_received(self._other_agents(), id, Kind.ORDER, body)

    @_do.register
    def _(self, action: speaker.Announce) -> None:
        log.info("announcing", network=action.network, incident=action.incident_id)
        self._line(action.network)
        if self.front is not None:
            self.front.announced(action.network)
        self.began(action.network)

    @_do.register
    def _(self, action: speaker.RepeatLine) -> None:
        self._line(action.network)

    @_do.register
    def _(self, action: speaker.SendClaim) -> None:
        age_s = None if action.line_at is None else max(0.0, self._pulse.now() - action.line_at)
        announcer = self._announcers.get(action.network)
        said = ClaimSaid(
            self.state.me,
            action.network,
            action.incident_id,
            action.rank,
            age_s,
            announcer.state.nick[:64] if announcer else "",
        )
        statement = sign_statement(self._key, Kind.CLAIM, said)
        for name in self._other_agents():
            self._mesh.send(name, Kind.CLAIM, statement)

    @_do.register
    def _(self, action: speaker.StopTalking) -> None:
        if announcer := self._announcers.get(action.network):
            announcer.stop_talking()

    # -- what they share --------------------------------------------------------------------------

    def speaks(self, network: str) -> bool:
        """Whether this agent is the one who speaks there now."""
        return any(
            said.network == network and said.phase is speaker.Phase.SPEAKING
            for said in self.state.speakers
        )

    def _other_agents(self) -> list[str]:
        roster = self._roster()
        agents = {one.name for one in roster.agents} if roster else set()
        return [name for name in self._mesh.others if name in agents]

    def line(self, network: str) -> str:
        """The announcement for a network, as it stands now; '' when no incident is open."""
        own, announcer = self.state.incident, self._announcers.get(network)
        if own is None or not own.id or announcer is None:
            return ""
        place = announcer.config
        former = place.former_room if wording.lately_moved(place, self._pulse.now()) else ""
        return wording.announcement(
            own.id, own.kind, own.verdict, own.silent_from, place, former=former
        )

    def _line(self, network: str) -> None:
        if text := self.line(network):
            self.announced[network] = text
            self._say(network, text)

    def _say(self, network: str, text: str) -> None:
        announcer = self._announcers[network]
        place = announcer.config
        targets = [place.lobby, place.room]
        if wording.lately_moved(place, self._pulse.now()):
            targets += [name for name in (place.former_lobby, place.former_room) if name]
        announcer.say(tuple(targets), text, Priority.ANNOUNCE)
        for target in targets:
            self._journal.note(self.incident_id, network, target, self.state.me, "agent", text)

    def _gossip(self) -> None:
        own = self.state.incident
        if own is None or not own.id:
            return
        now = self._pulse.now()
        said = IncidentSaid(
            own.id,
            own.kind.value,
            own.spoken,
            own.phase is incident.Phase.RECOVERING,
            own.verdict.value,
            max(0.0, min(now - own.silent_from, 86400.0 * 400)),
            max(0.0, own.drill_ends - now) if own.drill_ends > now else 0.0,
        )
        body = write_body(said)
        for name in self._other_agents():
            self._mesh.send(name, Kind.INCIDENT, body)

    def _say_again(self) -> None:
        self._gossip()

    async def _fetch(self) -> None:
        """After the start, ask the other agents which incidents are over."""
        if not self.state.speakers:
            return
        body = write_body(Fetched(0, "." * (PADDING - 40)))
        with trio.move_on_after(FETCH_FOR_S):
            while not all(said.fetched for said in self.state.speakers):
                others = self._other_agents()
                if not others and self._roster() is not None:
                    for said in self.state.speakers:
                        self.put(voter.ForNetwork(said.network, speaker.TombstonesFetched()))
                for name in others:
                    self._mesh.send(name, Kind.FETCH, body)
                await trio.sleep(1.0)


class _ForDesk:
    """A claims event on its way through the one queue."""

    __slots__ = ("event",)

    def __init__(self, event: Any) -> None:
        self.event: claims.Event = event
