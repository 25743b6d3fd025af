"""Datagrams: total on any octets, forged ones refused, nothing accepted twice."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.mesh.heartbeat import (
    HEADER_OCTETS,
    MAX_BODY,
    MAX_DATAGRAM,
    MAX_RETIRED,
    Ack,
    DatagramFault,
    Heartbeat,
    Kind,
    Maintenance,
    PeerWindow,
    open_sealed,
    read_body,
    read_statement,
    seal,
    sign_statement,
    write_body,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.peers import HELLO_GAP_S, RENEW_GAP_S, Peers

BOUNCER, VOTER = MeshKey(b"b" * 32), MeshKey(b"v" * 32)
PAIR = BOUNCER.pair_key(VOTER.public)
KEYS = {BOUNCER.public.key_id: PAIR}


def sealed(body: bytes = b"{}", kind: Kind = Kind.HEARTBEAT, sequence: int = 1) -> bytes:
    return seal(
        PAIR,
        BOUNCER.public.key_id,
        kind,
        nonce=b"n" * 8,
        echo=b"e" * 8,
        sequence=sequence,
        body=body,
    )


@given(st.binary(max_size=MAX_BODY), st.sampled_from(Kind), st.integers(0, 2**64 - 1))
def test_what_was_sealed_is_read_again(body: bytes, kind: Kind, sequence: int) -> None:
    datagram = open_sealed(sealed(body, kind, sequence), KEYS)
    assert (datagram.kind, datagram.body, datagram.sequence) == (kind, body, sequence)


@given(st.binary(max_size=MAX_DATAGRAM + 10))
def test_any_octets_are_refused_without_another_exception(data: bytes) -> None:
    with pytest.raises(DatagramFault):
        open_sealed(data, KEYS)


@given(st.data())
def test_one_changed_octet_anywhere_is_refused(data: st.DataObject) -> None:
    whole = sealed(b'{"boot":"x"}')
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    forged = whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :]
    with pytest.raises(DatagramFault):
        open_sealed(forged, KEYS)


def test_a_datagram_never_exceeds_1200_octets() -> None:
    assert len(sealed(b"x" * MAX_BODY)) == MAX_DATAGRAM
    with pytest.raises(ValueError, match="octets"):
        sealed(b"x" * (MAX_BODY + 1))


@given(st.binary(max_size=400))
def test_any_body_is_a_value_or_a_fault(body: bytes) -> None:
    for form in (Heartbeat, Ack, Maintenance):
        try:
            read_body(form, body)
        except DatagramFault:
            continue


@pytest.mark.parametrize("body", [b"[" * 1000, b'{"boot":' * 150, b"1e999", b"\xff", b""])
def test_bodies_made_to_break_a_parser(body: bytes) -> None:
    with pytest.raises(DatagramFault):
        read_body(Heartbeat, body)


def test_fields_of_a_later_release_are_ignored() -> None:
    body = write_body(Ack("fra", "WATCHING", 3))[:-1] + b',"more":[1]}'
    assert read_body(Ack, body).voter == "fra"


def test_a_statement_is_the_signer_s_and_of_its_kind() -> None:
    beat = Heartbeat("boot", 1, "00", 5)
    statement = sign_statement(BOUNCER, Kind.HEARTBEAT, beat)
    assert read_statement(Heartbeat, Kind.HEARTBEAT, BOUNCER.public, statement) == beat
    with pytest.raises(DatagramFault, match="signature"):
        read_statement(Heartbeat, Kind.HEARTBEAT, VOTER.public, statement)
    with pytest.raises(DatagramFault, match="signature"):
        read_statement(Heartbeat, Kind.VOTE, BOUNCER.public, statement)


@given(st.binary(max_size=200))
def test_any_octets_are_no_statement(statement: bytes) -> None:
    with pytest.raises(DatagramFault):
        read_statement(Heartbeat, Kind.HEARTBEAT, BOUNCER.public, statement)


# -- nothing is accepted twice ------------------------------------------------------------------


@given(st.lists(st.integers(0, 200), max_size=300))
def test_a_number_is_accepted_at_most_once_in_any_order(numbers: list[int]) -> None:
    window, accepted = PeerWindow(), []
    for number in numbers:
        datagram = open_sealed(sealed(sequence=number), KEYS)
        if window.accepts(datagram, b"e" * 8):
            accepted.append(number)
    assert len(accepted) == len(set(accepted))
    if numbers:
        assert max(numbers) in accepted


@given(st.permutations(list(range(40))))
def test_datagrams_that_overtake_each_other_are_all_accepted(numbers: list[int]) -> None:
    window = PeerWindow()
    for number in numbers:
        assert window.accepts(open_sealed(sealed(sequence=number), KEYS), b"e" * 8)


def pair() -> tuple[Peers, Peers]:
    counter = itertools.count(1)
    one = Peers(BOUNCER, lambda: next(counter).to_bytes(8, "big"))
    two = Peers(VOTER, lambda: (next(counter) + 1000).to_bytes(8, "big"))
    one.replace({"voter": VOTER.public})
    two.replace({"bouncer": BOUNCER.public})
    return one, two


def introduce(one: Peers, two: Peers) -> None:
    """HELLO, its answer, and the first datagram with the right echo."""
    hello = two.receive(one.seal("voter", Kind.HELLO), 0.0)
    assert not hello.fresh
    assert one.receive(hello.reply, 0.0).fresh
    assert two.receive(one.seal("voter", Kind.HEARTBEAT), 0.0).fresh


def test_two_strangers_get_to_know_each_other_s_nonce() -> None:
    one, two = pair()
    introduce(one, two)
    assert two.nonce_of("bouncer") == one.nonce
    assert one.nonce_of("voter") == two.nonce


def test_the_answer_is_never_longer_than_the_question() -> None:
    one, two = pair()
    question = one.seal("voter", Kind.HELLO)
    assert len(question) == HEADER_OCTETS
    assert len(two.receive(question, 0.0).reply) <= len(question)


def test_a_recording_proves_nothing_to_a_restarted_voter() -> None:
    """FALLBACK: "the voter's own per-boot nonce echoed (so a recording proves nothing)"."""
    one, two = pair()
    introduce(one, two)
    recording = one.seal("voter", Kind.HEARTBEAT)
    _, reborn = pair()
    reborn.nonce = b"newnonce"
    heard = reborn.receive(recording, 10.0)
    assert not heard.fresh
    assert heard.reply  # from which an honest peer learns the new nonce


def test_a_replayed_datagram_is_not_fresh_again() -> None:
    one, two = pair()
    introduce(one, two)
    datagram = one.seal("voter", Kind.HEARTBEAT)
    assert two.receive(datagram, 1.0).fresh
    assert not two.receive(datagram, 1.0).fresh
    assert two.receive(datagram, 1.0).reply == b""


def test_an_earlier_boot_of_the_peer_does_not_come_back() -> None:
    one, two = pair()
    introduce(one, two)
    old = one.seal("voter", Kind.HEARTBEAT)
    reborn = Peers(BOUNCER, lambda: b"rebooted")
    reborn.replace({"voter": VOTER.public})
    reborn.receive(two.receive(reborn.seal("voter", Kind.HELLO), 1.0).reply, 1.0)
    assert two.receive(reborn.seal("voter", Kind.HEARTBEAT), 1.0).fresh
    assert not two.receive(old, 2.0).fresh


def twin() -> Peers:
    """Another process with the bouncer's key: restored on a second machine, say."""
    other = Peers(BOUNCER, lambda: b"the twin")
    other.replace({"voter": VOTER.public})
    return other


def beat(bouncer: Peers, voter: Peers, now: float) -> bool:
    """One heartbeat, and its answer; whether it was fresh."""
    heard = voter.receive(bouncer.seal("voter", Kind.HEARTBEAT), now)
    if heard.reply:
        bouncer.receive(heard.reply, now)
    return heard.fresh


def test_a_second_process_with_a_peer_s_key_does_not_lock_the_first_one_out() -> None:
    """A copy of the bouncer that ran for a minute must not make the voters deaf to the real one:
    they would announce an outage."""
    one, two = pair()
    introduce(one, two)
    other = twin()
    both = [beat(each, two, second) for second in range(60) for each in (one, other)]
    assert all(any(both[at : at + 6]) for at in range(len(both) - 6)), "one in three seconds"
    alone = [beat(one, two, second) for second in range(60, 60 + 9)]
    assert any(alone[:8]), "within the ten seconds that a voter bears"
    assert alone[-1]


def test_recordings_of_an_earlier_boot_are_void_after_one_new_nonce() -> None:
    one, two = pair()
    introduce(one, two)
    recordings = [one.seal("voter", Kind.HEARTBEAT) for _ in range(10)]
    other = twin()
    assert not beat(other, two, 1.0)
    assert beat(other, two, 2.0)
    nonces = set()
    for number, recording in enumerate(recordings):
        assert not two.receive(recording, 10.0 + number * RENEW_GAP_S).fresh
        nonces.add(two.nonce)
    assert len(nonces) == 1


def test_recordings_draw_one_hello_per_gap_and_no_more() -> None:
    one, two = pair()
    replies = [two.receive(one.seal("voter", Kind.HELLO), 0.0).reply for _ in range(1000)]
    assert sum(map(bool, replies)) == 1
    assert two.receive(one.seal("voter", Kind.HELLO), HELLO_GAP_S).reply


def test_a_peer_that_boots_without_end_makes_us_change_our_nonce() -> None:
    one, two = pair()
    introduce(one, two)
    first = two.nonce
    for number in range(MAX_RETIRED + 2):
        two.receive(
            seal(
                PAIR,
                BOUNCER.public.key_id,
                Kind.HELLO,
                nonce=(number + 10_000).to_bytes(8, "big"),
                echo=two.nonce,
                sequence=1,
            ),
            0.0,
        )
    assert two.nonce != first


def test_a_removed_key_is_a_stranger() -> None:
    one, two = pair()
    introduce(one, two)
    two.replace({})
    with pytest.raises(DatagramFault, match="unknown sender"):
        two.receive(one.seal("voter", Kind.HEARTBEAT), 0.0)
