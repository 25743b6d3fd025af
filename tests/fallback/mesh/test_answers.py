"""What a voter shows another that asks: within the question's length, the most telling first."""

from __future__ import annotations

import base64
from dataclasses import replace

from bouncer.mesh.heartbeat import Kind, Maintenance, read_body, sign_statement, write_body
from fallback import incident, watch
from fallback.mesh.answers import evidence
from fallback.mesh.gossip import PADDING, Asked, Fetched, Forwarded, OverSaid
from fallback.mesh.port import PRIMARY
from tests.fallback.mesh.test_hearing import NOW, SITE, Ear, forwarded


def test_a_window_that_has_not_begun_keeps_nobody_from_speaking_alone() -> None:
    """FALLBACK: "in that time no voter showed A or a valid maintenance": tomorrow's is none."""
    ear = Ear()
    ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat())
    for begins, shows in ((NOW + 86_400, False), (NOW - 60, True)):
        window = Maintenance(f"m{begins}", round(begins * 1000), round(begins * 1000) + 600_000)
        notice = sign_statement(SITE, Kind.MAINTENANCE, window)
        heard = ear.hears("ams", Kind.FORWARD, forwarded(notice, kind="maintenance"))
        assert any(isinstance(event, watch.Noticed) for event in heard)
        assert (incident.VoterShows("ams", NOW) in heard) is shows


def test_the_window_that_is_on_is_forwarded_whatever_else_is_known() -> None:
    """A voter that missed the notice takes the stop for an outage; the answers have little room."""
    ear = Ear()
    ear.hears(PRIMARY, Kind.HEARTBEAT, ear.beat())
    for id, begins in (("m1.boot", NOW + 3600), ("m2.boot", NOW - 60), ("m3.boot", NOW + 7200)):
        window = Maintenance(
            id, round(begins * 1000), round(begins * 1000) + 600_000, "w" * 300, boot="b" * 16
        )
        ear.hears(PRIMARY, Kind.MAINTENANCE, sign_statement(SITE, Kind.MAINTENANCE, window))
    told = set()
    for number in (1, 2):
        ear.bodies.clear()
        ear.hears("ams", Kind.ASK, write_body(Asked(number, "." * (PADDING - 40))))
        for kind, body in ear.bodies:
            if kind is Kind.FORWARD:
                said = read_body(Forwarded, body)
                told.add((said.kind, b"m2.boot" in base64.b64decode(said.statement)))
    assert {("heartbeat", False), ("maintenance", True)} <= told


def test_who_asks_again_gets_what_had_no_room_before() -> None:
    beat, notice = (b"beat" * 50, 3.0), b"next" * 50
    told = {}
    for number in (1, 2, 3):
        answers = list(
            evidence(number, 400, heartbeat=beat, notices=[notice, b"later" * 40], answered_s=1e9)
        )
        [(kind, body)] = answers
        assert kind is Kind.FORWARD
        assert len(body) <= 400
        told[number] = base64.b64decode(read_body(Forwarded, body).statement)
    assert told == {1: beat[0], 2: notice, 3: beat[0]}


def test_a_question_for_closings_is_answered_with_as_many_as_fit() -> None:
    ear = Ear()
    stones = tuple(
        incident.Tombstone(f"{number:012x}.{'n' * 32}", True, NOW - 2_000_000.123456 - number)
        for number in range(40)
    )
    assert ear.state.incident is not None
    own = replace(ear.state.incident, tombstones=stones)
    ear.state = replace(ear.state, incident=own)
    ear.bodies.clear()
    ear.hears("ams", Kind.FETCH, write_body(Fetched(0, "." * (PADDING - 40))))
    [(kind, body)] = ear.bodies
    assert kind is Kind.OVER
    said = read_body(OverSaid, body)
    assert len(said.closed) > 8
    assert said.closed[-1][0] == stones[0].id, "the latest is among them"
