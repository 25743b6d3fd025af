"""What a voter acks fits what it answers, and a note for ops is carried, not lost by its length."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.mesh.heartbeat import Ack, Heartbeat, Kind, sign_statement, write_body
from bouncer.mesh.peers import Heard
from fallback.mesh.notes import CARRIED, MAX_NOTE
from fallback.mesh.port import PRIMARY
from tests.fallback.mesh.test_hearing import NOW, SITE, Ear

UDP = ("192.0.2.9", 1)


class Acking(Ear):
    """`by_udp` are the acks that left: nothing does that is longer than what it answers."""

    def __init__(self, *, linked: bool) -> None:
        super().__init__()
        self.by_udp: list[Ack] = []
        self.by_link: list[Ack] = []
        self.hearing._ack = self._answers
        if linked:
            self.mesh._links = {object(): True}  # type: ignore[dict-item]

    def _answers(self, ack: Ack, where: object, brought: int) -> None:
        if where is None:
            self.by_link.append(ack)
        elif len(write_body(ack)) <= brought:
            self.by_udp.append(ack)

    def beats(self, sequence: int, *, by_link: bool = False) -> None:
        own = self.mesh.peers.nonce.hex()
        beat = Heartbeat("b" * 16, sequence, own, round(NOW * 1000))
        body = sign_statement(SITE, Kind.HEARTBEAT, beat)
        self.hearing.take(Heard(PRIMARY, Kind.HEARTBEAT, body, True), None if by_link else UDP)


def test_a_long_note_goes_by_the_link_and_hides_no_life() -> None:
    ear, note = Acking(linked=True), "w" * MAX_NOTE
    ear.hearing.notes.put(note)
    ear.hearing.notes.put("short")
    for sequence in range(5 * CARRIED):
        ear.beats(sequence)
    assert len(ear.by_udp) == 5 * CARRIED
    for sequence in range(100, 100 + CARRIED):
        ear.beats(sequence, by_link=True)
    assert {ack.note for ack in ear.by_link} == {note}
    ear.beats(200)
    assert ear.by_udp[-1].note == "short"


def test_without_a_link_a_long_note_is_cut_and_holds_up_no_other() -> None:
    ear = Acking(linked=False)
    ear.hearing.notes.put("ä" * MAX_NOTE)
    ear.hearing.notes.put("short")
    for sequence in range(2 * CARRIED + 1):
        ear.beats(sequence)
    assert len(ear.by_udp) == 2 * CARRIED + 1
    first, second, last = ear.by_udp[0], ear.by_udp[CARRIED], ear.by_udp[-1]
    assert first.note.startswith("ä")
    assert (second.note, second.noted) == ("short", first.noted + 1)
    assert last.note == ""


@pytest.mark.parametrize("length", [3, 32])
def test_an_ack_always_fits(length: int) -> None:
    """A voter that protects the site is not to be told as one that does not."""
    ear, name = Acking(linked=False), "n" * length
    assert ear.state.incident is not None
    own = replace(ear.state.incident, id=f"{'0' * 12}.{name}")
    ear.state = replace(ear.state, me=name, incident=own)
    ear.hearing.notices.held = f"m31.{'b' * 8}@{round(NOW * 1000)}"
    ear.hearing.notes.put("a note")
    ear.beats(2**40)
    [ack] = ear.by_udp
    assert ack.voter == name
    if length == 3:
        assert ack.incident
        assert ack.maintenance
