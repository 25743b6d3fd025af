"""From a fresh datagram to what the deciders may make of it; answers to what voters ask.

Who may say what: heartbeats, maintenance and that we are a voter no more the bouncer alone (also as
forwarded, signed octets); votes every voter; incidents, closings, claims and orders agents alone.
Whatever does not fit is dropped without an answer.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bouncer.mesh.datagrams import Where
from bouncer.mesh.heartbeat import (
    Ack,
    DatagramFault,
    Heartbeat,
    Kind,
    Received,
    read_body,
    read_statement,
    write_body,
)
from bouncer.mesh.keys import PublicKey
from bouncer.mesh.peers import Heard
from bouncer.mesh.roster import Dismissal, Roster
from fallback import claims, incident, speaker, voter, watch
from fallback.mesh import answers
from fallback.mesh.boots import Boots
from fallback.mesh.gossip import (
    Asked,
    ClaimSaid,
    ClosedSaid,
    Fetched,
    Forwarded,
    IncidentSaid,
    JournalSaid,
    OverSaid,
    PresentSaid,
    Probed,
    SettingsSaid,
    VoteSaid,
)
from fallback.mesh.notes import Notes
from fallback.mesh.notices import Notices
from fallback.mesh.port import PRIMARY, Mesh

MAX_FORWARDERS = 64  # (voter, boot) pairs whose last forwarded number is known
CLOSED = "closed:"  # how a RECEIVED names a closing


@dataclass
class LastBeat:
    """The last direct heartbeat, as it was signed."""

    statement: bytes
    beat: Heartbeat
    at: float


class Hearing:
    """Call `take` for each fresh datagram. `put` and `put_claim` must not wait."""

    def __init__(
        self,
        mesh: Mesh,
        primary_key: PublicKey,
        *,
        now: Callable[[], float],
        roster: Callable[[], Roster | None],
        state: Callable[[], voter.VoterState],
        answered_at: Callable[[], float],
        probe: Callable[[], None],
        put: Callable[[voter.Event], None],
        put_claim: Callable[[claims.Event], None],
        received: Callable[[str, str], None],
        present: Callable[[str, dict[str, str]], None],
        ack: Callable[[Ack, Where | None, int], None],
        order: Callable[[bytes], str | None],
        declared: Callable[[], bool],
        dismissed: Callable[[Dismissal], None],
    ) -> None:
        self._mesh = mesh
        self._primary_key = primary_key
        self._now = now
        self._roster = roster
        self._state = state
        self._answered_at = answered_at
        self._probe = probe
        self._put = put
        self._put_claim = put_claim
        self._received = received
        self._present = present
        self._ack = ack
        self._order = order
        self._declared = declared
        self._dismissed = dismissed
        self.last: LastBeat | None = None
        self.notices = Notices(primary_key)
        self.notes = Notes()
        self._boots = Boots()
        self.settings: dict[str, SettingsSaid] = {}  # by voter, of those that told
        self._forwarded: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._people_told: dict[str, bytes] = {}  # the nonce of its boot, by agent

    def take(self, heard: Heard, where: Where | None) -> None:
        """Handle one fresh datagram; a wrong one is dropped."""
        handler = _HANDLERS.get(heard.kind)
        if handler is None:
            return
        by, take = handler
        roster = self._roster()
        known = roster.voter(heard.peer) if roster else None
        role = "bouncer" if heard.peer == PRIMARY else known.role if known else ""
        if role not in by:
            return
        try:
            take(self, heard, where)
        except (DatagramFault, binascii.Error, ValueError):
            return

    # -- from the bouncer -------------------------------------------------------------------------

    def _on_heartbeat(self, heard: Heard, where: Where | None) -> None:
        beat = read_statement(Heartbeat, Kind.HEARTBEAT, self._primary_key, heard.body)
        if beat.echo != self._mesh.peers.nonce.hex():
            return
        now = self._now()
        self.notices.beat(beat.wall_ms, now)
        if worry := self._boots.worry(beat.boot, now):
            self.notes.put(worry)
        if self.last is None or self.last.beat.boot != beat.boot or self._is_later(beat):
            self.last = LastBeat(heard.body, beat, now)
        self._put(watch.Heartbeat(beat.boot, now, True, beat.drill, beat.home == "down"))
        self.send_ack(where, len(heard.body))

    def _is_later(self, beat: Heartbeat) -> bool:
        return self.last is None or beat.sequence > self.last.beat.sequence

    def send_ack(self, where: Where | None, brought: int) -> None:
        """Tell the bouncer who listens and what is seen."""
        if self.last is None:
            return
        state = self._state()
        roster = self._roster()
        ack = Ack(
            state.me,
            state.watch.phase.name,
            self.last.beat.sequence,
            incident=state.incident.id if state.incident else "",
            roster=roster.version if roster else 0,
            maintenance=self.notices.held,
        )
        room = None if where is None else brought
        self._ack(self.notes.ride(ack, room, linked=self._mesh.linked), where, brought)

    def _on_maintenance(self, heard: Heard, where: Where | None) -> None:
        if self.last is None:  # no heartbeat has told the bouncer's clock; the notice comes again
            return
        self._take_notice(heard.body)
        self.send_ack(where, len(heard.body))

    def _take_notice(self, statement: bytes) -> watch.Noticed | watch.NoticeEnded | None:
        event = self.notices.read(statement)
        if event is not None:
            self._put(event)
        return event

    def _is_on(self, notice: watch.Notice, now: float) -> bool:
        seen = self._state().watch
        over_at = watch.over_at(notice, seen.timings)
        return notice.begins <= now < over_at and notice.id not in seen.ended

    # -- evidence between voters ------------------------------------------------------------------

    def _on_hello(self, heard: Heard, _where: Where | None) -> None:
        if heard.body:
            self.settings[heard.peer] = read_body(SettingsSaid, heard.body)

    def _on_ask(self, heard: Heard, where: Where | None) -> None:
        asked = read_body(Asked, heard.body)
        if where is None:
            return
        self._probe()
        now, last = self._now(), self.last
        found = answers.evidence(
            asked.number,
            len(heard.body),
            heartbeat=(last.statement, now - last.at) if last else None,
            notices=list(self.notices.current(now)),
            answered_s=now - self._answered_at(),
        )
        for kind, body in found:
            self._mesh.answer(heard.peer, kind, body, where, len(heard.body))

    def _on_forward(self, heard: Heard, _where: Where | None) -> None:
        said = read_body(Forwarded, heard.body)
        statement = base64.b64decode(said.statement, validate=True)
        now = self._now()
        if said.kind == "maintenance":
            event = self._take_notice(statement)
            # One to come, or that was taken back, says nothing about this silence.
            if isinstance(event, watch.Noticed) and self._is_on(event.notice, now):
                self._put(incident.VoterShows(heard.peer, now))
            return
        beat = read_statement(Heartbeat, Kind.HEARTBEAT, self._primary_key, statement)
        # The forwarder's own nonce stands inside: it heard this in its present boot.
        if beat.echo != self._mesh.peers.nonce_of(heard.peer).hex():
            return
        key = (heard.peer, beat.boot)
        if beat.sequence <= self._forwarded.get(key, -1):
            return
        self._forwarded[key] = beat.sequence
        while len(self._forwarded) > MAX_FORWARDERS:
            self._forwarded.popitem(last=False)
        at = now - said.age_s
        gone = beat.home == "down"
        self._put(watch.Heartbeat(beat.boot, at, False, beat.drill, gone))
        waits = self._state().timings
        if said.age_s < waits.suspect_s and not (gone and waits.announce_home):
            self._put(incident.VoterShows(heard.peer, at))

    def _on_probed(self, heard: Heard, _where: Where | None) -> None:
        said = read_body(Probed, heard.body)
        self._put(watch.Answered(self._now() - said.age_s))

    def _on_vote(self, heard: Heard, _where: Where | None) -> None:
        said = read_statement(VoteSaid, Kind.VOTE, self._mesh.peers.public(heard.peer), heard.body)
        if said.voter != heard.peer:
            return
        if not said.verdict:
            self._put(incident.VoteWithdrawn(heard.peer))
            return
        silent_from = self._now() - said.silent_s
        verdict = watch.Verdict(said.verdict)
        self._put(incident.VoteHeard(heard.peer, verdict, silent_from, said.drill))

    def _on_dismissed(self, heard: Heard, _where: Where | None) -> None:
        self._dismissed(read_statement(Dismissal, Kind.DISMISSED, self._primary_key, heard.body))

    # -- between agents ---------------------------------------------------------------------------

    def _on_incident(self, heard: Heard, _where: Where | None) -> None:
        said, now = read_body(IncidentSaid, heard.body), self._now()
        kind = incident.Kind(said.kind)
        if kind is incident.Kind.OPERATOR and not self._declared():
            kind = incident.Kind.QUORUM  # no admin's proof has come with it (yet)
        self._put(
            incident.PeerIncident(
                heard.peer,
                said.id,
                kind,
                said.spoken,
                said.recovering,
                watch.Verdict(said.verdict),
                now - said.silent_s,
                now + said.drill_left_s if said.drill_left_s else watch.NEVER,
            )
        )

    def _on_closed(self, heard: Heard, where: Where | None) -> None:
        public = self._mesh.peers.public(heard.peer)
        said = read_statement(ClosedSaid, Kind.CLOSED, public, heard.body)
        if said.agent != heard.peer:
            return
        if self._state().incident is None:  # a witness keeps no incidents
            self._confirm(heard, where, CLOSED + said.id)
            return
        at = self._now() - said.age_s
        self._put(incident.PeerClosed(heard.peer, said.id, said.by_hand, at, said.in_force))

    def _confirm(self, heard: Heard, where: Where | None, id: str) -> None:
        body = write_body(Received(id[:64]))
        self._mesh.answer(heard.peer, Kind.RECEIVED, body, where, len(heard.body))

    def _on_received(self, heard: Heard, _where: Where | None) -> None:
        said = read_body(Received, heard.body)
        if said.id.startswith(CLOSED):
            self._put(incident.CloseAcked(heard.peer, said.id.removeprefix(CLOSED)))
        self._received(heard.peer, said.id)

    def _on_claim(self, heard: Heard, _where: Where | None) -> None:
        public = self._mesh.peers.public(heard.peer)
        said = read_statement(ClaimSaid, Kind.CLAIM, public, heard.body)
        roster = self._roster()
        rank = roster.rank(heard.peer) if roster else None  # the roster's, whatever it says
        if said.agent != heard.peer or rank is None:
            return
        line_at = None if said.line_age_s is None else self._now() - said.line_age_s
        if said.nick:
            self._present(heard.peer, {said.network: said.nick})
        self._put(voter.ForNetwork(said.network, speaker.ClaimHeard(heard.peer, rank, line_at)))

    def _on_journal(self, heard: Heard, where: Where | None) -> None:
        said = read_body(JournalSaid, heard.body)
        self._confirm(heard, where, said.id)
        own = self._state().incident
        over = own is not None and any(stone.id == said.incident for stone in own.tombstones)
        if said.what == "spent" or over:
            self._put_claim(claims.PeerSpent(heard.peer, said.spent))
            return
        self._put_claim(
            claims.PeerVerified(
                heard.peer,
                said.claim_id,
                said.handle,
                said.network,
                said.nick,
                claims.Proof(said.proof),
                said.spent,
                _phase(said.phase),
                said.evidence,
                said.recalled,
            )
        )

    def _on_order(self, heard: Heard, where: Where | None) -> None:
        id = self._order(heard.body)
        if id is not None:
            self._confirm(heard, where, id)

    def _on_fetch(self, heard: Heard, where: Where | None) -> None:
        asked, own = read_body(Fetched, heard.body), self._state().incident
        if where is None or own is None:
            return
        body = answers.closings(asked.number, len(heard.body), own, self._now())
        self._mesh.answer(heard.peer, Kind.OVER, body, where, len(heard.body))
        boot = self._mesh.peers.nonce_of(heard.peer)
        if self._people_told.get(heard.peer) != boot:  # it asks each second until it is answered
            self._people_told[heard.peer] = boot
            self._put_claim(claims.PeerStarted(heard.peer))

    def _on_over(self, heard: Heard, _where: Where | None) -> None:
        said, now = read_body(OverSaid, heard.body), self._now()
        latest_by_hand = [id for id, by_hand, _ in said.closed if by_hand][-1:]
        for id, by_hand, age_s in said.closed:
            holds = said.in_force and id in latest_by_hand
            self._put(incident.PeerClosed(heard.peer, id, by_hand, now - age_s, holds))
        for each in self._state().speakers:
            self._put(voter.ForNetwork(each.network, speaker.TombstonesFetched()))

    def _on_present(self, heard: Heard, _where: Where | None) -> None:
        self._present(heard.peer, dict(read_body(PresentSaid, heard.body).nicks))


def _phase(name: str) -> claims.Phase:
    if name not in claims.Phase.__members__:
        raise DatagramFault("body")
    return claims.Phase[name]


_H = Hearing
_BOUNCER = frozenset({"bouncer"})
_VOTERS = frozenset({"agent", "witness"})
_AGENTS = frozenset({"agent"})
_HANDLERS: dict[Kind, tuple[frozenset[str], Callable[[Hearing, Heard, Where | None], None]]] = {
    Kind.HEARTBEAT: (_BOUNCER, _H._on_heartbeat),
    Kind.MAINTENANCE: (_BOUNCER, _H._on_maintenance),
    Kind.HELLO: (_VOTERS, _H._on_hello),
    Kind.VOTE: (_VOTERS, _H._on_vote),
    Kind.ASK: (_VOTERS, _H._on_ask),
    Kind.FORWARD: (_VOTERS, _H._on_forward),
    Kind.PROBED: (_VOTERS, _H._on_probed),
    Kind.INCIDENT: (_AGENTS, _H._on_incident),
    Kind.CLOSED: (_AGENTS, _H._on_closed),
    Kind.CLAIM: (_AGENTS, _H._on_claim),
    Kind.JOURNAL: (_AGENTS, _H._on_journal),
    Kind.RECEIVED: (_VOTERS, _H._on_received),
    Kind.ORDER: (_AGENTS | _BOUNCER, _H._on_order),
    Kind.FETCH: (_AGENTS, _H._on_fetch),
    Kind.OVER: (_AGENTS, _H._on_over),
    Kind.PRESENT: (_AGENTS, _H._on_present),
    Kind.DISMISSED: (_VOTERS, _H._on_dismissed),
}
