"""S6: "VERIFIED => valid proof: ssh bound to incident, network and nick with an unused nonce; a
code burned on first sight." S9: "unknown handles get the same answers as known ones."

Each guard of the desk has its attack here; `tests/mutants` undoes the guards one by one.
"""

from __future__ import annotations

from typing import Any

import pytest

from fallback import claims
from fallback.claims import (
    Admit,
    Claimed,
    CodeSpilled,
    Connection,
    Gone,
    IncidentBegan,
    Kick,
    Lost,
    NickChanged,
    PeerSpent,
    Phase,
    Proof,
    Refusal,
    Revoked,
    Signed,
    Stored,
    Tick,
    UplinkDoubted,
    Vouched,
)
from tests.fallback.claimants import (
    CODE,
    HERE,
    THERE,
    account,
    by_account,
    by_code,
    by_ssh,
    claimed,
    code,
    fresh,
    locked,
    signed,
)

AGAIN = Connection("libera", 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"valid": False},
        {"incident": "i0"},
        {"network": "oftc"},
        {"nick": "mallory"},
        {"nonce": "n2"},
        {"nonce": ""},
    ],
    ids=str,
)
def test_s6_a_signature_is_bound_to_incident_network_nick_and_nonce(wrong: dict[str, Any]) -> None:
    say = fresh()
    say.at(1, claimed(), signed(**wrong))
    assert say.refused is Refusal.BAD
    assert say.phase is Phase.CHALLENGED


def test_s6_what_was_asked_of_another_person_is_worth_nothing_here() -> None:
    """Bob overhears alice's challenge, or her signature over it, and sends it as his own."""
    say = fresh()
    say.at(1, claimed(), Claimed(AGAIN, "bo", "bob", "n2"))
    for theirs in (signed(connection=AGAIN, nick="bo"), signed(connection=AGAIN)):
        say.at(2, theirs)
        assert say.refused is Refusal.BAD
    say.at(3, signed())
    assert say.phase is Phase.VERIFIED  # nor is hers used up by his tries


def test_s6_a_signature_for_an_earlier_challenge_of_the_same_person_is_refused() -> None:
    say = fresh()
    say.at(1, claimed(nonce="n1"))
    say.at(2, claimed(nonce="n2"), signed(nonce="n1"))
    assert say.refused is Refusal.BAD
    say.at(3, signed(nonce="n2"))
    assert say.phase is Phase.VERIFIED


@pytest.mark.parametrize("begin", [lambda _say: None, locked], ids=["challenged", "locked"])
def test_s6_a_nonce_is_good_for_two_minutes(begin: Any) -> None:
    """Also where no tick came in between: the signature itself is judged by the clock."""
    say = fresh()
    begin(say)
    say.at(2, claimed())
    say.at(122, signed())
    assert say.refused is Refusal.BAD
    say.at(123, claimed(nonce="n2"))
    say.at(242.9, signed(nonce="n2"))
    assert say.phase is Phase.VERIFIED


@pytest.mark.parametrize("begin", [lambda _say: None, locked], ids=["challenged", "locked"])
def test_s6_a_challenge_dies_with_the_nick_it_was_asked_of(begin: Any) -> None:
    """Nor does it come back with the nick: meanwhile that was anybody's."""
    say = fresh()
    begin(say)
    say.at(2, claimed(), NickChanged(HERE, "mallory"), NickChanged(HERE, "al"))
    say.at(3, signed())
    assert say.phase is not Phase.VERIFIED


def test_s6_a_nonce_is_used_once() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Lost(HERE, Gone.QUIT))
    say.at(3, Claimed(AGAIN, "al", "alice", "n1"), signed(connection=AGAIN))
    assert say.refused is Refusal.BAD


def test_s6_a_signature_for_the_older_id_of_the_same_incident_is_good() -> None:
    say = fresh()
    say.at(1, claimed(), IncidentBegan("i0"), signed())
    assert say.phase is Phase.VERIFIED


def test_s6_a_code_is_used_once() -> None:
    """ "a code burned on first sight": its person cannot use it twice either."""
    say = fresh()
    by_code(say)
    say.at(2, code(at=THERE))
    assert say.refused is Refusal.BAD
    say.at(3, Lost(HERE, Gone.QUIT), code(at=AGAIN))
    assert say.refused is Refusal.BAD
    assert not say.said(Admit)


def test_s6_a_code_said_in_public_is_burned() -> None:
    say = fresh()
    say.at(1, CodeSpilled(CODE), code())
    assert say.refused is Refusal.BAD


def test_s6_a_code_burned_at_another_agent_is_refused() -> None:
    say = fresh()
    say.at(1, PeerSpent("hel", CODE), code())
    assert say.refused is Refusal.BAD


def test_s6_a_spilled_code_is_refused_though_it_was_burned_before_a_restart() -> None:
    say = fresh()
    say.at(1, Stored("i1", frozenset({CODE})), IncidentBegan("i1"), code())
    assert say.refused is Refusal.BAD


def test_s6_a_code_of_somebody_else_is_refused() -> None:
    say = fresh()
    say.at(1, code(fits=False))
    assert say.refused is Refusal.BAD
    assert CODE not in say.state.spent  # whose it is can still use it


def test_s6_a_revoked_account_is_refused_wherever_it_comes_from() -> None:
    say = fresh()
    by_account(say)
    say.at(2, Revoked(HERE, "bob"), account(AGAIN))
    assert claims.claim_of(say.state, AGAIN) is None
    assert not say.said(Admit)
    say.at(3, account(AGAIN, "alice-other"))  # another account of hers was not revoked
    assert say.said(Admit)


@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
def test_s6_a_revoked_account_is_revoked_on_each_of_its_connections(away: bool) -> None:
    say = fresh()
    by_account(say)
    say.at(2, account(AGAIN), account(THERE))
    if away:
        say.at(3, Lost(HERE, Gone.SPLIT))
    say.at(4, Revoked(AGAIN, "bob"), account())
    assert say.phase is Phase.REVOKED
    assert [kick.connection for kick in say.said(Kick)] == [AGAIN, HERE]
    (other,) = claims.standing(say.state)  # an account is one network's own
    assert other.nick == "al"


def test_s6_a_revoked_key_is_refused_wherever_it_comes_from() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Revoked(HERE, "bob"))
    again = Claimed(AGAIN, "al", "alice", "n2")
    say.at(3, again, signed(connection=AGAIN, nonce="n2"))
    assert say.refused is Refusal.BAD
    say.at(4, signed(connection=AGAIN, nonce="n2", key="another"))
    assert say.said(Admit)


def test_s6_what_two_admins_vouched_for_and_one_revoked_they_cannot_vouch_for_again() -> None:
    say = fresh()
    for person, at in (("alice", HERE), ("alice", AGAIN), ("erin", THERE)):
        say.at(1, Vouched(at, "x", person, "bob"), Vouched(at, "x", person, "carol"))
        if at == HERE:
            assert say.said(Admit)
            say.at(2, Revoked(HERE, "dave"))
        else:  # nor is anybody else hurt by it
            assert bool(say.said(Admit)) is (person == "erin")


def test_s6_a_network_that_names_a_revoked_account_of_another_network_is_not_believed() -> None:
    """An account is one network's own."""
    say = fresh()
    by_account(say)
    say.at(2, Revoked(HERE, "bob"), account(THERE))
    assert say.said(Admit)


def test_s6_a_nick_taken_after_quit_is_not_verified() -> None:
    """A nick is never proof: who takes it is another connection."""
    say = fresh()
    by_code(say)
    say.at(2, Lost(HERE, Gone.QUIT))
    assert claims.claim_of(say.state, AGAIN) is None
    assert claims.standing(say.state) == []


def test_s6_only_what_was_proved_is_verified_of_a_stranger() -> None:
    """The roster knows no such handle: everything goes on, and no proof fits."""
    say = fresh()
    say.at(1, Claimed(HERE, "al", "", "n1"), signed())
    assert say.refused is Refusal.BAD
    say.at(2, claims.CodeGiven(HERE, "al", "", CODE, True))
    assert say.refused is Refusal.BAD
    say.at(3, claims.AccountMatched(HERE, "al", "", "acc"))
    assert say.phase is not Phase.VERIFIED


def test_s6_nothing_is_verified_while_the_uplink_is_in_doubt() -> None:
    """ "ISOLATED while SPEAKING ... verifies no new claim until the self-check is good", in the
    next incident too."""
    say = fresh()
    say.at(1, claimed(), UplinkDoubted(True), signed())
    assert say.refused is Refusal.UPLINK
    say.at(2, account(AGAIN), claims.IncidentClosed(), IncidentBegan("i2"), account(AGAIN))
    assert not say.said(Admit)
    say.at(3, UplinkDoubted(False), account(AGAIN))
    assert say.said(Admit)


def test_s9_an_unknown_handle_gets_the_same_answers() -> None:
    known, unknown = fresh(), fresh()
    for event in (claimed(), signed(valid=False), code("x", fits=False)):
        known.at(1, event)
        unknown.at(1, Claimed(HERE, "al", "", "n1") if isinstance(event, Claimed) else event)
        assert known.actions == unknown.actions


def test_a_fake_network_hurts_itself_only() -> None:
    """Ten thousand claims there push out one another, and nobody's elsewhere."""
    say = fresh()
    say.at(1, Claimed(THERE, "real", "bob", "nb"))
    for number in range(10_000):
        fake = Connection("fake", number)
        say.state, _ = claims.step(say.state, Claimed(fake, "x", "", f"n{number}"), say.now)
    assert len(say.state.claims) <= claims.MAX_UNVERIFIED + 1
    say.at(2, Tick(), Signed(THERE, True, "i1", "oftc", "real", "nb", "K"))
    (bob,) = claims.standing(say.state)
    assert (bob.handle, bob.proof) == ("bob", Proof.SSH)


@pytest.mark.parametrize(
    ("first", "second", "verified"),
    [
        (("ann", True), ("dan", False), True),  # another agent knew ann, this one knows dan
        (("ann", False), ("dan", True), False),  # the other agent has both, and verifies
        (("ann", True), ("dan", True), False),
        (("ann", True), ("ann", False), False),
    ],
)
def test_s6_what_another_agent_answers_is_the_first_vouch_and_never_the_second(
    first: tuple[str, bool], second: tuple[str, bool], verified: bool
) -> None:
    say = fresh()
    for at, (admin, overheard) in enumerate((first, second)):
        say.at(at, Vouched(HERE, "al", "alice", admin, overheard))
    assert (say.phase is Phase.VERIFIED) is verified
