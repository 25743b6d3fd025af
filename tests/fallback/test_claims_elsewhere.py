"""Whom another agent has verified, as the desk of the one who speaks takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fallback import claims
from fallback.claims import (
    Connection,
    IncidentBegan,
    PeerStarted,
    PeerVerified,
    Phase,
    Proof,
    Replicate,
    TellRoom,
    Tick,
)
from fallback.claims.values import EXPIRE_S
from tests.fallback.claimants import HERE, DeskDialogue, account, by_account, by_ssh, fresh

THEIRS = PeerVerified("hel", "hel:oftc:1", "bob", "oftc", "bo", Proof.SSH, "")
SAME = PeerVerified("hel", "hel:libera:4", "alice", "libera", "al", Proof.SSH, "")


def told(say: DeskDialogue) -> list[str]:
    assert all(one.network in ("libera", "oftc") for one in say.said(TellRoom))
    return [one.text for one in say.said(TellRoom)]


def test_the_room_is_told_of_each_change_once() -> None:
    say = fresh()
    say.at(1, THEIRS)
    assert say.said(TellRoom) == [TellRoom("bob is bo (ssh)", "oftc")]
    say.at(2, THEIRS)
    assert told(say) == []
    say.at(3, replace(THEIRS, nick="bo2"))
    assert told(say) == ["bob is bo2 now (was bo)"]
    say.at(4, replace(THEIRS, nick="bo2", phase=Phase.SUPERSEDED))
    assert told(say) == ["bob has proved it elsewhere; bo2 is the older one"]
    say.at(5, replace(THEIRS, nick="bo2", phase=Phase.SUPERSEDED))
    assert told(say) == []
    say.at(6, replace(THEIRS, nick="bo2", phase=Phase.REVOKED))
    assert told(say) == ["bo2, who was bob, is revoked"]


@pytest.mark.parametrize("phase", [Phase.SUSPENDED, Phase.EXPIRED])
def test_who_is_gone_is_not_talked_of(phase: Phase) -> None:
    say = fresh()
    say.at(1, THEIRS)
    say.at(2, replace(THEIRS, phase=phase))
    assert told(say) == []
    assert claims.standing(say.state) == []


def test_whom_an_agent_knows_again_the_room_has_known_all_the_time() -> None:
    say = fresh()
    say.at(1, THEIRS)
    say.at(2, replace(THEIRS, phase=Phase.SUSPENDED))
    say.at(3, replace(THEIRS, recalled=True))
    assert told(say) == []
    assert claims.standing(say.state)


def test_a_stronger_proof_is_told() -> None:
    say = fresh()
    say.at(1, replace(THEIRS, proof=Proof.CODE))
    say.at(2, THEIRS)
    assert told(say) == ["bob is bo (ssh)"]


def test_who_was_taken_for_somebody_by_mistake_is_told() -> None:
    say = fresh()
    say.at(1, THEIRS)
    say.at(2, replace(THEIRS, phase=Phase.OPEN))
    assert told(say) == ["bo is not bob: hel takes it back"]


def test_one_connection_verified_by_two_agents_is_nowhere_else() -> None:
    """FALLBACK: "second valid proof for the same handle *elsewhere*": the card names agents to
    trust, and one may prove oneself to each."""
    say = fresh()
    by_ssh(say)
    say.at(2, SAME)
    assert say.phase is Phase.VERIFIED
    assert told(say) == [], "the room knows it already"
    say.at(3, replace(SAME, claim_id="hel:libera:5", nick="eve"))
    assert say.phase is Phase.SUPERSEDED


def test_where_the_account_was_known_here_a_signature_elsewhere_is_news() -> None:
    say = fresh()
    by_account(say)
    say.at(2, SAME)
    assert told(say) == ["alice is al (ssh)"]
    assert say.phase is Phase.VERIFIED


def test_the_older_of_two_connections_here_is_superseded_whatever_its_nick() -> None:
    say = fresh()
    by_account(say)
    say.at(2, account(Connection("libera", 9)))
    assert say.phase is Phase.SUPERSEDED


def test_an_agent_that_has_started_is_told_who_stands() -> None:
    say = fresh()
    by_ssh(say)
    [again] = say.at(2, PeerStarted("hel"))
    assert isinstance(again, Replicate)
    assert again.claim == claims.claim_of(say.state, HERE)
    assert fresh().at(2, PeerStarted("hel")) == []


def test_l4_what_is_told_again_is_good_no_longer() -> None:
    """ "Claims expire", whoever has started since and been told of them again."""
    desk, _ = claims.step(claims.Desk(), IncidentBegan("i"), 0.0)
    desk, _ = claims.step(desk, THEIRS, 0.0)
    desk, _ = claims.step(desk, THEIRS, EXPIRE_S - 60)
    assert claims.standing(desk)
    desk, _ = claims.step(desk, Tick(), EXPIRE_S)
    assert claims.standing(desk) == []
