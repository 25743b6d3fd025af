"""What arrives fresh is still judged: by who may say it, whose signature it has, and its form."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.config import Address
from bouncer.mesh.heartbeat import (
    MAX_BODY,
    Heartbeat,
    Kind,
    Maintenance,
    Received,
    sign_statement,
    write_body,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.link import FrameType, LinkFault, dial_voter
from bouncer.mesh.peers import Heard
from bouncer.mesh.roster import Roster, Voter, sign_roster
from fallback import claims, incident, voter, watch
from fallback.mesh.gossip import (
    Asked,
    ClaimSaid,
    ClosedSaid,
    Forwarded,
    IncidentSaid,
    JournalSaid,
    OverSaid,
    VoteSaid,
)
from fallback.mesh.hearing import Hearing
from fallback.mesh.port import PRIMARY, Mesh
from fallback.timings import DEFAULTS

SITE, FRA, AMS, HEL = (MeshKey(letter * 32) for letter in (b"s", b"f", b"a", b"h"))
NOW = 1_700_000_000.0
ROSTER = Roster(
    str(SITE.public),
    1,
    0,
    voters=(
        Voter("ams", str(AMS.public), "192.0.2.1:1"),
        Voter("fra", str(FRA.public), "192.0.2.2:1"),
        Voter("hel", str(HEL.public), "192.0.2.3:1", "witness"),
    ),
)


class Ear:
    """The hearing of agent fra; what it makes of datagrams stands in the lists."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.answers: list[tuple[str, Kind, int, int]] = []
        self.bodies: list[tuple[Kind, bytes]] = []
        self.confirmed: list[tuple[str, str]] = []
        self.declared = False
        self.mesh = Mesh(
            FRA,
            SITE.public,
            Address("127.0.0.1", 0),
            heard=lambda _heard, _where: None,
            roster=lambda _document: None,
        )
        self.mesh.know(ROSTER.voters, "fra")
        self.mesh.answer = self.answer  # type: ignore[method-assign]
        self.state = voter.agent("fra", 1, ("pub",), DEFAULTS)
        self.hearing = Hearing(
            self.mesh,
            SITE.public,
            now=lambda: NOW,
            roster=lambda: ROSTER,
            state=lambda: self.state,
            answered_at=lambda: NOW - 1,
            probe=lambda: None,
            put=self.events.append,
            put_claim=self.events.append,
            received=lambda peer, id: self.confirmed.append((peer, id)),
            present=lambda _peer, _nicks: None,
            ack=lambda _ack, _where, _brought: None,
            order=self.order,
            declared=lambda: self.declared,
            dismissed=self.events.append,
        )

    def order(self, body: bytes) -> str | None:
        self.events.append(body)
        return None if body == b"full" else "declare:1"

    def answer(self, name: str, kind: Kind, body: bytes, _where: object, brought: int) -> None:
        if len(body) <= brought:
            self.answers.append((name, kind, len(body), brought))
            self.bodies.append((kind, body))

    def hears(self, peer: str, kind: Kind, body: bytes) -> list[object]:
        """What a fresh datagram of this peer leads to."""
        self.events.clear()
        self.hearing.take(Heard(peer, kind, body, True), ("192.0.2.9", 1))
        return list(self.events)

    def beat(self, sequence: int = 1, echo: str | None = None, key: MeshKey = SITE) -> bytes:
        own = self.mesh.peers.nonce.hex() if echo is None else echo
        beat = Heartbeat("boot", sequence, own, round(NOW * 1000))
        return sign_statement(key, Kind.HEARTBEAT, beat)


def test_a_heartbeat_with_our_nonce_is_class_a() -> None:
    ear = Ear()
    assert ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat()) == [
        watch.Heartbeat("boot", NOW, True, False)
    ]


def test_a_heartbeat_for_another_boot_of_ours_is_none() -> None:
    ear = Ear()
    assert ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat(echo="00" * 8)) == []


def test_only_the_bouncer_s_signature_makes_a_heartbeat() -> None:
    ear = Ear()
    assert ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat(key=AMS)) == []
    assert ear.hears("ams", Kind.HEARTBEAT, ear.beat()) == [], "a voter is not the bouncer"


def forwarded(statement: bytes, age_s: float = 2.0, kind: str = "heartbeat") -> bytes:
    encoded = base64.b64encode(statement).decode()
    return write_body(Forwarded(1, kind, encoded, age_s))  # type: ignore[arg-type]


def test_a_forwarded_heartbeat_is_as_old_as_its_receipt_and_counts_once() -> None:
    ear = Ear()
    nonce = ear.mesh.peers.nonce_of("ams").hex()
    said = forwarded(ear.beat(7, echo=nonce))
    assert ear.hears("ams", Kind.FORWARD, said) == [
        watch.Heartbeat("boot", NOW - 2, False, False),
        incident.VoterShows("ams", NOW - 2),
    ]
    assert ear.hears("ams", Kind.FORWARD, said) == [], "the same one proves nothing again"
    older = forwarded(ear.beat(6, echo=nonce))
    assert ear.hears("ams", Kind.FORWARD, older) == []


def test_a_heartbeat_recorded_elsewhere_cannot_be_forwarded() -> None:
    """Its nonce is not the forwarder's: it was never heard by that voter in this boot."""
    ear = Ear()
    assert ear.hears("ams", Kind.FORWARD, forwarded(ear.beat(echo="11" * 8))) == []


def test_a_vote_is_the_voter_s_own_or_none() -> None:
    ear = Ear()
    own = sign_statement(AMS, Kind.VOTE, VoteSaid("ams", "site", 21.0))
    assert ear.hears("ams", Kind.VOTE, own) == [
        incident.VoteHeard("ams", watch.Verdict.SITE, NOW - 21, False)
    ]
    for_another = sign_statement(AMS, Kind.VOTE, VoteSaid("hel", "site", 21.0))
    assert ear.hears("ams", Kind.VOTE, for_another) == [], "a liar has one vote, its own"
    assert ear.hears("hel", Kind.VOTE, own) == []


def test_a_witness_may_not_speak_of_incidents() -> None:
    ear = Ear()
    said = write_body(IncidentSaid("0199.hel", 4, True, False, "site", 1.0))
    assert ear.hears("hel", Kind.INCIDENT, said) == []
    assert len(ear.hears("ams", Kind.INCIDENT, said)) == 1
    closed = sign_statement(HEL, Kind.CLOSED, ClosedSaid("hel", "0199.fra", True, 1.0))
    assert ear.hears("hel", Kind.CLOSED, closed) == []
    assert ear.hears("hel", Kind.ORDER, b"an order") == []


def test_a_closing_says_whether_the_stand_down_still_holds() -> None:
    """An agent that has nothing open must not open what an admin has just closed elsewhere."""
    ear, id = Ear(), "0199.fra"
    for holds in (True, False):
        said = sign_statement(AMS, Kind.CLOSED, ClosedSaid("ams", id, True, 1.0, holds))
        assert ear.hears("ams", Kind.CLOSED, said) == [
            incident.PeerClosed("ams", id, True, NOW - 1, holds)
        ]
    over = OverSaid(1, (("0198.fra", True, 90.0), (id, True, 5.0), ("01aa.fra", False, 2.0)), True)
    told = [
        event
        for event in ear.hears("ams", Kind.OVER, write_body(over))
        if isinstance(event, incident.PeerClosed)
    ]
    assert [event.in_force for event in told] == [False, True, False], "the latest by hand alone"


@pytest.mark.parametrize("id", ["closed:0199.fra", "declare:1"])
def test_what_was_received_need_not_be_said_again(id: str) -> None:
    ear = Ear()
    events = ear.hears("hel", Kind.RECEIVED, write_body(Received(id)))
    assert ear.confirmed == [("hel", id)]
    closing = id.startswith("closed:")
    assert events == ([incident.CloseAcked("hel", "0199.fra")] if closing else [])


def test_an_order_is_confirmed_once_it_is_sure_to_be_looked_at() -> None:
    ear = Ear()
    assert ear.hears("ams", Kind.ORDER, b"full") == [b"full"]
    assert ear.answers == []
    assert ear.hears("ams", Kind.ORDER, b"an order " * 9)
    assert [kind for _, kind, *_ in ear.answers] == [Kind.RECEIVED]


def test_an_operator_s_incident_counts_as_one_only_with_the_admin_s_proof() -> None:
    """§3, Trust: "the order carries the admin's proof"; an agent's word alone opens nothing."""
    ear = Ear()
    said = write_body(IncidentSaid("0199.ams", 4, True, False, "site", 1.0))
    [event] = ear.hears("ams", Kind.INCIDENT, said)
    assert event.kind is incident.Kind.QUORUM
    ear.declared = True
    [event] = ear.hears("ams", Kind.INCIDENT, said)
    assert event.kind is incident.Kind.OPERATOR


def test_a_claim_s_rank_is_the_roster_s() -> None:
    ear = Ear()
    said = sign_statement(AMS, Kind.CLAIM, ClaimSaid("ams", "pub", "0199.ams", 9, 1.0))
    [event] = ear.hears("ams", Kind.CLAIM, said)
    assert isinstance(event, voter.ForNetwork)
    assert event.event.rank == 0  # type: ignore[union-attr]


def test_maintenance_is_the_bouncer_s_also_when_forwarded() -> None:
    ear = Ear()
    window = Maintenance("m1", round(NOW * 1000), round(NOW * 1000) + 600_000)
    notice = watch.Noticed(watch.Notice("m1", NOW, NOW + 600))
    genuine = sign_statement(SITE, Kind.MAINTENANCE, window)
    ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat())
    assert ear.hears(PRIMARY, Kind.MAINTENANCE, genuine) == [notice]
    assert notice in ear.hears("ams", Kind.FORWARD, forwarded(genuine, kind="maintenance"))
    forged = sign_statement(AMS, Kind.MAINTENANCE, window)
    assert ear.hears("ams", Kind.FORWARD, forwarded(forged, kind="maintenance")) == []


def test_no_maintenance_is_longer_than_twelve_hours() -> None:
    ear = Ear()
    ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat())
    window = Maintenance("m1", 0, 13 * 3600 * 1000)
    assert ear.hears(PRIMARY, Kind.MAINTENANCE, sign_statement(SITE, Kind.MAINTENANCE, window)) == (
        []
    )


def test_all_answers_together_are_no_longer_than_the_question() -> None:
    """FALLBACK: "Nothing is answered with more bytes than it brought"."""
    ear = Ear()
    ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat())
    for number in range(5):
        begins_ms = round(NOW * 1000)
        window = Maintenance(f"m{number}", begins_ms, begins_ms + 1000, why="w" * 300)
        ear.hears(PRIMARY, Kind.MAINTENANCE, sign_statement(SITE, Kind.MAINTENANCE, window))
    for size in (0, 100, 500, 1000):
        ear.answers.clear()
        question = write_body(Asked(1, "." * size))
        ear.hears("ams", Kind.ASK, question)
        assert sum(length for *_, length, _ in ear.answers) <= len(question)


def test_what_another_agent_verified_is_told_to_the_desk() -> None:
    ear = Ear()
    said = JournalSaid("v:1", "verified", handle="alice", network="pub", nick="al", proof=2)
    [event] = ear.hears("ams", Kind.JOURNAL, write_body(said))
    assert isinstance(event, claims.PeerVerified)
    assert event.proof is claims.Proof.CODE


def test_s8_who_was_verified_in_an_incident_that_is_over_is_not_shown_in_the_next() -> None:
    """It was said before the closing and comes after it; the code it used stays used."""
    ear = Ear()
    own = ear.state.incident
    assert own is not None
    stone = incident.Tombstone("0199.fra", False, NOW)
    ear.state = replace(ear.state, incident=replace(own, tombstones=(stone,)))
    said = JournalSaid("v:1", "verified", incident="0199.fra", spent="c" * 64, handle="alice")
    assert ear.hears("ams", Kind.JOURNAL, write_body(said)) == [claims.PeerSpent("ams", "c" * 64)]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from([PRIMARY, "ams", "hel", "nobody"]),
    st.sampled_from(Kind),
    st.binary(max_size=MAX_BODY),
    st.sampled_from([None, SITE, AMS, HEL]),
)
def test_even_an_authentic_liar_can_only_be_dropped(
    peer: str, kind: Kind, body: bytes, signer: MeshKey | None
) -> None:
    """Any octets under a good tag and even a good signature: an event or nothing, no exception."""
    ear = Ear()
    if signer is not None:
        body += signer.sign(b"muster mesh " + bytes((kind,)) + body)
    ear.hears(peer, kind, body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    [
        "id",
        "kind",
        "spoken",
        "recovering",
        "verdict",
        "silent_s",
        "voter",
        "agent",
        "network",
        "number",
        "statement",
        "age_s",
        "nicks",
        "closed",
        "what",
        "proof",
        "phase",
        "order",
        "admin",
        "left_s",
        "boot",
        "sequence",
        "echo",
        "rank",
        "line_age_s",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from([PRIMARY, "ams"]),
    st.sampled_from(Kind),
    st.dictionaries(_FIELDS, _JSON, max_size=12),
)
def test_fields_of_any_kind_are_an_event_or_nothing(
    peer: str, kind: Kind, fields: dict[str, object]
) -> None:
    body = json.dumps(fields).encode()
    key = SITE if peer == PRIMARY else AMS
    Ear().hears(peer, kind, body)
    Ear().hears(peer, kind, body + key.sign(b"muster mesh " + bytes((kind,)) + body))


async def test_a_stranger_on_the_tls_port_gets_nothing() -> None:
    """Only the bouncer has a link, and it proves itself before anything else is taken."""
    rosters: list[bytes] = []
    mesh = Mesh(
        FRA,
        SITE.public,
        Address("127.0.0.1", 0),
        heard=lambda _heard, _where: None,
        roster=rosters.append,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(mesh.run)
        link = await dial_voter("127.0.0.1", mesh.port, FRA.public)
        await link.send(FrameType.ROSTER, sign_roster(SITE, ROSTER))
        with trio.fail_after(5):
            with pytest.raises(LinkFault):
                await link.receive()
        await link.aclose()
        assert rosters == []
        nursery.cancel_scope.cancel()


async def test_a_voter_with_another_key_is_not_talked_to() -> None:
    mesh = Mesh(
        AMS,
        SITE.public,
        Address("127.0.0.1", 0),
        heard=lambda _heard, _where: None,
        roster=lambda _document: None,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(mesh.run)
        with pytest.raises(LinkFault, match="another key"):
            await dial_voter("127.0.0.1", mesh.port, FRA.public)
        nursery.cancel_scope.cancel()
