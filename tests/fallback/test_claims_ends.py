"""S8: "nothing accepted twice", over two agents and restarts. L4: "claims expire"."""

from __future__ import annotations

from typing import Any

import pytest

from fallback import claims
from fallback.actions import Persist
from fallback.claims import (
    Admit,
    Burn,
    CodeSpilled,
    Connection,
    Desk,
    DevoiceNick,
    Gone,
    IncidentBegan,
    IncidentClosed,
    Kick,
    Lost,
    PeerSpent,
    PeerVerified,
    Phase,
    Proof,
    Refusal,
    Replicate,
    Revoked,
    SpentFact,
    Stored,
    TellRoom,
    Tick,
    Vouched,
)
from tests.fallback.claimants import (
    CODE,
    HERE,
    DeskDialogue,
    account,
    by_account,
    by_code,
    by_ssh,
    claimed,
    code,
    fresh,
    signed,
    suspended,
)

AGAIN = Connection("libera", 9)


def restarted(say: DeskDialogue) -> DeskDialogue:
    """kill -9 and start: a new desk, and what `say` asked to be kept, so far."""
    kept = [action.fact for action in say.actions if isinstance(action, Persist)]
    spent = frozenset(fact.spent for fact in kept if isinstance(fact, SpentFact))
    revoked = frozenset(f.evidence for f in kept if isinstance(f, claims.RevokedFact))
    known = tuple(f.claim for f in kept if isinstance(f, claims.ClaimFact))
    again = fresh()
    again.state = Desk()
    again.at(5, Stored("i1", spent, revoked, claims=known), IncidentBegan("i1"))
    return again


def told(phase: Phase = Phase.VERIFIED, spent: str = CODE) -> PeerVerified:
    """What another agent says of its own claim by this code."""
    return PeerVerified("hel", "c7", "alice", "oftc", "al", Proof.CODE, spent, phase)


def test_s8_a_recording_of_a_signature_is_refused_after_a_restart() -> None:
    """Even if chance drew the same nonce again."""
    say = fresh()
    by_ssh(say)
    again = restarted(say)
    again.at(6, claimed(nonce="n1"), signed())
    assert again.refused is Refusal.BAD
    again.at(7, claimed(nonce="n2"), signed(nonce="n2"))
    assert again.phase is Phase.VERIFIED


@pytest.mark.parametrize(
    "burn",
    [code(), CodeSpilled(CODE), PeerSpent("hel", CODE), told()],
    ids=lambda e: type(e).__name__,
)
def test_s8_a_recording_of_a_code_is_refused_after_a_restart(burn: Any) -> None:
    say = fresh()
    say.at(1, burn)
    again = restarted(say)
    again.at(6, code())
    assert again.refused is Refusal.BAD


def test_s8_a_code_burned_by_who_was_killed_is_told_after_the_restart() -> None:
    """Whom it was told of first may have heard nothing of it; a nonce is nobody else's business."""
    say = fresh()
    told_now = say.at(1, Stored("i1", frozenset({CODE, "n1"}), lately=(CODE, "n1")))
    assert told_now == [Burn(CODE)]


def test_s8_what_was_revoked_is_refused_after_a_restart_too() -> None:
    say = fresh()
    by_account(say)
    say.at(2, Revoked(HERE, "bob"))
    again = restarted(say)
    again.at(6, account())
    assert again.phase is Phase.OPEN


@pytest.mark.parametrize("prove", [by_ssh, by_code, by_account])
def test_s6_what_another_agent_revoked_is_refused_here(prove: Any) -> None:
    """ "any | admin revoke | REVOKED | kick", at all agents: else the next speaker verifies it."""
    say, there = fresh(), fresh()
    prove(there)
    assert there.claim is not None
    evidence = claims.digest_of(there.claim.evidence)
    say.at(1, claims.PeerRevoked(evidence, "bob"))
    assert say.said(Persist) == [Persist(claims.RevokedFact(evidence))]
    if prove is not by_code:  # a code is good once, anyway
        say.at(2, claimed(), signed() if prove is by_ssh else account())
        assert say.phase is Phase.CHALLENGED
    there.at(2, claims.PeerRevoked(evidence, "bob"))
    assert there.phase is Phase.REVOKED
    assert there.said(Kick)
    assert there.at(3, claims.PeerRevoked(evidence, "bob")) == []


def test_what_is_revoked_at_other_agents_has_a_bound_and_an_incident() -> None:
    say = fresh()
    many = [claims.PeerRevoked(f"{number:032x}", "bob") for number in range(claims.MAX_REVOKED)]
    say.at(1, *many, claims.PeerRevoked("f" * 32, "bob"))
    assert len(say.state.revoked) == claims.MAX_REVOKED
    say.at(2, IncidentClosed())
    assert say.at(3, many[0]) == []


def test_s8_nobody_is_verified_by_a_restart_alone() -> None:
    """Connections have other numbers then, so an old claim would be anybody's."""
    say = fresh()
    by_code(say)
    again = restarted(say)
    assert again.claim is not None
    assert claims.standing(again.state) == []


def test_s8_one_code_in_two_places_suspends_both() -> None:
    """ "spent in two components at once it suspends both": each hears of the other's."""
    here, there = fresh(), fresh()
    for say in (here, there):
        by_code(say)
    assert [type(action) for action in here.at(2, told())].count(DevoiceNick) == 1
    there.at(2, told())
    assert here.phase is there.phase is Phase.SUSPENDED


def test_s8_one_code_in_two_places_suspends_who_was_outproved_meanwhile_too() -> None:
    say = fresh()
    by_code(say)
    say.at(2, account(AGAIN))
    assert say.phase is Phase.SUPERSEDED
    say.at(3, told())
    assert say.phase is Phase.SUSPENDED


def test_s8_a_code_that_verified_somebody_elsewhere_is_burned_here_at_once() -> None:
    """Its burning and its claim are two datagrams: whichever comes first says that it is used."""
    say = fresh()
    burn = say.at(1, told())
    assert burn == [Persist(SpentFact(CODE)), TellRoom("alice is al (code)", "oftc")]
    say.at(2, code())
    assert say.refused is Refusal.BAD


def test_s8_a_peer_burns_codes_and_nothing_else() -> None:
    """A nonce names its agent: another's is good for nothing here, and would only fill the list."""
    say = fresh()
    assert say.at(1, PeerSpent("hel", "hel-0123"), PeerSpent("hel", "C" * 64)) == []
    assert say.state.spent == frozenset()
    assert say.at(2, PeerSpent("hel", CODE), PeerSpent("hel", CODE)) == [Persist(SpentFact(CODE))]


def test_s8_a_burning_is_told_once() -> None:
    say = fresh()
    first = say.at(1, CodeSpilled(CODE))
    assert first == [Persist(SpentFact(CODE)), Burn(CODE)]
    assert say.at(2, CodeSpilled(CODE)) == []


def test_persisted_before_acted_on() -> None:
    """ "nonces, claims, used codes": nobody is admitted before it is on disk."""
    for prove in (by_ssh, by_code, by_account):
        say = fresh()
        prove(say)
        kinds = [type(action) for action in say.actions]
        last_persist = len(kinds) - 1 - kinds[::-1].index(Persist)
        assert last_persist < kinds.index(Admit)


@pytest.mark.parametrize("prove", [by_ssh, by_code, by_account, suspended])
def test_l4_the_closing_ends_every_claim(prove: Any) -> None:
    """ "VERIFIED | 12 h, or incident closed | EXPIRED | devoice": nobody stays voiced, here or at
    another agent, and the next incident begins with nobody."""
    say = fresh()
    prove(say)
    say.at(2, PeerVerified("hel", "c7", "bob", "oftc", "bo", Proof.ACCOUNT, ""))
    assert len(claims.standing(say.state)) == (1 if prove is suspended else 2)
    say.at(3, IncidentClosed())
    assert claims.standing(say.state) == []
    assert say.said(DevoiceNick)
    assert [each.claim.phase for each in say.said(Replicate)] == [Phase.EXPIRED]
    say.at(4, IncidentBegan("i2"))
    assert claims.standing(say.state) == []


def test_l4_a_proof_of_the_closed_incident_is_worth_nothing_in_the_next() -> None:
    say = fresh()
    say.at(1, claimed(), IncidentClosed(), IncidentBegan("i2"))
    say.at(2, signed())
    assert say.refused is Refusal.UNASKED
    say.at(3, claimed(nonce="n2"), signed(nonce="n2"))
    assert say.refused is Refusal.BAD  # it names the other incident


def test_l4_codes_stay_burned_and_revocations_end_with_the_incident() -> None:
    say = fresh()
    by_code(say)
    say.at(2, account(AGAIN), Revoked(AGAIN, "bob"), IncidentClosed(), IncidentBegan("i2"))
    say.at(3, code())
    assert say.refused is Refusal.BAD
    say.at(4, account())
    assert say.phase is Phase.VERIFIED


@pytest.mark.parametrize(
    ("prove", "lasts_s"),
    [
        (by_ssh, claims.EXPIRE_S),
        (by_code, claims.EXPIRE_S),
        (by_account, claims.EXPIRE_S),
        (lambda say: say.at(1, *[Vouched(HERE, "al", "alice", by) for by in "bc"]), claims.VOUCH_S),
    ],
    ids=["ssh", "code", "account", "vouch"],
)
def test_l4_a_claim_expires_by_itself(prove: Any, lasts_s: float) -> None:
    say = fresh()
    prove(say)
    assert claims.wake_at(say.state, say.now) == say.now + lasts_s
    say.at(lasts_s, Tick())
    assert say.phase is Phase.VERIFIED
    say.at(1 + lasts_s, Tick())
    assert say.phase is Phase.EXPIRED
    assert say.said(DevoiceNick)


def test_l4_who_left_is_held_for_ten_minutes_alone() -> None:
    say = fresh()
    by_account(say)
    say.at(2, Lost(HERE, Gone.SPLIT))
    say.at(2 + claims.SUSPEND_S, Tick())
    assert say.phase is Phase.OPEN
    assert say.state.claims == ()


def test_l4_a_claim_of_another_agent_ends_when_it_says_so() -> None:
    say = fresh()
    say.at(1, told())
    assert len(claims.standing(say.state)) == 1
    say.at(2, told(Phase.EXPIRED))
    assert claims.standing(say.state) == []
