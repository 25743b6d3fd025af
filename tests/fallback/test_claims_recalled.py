"""Who is known again when the agent was killed or cut off: the network keeps a voice with its
connection, so whoever has nick, host and voice still is the connection that proved itself."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

import pytest

from fallback import claims
from fallback.actions import Persist
from fallback.claims import (
    AccountMatched,
    Claimed,
    ClaimFact,
    CodeGiven,
    Connection,
    DevoiceNick,
    Gone,
    IncidentBegan,
    Lost,
    NetworkDropped,
    NickChanged,
    PeerVerified,
    Phase,
    Proof,
    Replicate,
    Revoked,
    StillVoiced,
    Stored,
    TellRoom,
    Tick,
    Voiced,
)
from tests.fallback.claimants import (
    HERE,
    DeskDialogue,
    account,
    by_account,
    by_code,
    by_ssh,
    claimed,
    fresh,
    signed,
)
from tests.fallback.test_claims_ends import told

HOST = "al@host"
BACK = Connection("libera", 7)  # the same connection, by a number of the next boot
STILL = StillVoiced(BACK, "al", HOST)


def kept(say: DeskDialogue) -> tuple[claims.Claim, ...]:
    """What the journal would have of the claims on the desk."""
    return tuple(c for c in say.state.claims if c.phase is Phase.VERIFIED or c.may_return)


def killed(say: DeskDialogue) -> DeskDialogue:
    """Voiced, then kill -9, and started again at 10 s."""
    say.at(2, Voiced(HERE, HOST))
    again = fresh()
    again.at(10, Stored("i1", claims=kept(say)), IncidentBegan("i1"))
    return again


def back(say: DeskDialogue) -> claims.Claim | None:
    return claims.claim_of(say.state, BACK)


@pytest.mark.parametrize("prove", [by_ssh, by_code, by_account])
def test_who_is_voiced_still_need_not_prove_themselves_anew(prove: Any) -> None:
    say = fresh()
    prove(say)
    before = say.claim
    again = killed(say)
    again.at(11, STILL)
    known = back(again)
    assert before is not None
    assert known is not None
    assert known.phase is Phase.VERIFIED
    assert (known.handle, known.proof, known.until) == ("alice", before.proof, before.until)
    assert known.recalled
    facts = [one.fact.claim for one in again.said(Persist) if isinstance(one.fact, ClaimFact)]
    assert [(one.connection, one.phase) for one in facts] == [
        (HERE, Phase.OPEN),  # forgotten under its old number
        (BACK, Phase.VERIFIED),
    ]


def test_the_other_agents_are_told_that_nobody_is_seen_yet() -> None:
    say = fresh()
    by_ssh(say)
    actions = fresh().at(3, Stored("i1", claims=kept(say)))
    assert [(one.claim.phase, one.claim.handle) for one in actions] == [(Phase.SUSPENDED, "alice")]


@pytest.mark.parametrize(
    "other",
    [
        replace(STILL, nick="al2"),
        replace(STILL, host="al@elsewhere"),
        replace(STILL, connection=Connection("oftc", 7)),
    ],
    ids=["nick", "host", "network"],
)
def test_s6_a_nick_or_a_host_alone_is_nobody(other: StillVoiced) -> None:
    say = fresh()
    by_ssh(say)
    again = killed(say)
    again.at(11, other)
    assert claims.standing(again.state) == []


def test_s6_two_who_came_from_one_host_may_have_changed_nicks_while_nobody_looked() -> None:
    say, bo = fresh(), Connection("libera", 2)
    by_ssh(say)
    say.at(2, CodeGiven(bo, "bo", "bob", "b" * 64, True), Voiced(bo, HOST))
    again = killed(say)
    again.at(11, STILL, replace(STILL, connection=Connection("libera", 8), nick="bo"))
    assert claims.standing(again.state) == []


BOB = PeerVerified("hel", "c8", "bob", "libera", "al", Proof.SSH, "")


@pytest.mark.parametrize("first", [True, False])
def test_s6_a_nick_that_another_agent_has_seen_to_be_a_colleagues_is_not_known_again(
    first: bool,
) -> None:
    """Verified there alone, from the same user@host, he took it while this agent was away. What is
    told of him may come before the room is seen, or later."""
    say = fresh()
    by_ssh(say)
    again = killed(say)
    again.at(11, *([BOB, STILL] if first else [STILL, BOB]))
    assert claims.standing(again.state) == list(again.state.remote)
    assert back(again) is None or not first
    gone = [claim.phase for claim in map(attrgetter("claim"), again.said(Replicate))]
    assert gone == ([] if first else [Phase.VERIFIED, Phase.OPEN])
    assert again.said(DevoiceNick) == [], "the voice is his"


def test_what_another_agent_has_seen_takes_nothing_from_who_has_proved_it_here() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Voiced(HERE, HOST), BOB)
    assert say.phase is Phase.VERIFIED


@pytest.mark.parametrize(
    ("then", "now", "known"),
    [
        ("al", "al", True),
        ("al", "bo", False),
        ("al", "", False),
        ("", "bo", False),
        ("", "", True),
        (None, "bo", True),  # a network that does not tell, or had not yet
        ("al", None, True),
    ],
)
def test_s6_the_account_must_be_the_same_where_the_network_tells_it(
    then: str | None, now: str | None, known: bool
) -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Voiced(HERE, HOST, "before"), Voiced(HERE, HOST, then), NetworkDropped("libera"))
    say.at(3, replace(STILL, account=now))
    assert (back(say) is not None) is known


def test_who_changed_nick_before_the_kill_is_known_by_the_new_one() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, NickChanged(HERE, "alice_"))
    again = killed(say)
    again.at(11, STILL)
    assert claims.standing(again.state) == []
    again.at(12, replace(STILL, nick="alice_"))
    assert [claim.handle for claim in claims.standing(again.state)] == ["alice"]


def test_who_was_never_voiced_is_not_known_again() -> None:
    say = fresh()
    by_ssh(say)
    again = fresh()
    again.at(10, Stored("i1", claims=kept(say)), IncidentBegan("i1"))
    again.at(11, STILL, replace(STILL, host=""))
    assert claims.standing(again.state) == []


def test_after_ten_minutes_nobody_is_known_again_and_the_voice_goes() -> None:
    say = fresh()
    by_ssh(say)
    again = killed(say)
    again.at(10 + claims.SUSPEND_S, Tick())
    assert again.said(DevoiceNick) == [DevoiceNick(HERE, "al")]
    forgotten = again.said(Persist)[0].fact.claim
    assert (forgotten.connection, forgotten.phase) == (HERE, Phase.OPEN)
    again.at(11 + claims.SUSPEND_S, STILL)
    assert claims.standing(again.state) == []


@pytest.mark.parametrize("here", [True, False])
def test_the_voice_stays_with_whom_another_proof_has_verified_under_that_nick(here: bool) -> None:
    say = fresh()
    by_ssh(say)
    again = killed(say)
    elsewhere = replace(told(), network="libera", spent="")
    again.at(12, account(BACK) if here else elsewhere)
    again.at(10 + claims.SUSPEND_S, Tick())
    assert again.said(DevoiceNick) == []


def test_who_has_proved_it_since_is_not_outdone_by_an_old_voice() -> None:
    say = fresh()
    by_code(say)
    for since in (account(Connection("libera", 9)), told(spent="d" * 64)):
        again = killed(say)
        again.at(11, since, STILL)
        assert back(again) is None


def test_s6_what_was_revoked_does_not_come_back() -> None:
    say = fresh()
    by_account(say)
    again = killed(say)
    again.at(11, account(Connection("libera", 9)), Revoked(Connection("libera", 9), "bob"), STILL)
    assert claims.standing(again.state) == []
    assert say.claim is not None
    revoked = frozenset({claims.digest_of(say.claim.evidence)})  # and killed just after this
    again = fresh()
    again.at(12, Stored("i1", revoked=revoked, claims=kept(say)), IncidentBegan("i1"), STILL)
    assert claims.standing(again.state) == []


def test_a_claim_ends_when_it_would_have_ended() -> None:
    say = fresh()
    by_ssh(say)
    again = killed(say)
    again.at(11, STILL)
    again.at(claims.EXPIRE_S, Tick())
    assert [claim.handle for claim in claims.standing(again.state)] == ["alice"]
    again.at(1 + claims.EXPIRE_S, Tick())
    assert claims.standing(again.state) == []


def test_an_agent_that_lost_the_network_knows_its_people_again() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Voiced(HERE, HOST), NetworkDropped("libera"))
    assert say.phase is Phase.SUSPENDED
    assert not say.said(DevoiceNick)  # nobody hears us there
    say.at(3, STILL)
    assert [claim.connection for claim in claims.standing(say.state)] == [BACK]


def test_a_fresh_proof_makes_whole_what_was_recalled() -> None:
    """Orders need a proof of this boot: by key, or by account."""
    say = fresh()
    by_ssh(say)
    for prove in (
        [Claimed(BACK, "al", "alice", "n2"), signed(connection=BACK, nonce="n2")],
        [account(BACK)],
    ):
        again = killed(say)
        again.at(11, STILL, *prove)
        known = back(again)
        assert known is not None
        assert known.phase is Phase.VERIFIED
        assert not known.recalled
        assert known.proof in (Proof.SSH, Proof.ACCOUNT)


def test_who_is_being_asked_for_a_proof_goes_on_with_that() -> None:
    say = fresh()
    by_ssh(say)
    again = killed(say)
    again.at(11, claimed(at=BACK, nonce="n2"), STILL)
    known = back(again)
    assert known is not None
    assert known.phase is Phase.CHALLENGED


def test_who_is_known_by_account_stays_one_when_the_agent_was_away() -> None:
    """ "the agent itself was disconnected (unless by account)": met again under the same nick, they
    have proved nothing elsewhere, and their QUIT is theirs."""
    say = fresh()
    by_account(say)
    say.at(10, NetworkDropped("libera"))
    say.at(20, account(BACK))
    assert [action.text for action in say.said(TellRoom)] == ["alice is al (account)"]
    told_last = {each.claim.connection: each.claim.phase for each in say.said(Replicate)}
    assert told_last == {HERE: Phase.EXPIRED, BACK: Phase.VERIFIED}
    assert [claim.connection for claim in kept(say)] == [BACK]
    say.at(30, Lost(BACK, Gone.QUIT))
    assert not claims.standing(say.state)


def test_a_nick_that_another_one_has_now_is_the_former_ones_no_more() -> None:
    say = fresh()
    by_account(say)
    say.at(10, NetworkDropped("libera"))
    say.at(20, AccountMatched(BACK, "al", "bob", "bob-acc"))
    assert [claim.handle for claim in claims.standing(say.state)] == ["bob"]
    assert not say.said(DevoiceNick), "the voice is the new one's"
