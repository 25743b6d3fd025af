"""What is done in the world for each of the deciders' actions, in the order they were given.

Datagrams to the voters, bursts of probes, lines on the public networks. Nothing here waits: what
must be on disk first is, by the time it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, singledispatchmethod

import structlog
import trio

from bouncer.mesh.heartbeat import Kind, Received, sign_statement, write_body
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import Roster
from fallback import incident, speaker, voter, watch
from fallback.actions import TellOps
from fallback.journal import Journal
from fallback.mesh.gossip import (
    PADDING,
    Asked,
    ClaimSaid,
    ClosedSaid,
    Fetched,
    IncidentSaid,
    VoteSaid,
)
from fallback.mesh.hearing import CLOSED
from fallback.mesh.port import Mesh
from fallback.mesh.repeating import Repeating
from fallback.networks import wording
from fallback.networks.announcer import Announcer
from fallback.networks.outgoing import Priority
from fallback.push import Call
from fallback.senses.landmarks import Landmarks
from fallback.senses.probes import Probes
from fallback.senses.selfcheck import Pulse

FETCH_FOR_S = 15.0
_FOR_THE_ROOM = frozenset({incident.Line.CLOSING, incident.Line.HELD})  # who can act on it is there

log = structlog.get_logger("performer")


class Performer:
    """`state` gives the voter's present state; the callables are set by whoever wires the voter."""

    def __init__(
        self,
        key: MeshKey,
        state: Callable[[], voter.VoterState],
        *,
        pulse: Pulse,
        journal: Journal,
        mesh: Mesh,
        probes: Probes,
        announcers: Mapping[str, Announcer],
        roster: Callable[[], Roster | None],
    ) -> None:
        self.announced: dict[str, str] = {}  # the line as it was last put, by network
        self.silences: list[float] = []
        self.repeating = Repeating(mesh, self._gossip)
        self.landmarks: Landmarks | None = None
        self.began: Callable[[str], None] = lambda _network: None
        self.took_over: Callable[[str], None] = lambda _network: None
        self.push: Callable[[Call], None] = lambda _call: None
        self.tell_bouncer: Callable[[str], None] = lambda _note: None
        self.notice_kept: Callable[[str], None] = lambda _id: None
        self.pass_on: Callable[[incident.StanddownOrdered | incident.HeldOrdered], None] = (
            lambda _order: None
        )
        self._key = key
        self._state = state
        self._before = state()
        self._pulse = pulse
        self._journal = journal
        self._mesh = mesh
        self._probes = probes
        self._announcers = announcers
        self.roster = roster
        self._asked = 0

    @property
    def incident_id(self) -> str:
        own = self._state().incident
        return own.id if own else ""

    def perform(self, action: voter.Action, before: voter.VoterState) -> None:
        """Do it; `before` is the voter's state before the step that asked for it."""
        self._before = before
        self._do(action)

    @singledispatchmethod
    def _do(self, action: object) -> None:
        log.debug("nothing to do", action=type(action).__name__)

    @_do.register
    def _(self, action: TellOps) -> None:
        self.tell_ops(action.text)
        seen = self._state().watch
        silent = self._pulse.now() >= seen.silent_from + seen.timings.suspect_s
        if not silent or self.incident_id:  # in an incident, the speaker says what is to be said
            return
        for announcer in self._announcers.values():  # the bouncer can tell nobody now
            if announcer.joined:
                announcer.say((announcer.config.room,), f"for ops: {action.text}", Priority.VERIFY)

    def tell_ops(self, text: str) -> None:
        """One line for the operators: by the bouncer while it lives, and in the log."""
        log.warning("for ops", text=text)
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
        self._vote(VoteSaid(self._state().me, action.verdict.value, silent_s, action.drill))

    @_do.register
    def _(self, _action: watch.Withdraw) -> None:
        self._vote(VoteSaid(self._state().me, ""))

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
        after = self._state().incident
        worse = action.line is incident.Line.WORSE  # a drill no more
        kind = after.kind if after is not None and worse else before.kind
        text = wording.later(before.id, kind, action.line, action.since, before.verdict)
        for said in self._before.speakers:
            if said.phase is speaker.Phase.SPEAKING and said.line_at is not None:
                self._say(said.network, text, lobby=action.line not in _FOR_THE_ROOM)

    @_do.register
    def _(self, action: incident.SendClosed) -> None:
        tombstone = action.tombstone

        def body() -> bytes:
            age_s = max(0.0, self._pulse.now() - tombstone.at)
            # "At that moment", each time it is said again: primary back ends a stand-down.
            own = self._state().incident
            holds = tombstone.by_hand and own is not None and own.stood_down
            said = ClosedSaid(self._state().me, tombstone.id, tombstone.by_hand, age_s, holds)
            return sign_statement(self._key, Kind.CLOSED, said)

        id = CLOSED + tombstone.id
        self.repeating.until_received(self._mesh.others, id, Kind.CLOSED, body)

    @_do.register
    def _(self, action: incident.AckClosed) -> None:
        self._mesh.send(action.agent, Kind.RECEIVED, write_body(Received(CLOSED + action.id)))

    @_do.register
    def _(self, action: incident.RelayOrder) -> None:
        self.pass_on(action.order)

    @_do.register
    def _(self, action: speaker.Announce) -> None:
        log.info("announcing", network=action.network, incident=action.incident_id)
        self._line(action.network)
        self.began(action.network)

    @_do.register
    def _(self, action: speaker.Push) -> None:
        own, text = self._state().incident, self.announced.get(action.network)
        if own is not None and own.id and text:
            title = f"{wording.mark(own.id, own.kind)} {action.network}"
            self.push(Call(title, text, partial(self.speaks, action.network)))

    @_do.register
    def _(self, action: speaker.RepeatLine) -> None:
        self._line(action.network)

    @_do.register
    def _(self, action: speaker.SendClaim) -> None:
        age_s = None if action.line_at is None else max(0.0, self._pulse.now() - action.line_at)
        announcer = self._announcers.get(action.network)
        said = ClaimSaid(
            self._state().me,
            action.network,
            action.incident_id,
            action.rank,
            age_s,
            announcer.state.nick[:64] if announcer else "",
        )
        statement = sign_statement(self._key, Kind.CLAIM, said)
        for name in self.other_agents():
            self._mesh.send(name, Kind.CLAIM, statement)

    @_do.register
    def _(self, action: speaker.StopTalking) -> None:
        if announcer := self._announcers.get(action.network):
            announcer.outgoing.stop_talking()

    # -- what they share --------------------------------------------------------------------------

    def speaks(self, network: str) -> bool:
        """Whether this agent is the one who speaks there now."""
        return any(
            said.network == network and said.phase is speaker.Phase.SPEAKING
            for said in self._state().speakers
        )

    def drilled(self, text: str) -> str:
        """A line as it is said now: none of a drill may be taken for the real thing."""
        own = self._state().incident
        drills = own is not None and own.id and own.kind is incident.Kind.DRILL
        return wording.drilled(text) if drills else text

    def followed(self, network: str) -> str:
        """The agent who speaks there, where we follow one; '' else."""
        for said in self._state().speakers:
            if said.network == network and said.phase is speaker.Phase.FOLLOWING:
                return said.claimant.agent if said.claimant else ""
        return ""

    def other_agents(self) -> list[str]:
        """The names of the agents besides us."""
        roster = self.roster()
        agents = {one.name for one in roster.agents} if roster else set()
        return [name for name in self._mesh.others if name in agents]

    def line(self, network: str) -> str:
        """The announcement for a network, as it stands now; '' when no incident is open."""
        own, announcer = self._state().incident, self._announcers.get(network)
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

    def _say(self, network: str, text: str, *, lobby: bool = True) -> None:
        announcer = self._announcers[network]
        place = announcer.config
        targets = [place.lobby, place.room] if lobby else [place.room]
        if lobby and wording.lately_moved(place, self._pulse.now()):
            targets += [name for name in (place.former_lobby, place.former_room) if name]
        announcer.say(tuple(targets), text, Priority.ANNOUNCE)
        before = self._before.incident  # the last line is said when none is open any more
        id = self.incident_id or (before.id if before else "")
        for target in targets:
            self._journal.note(id, network, target, self._state().me, "agent", text)

    def _gossip(self) -> None:
        own = self._state().incident
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
        for name in self.other_agents():
            self._mesh.send(name, Kind.INCIDENT, body)

    async def fetch(self, put: Callable[[voter.Event], None]) -> None:
        """After the start, ask the other agents which incidents are over."""
        if not self._state().speakers:
            return
        body = write_body(Fetched(0, "." * (PADDING - 40)))
        with trio.move_on_after(FETCH_FOR_S):
            while not all(said.fetched for said in self._state().speakers):
                others = self.other_agents()
                if not others and self.roster() is not None:
                    for said in self._state().speakers:
                        put(voter.ForNetwork(said.network, speaker.TombstonesFetched()))
                for name in others:
                    self._mesh.send(name, Kind.FETCH, body)
                await trio.sleep(1.0)
