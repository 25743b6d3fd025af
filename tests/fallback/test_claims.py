"""Claims, row by row: each dialogue shows one row of FALLBACK.md §5."""

from __future__ import annotations

from typing import Any

import pytest

from fallback import claims
from fallback.actions import Persist
from fallback.claims import (
    AccountMatched,
    Admit,
    Burn,
    Challenge,
    Claim,
    Claimed,
    CodeGiven,
    CodeSpilled,
    CodeTwice,
    Connection,
    Desk,
    DevoiceNick,
    Gone,
    IncidentBegan,
    IncidentClosed,
    Kick,
    Lost,
    NetworkDropped,
    NickChanged,
    OfferNick,
    Outproved,
    PeerSpent,
    PeerVerified,
    Phase,
    Proof,
    Refusal,
    Refuse,
    Replicate,
    Revoked,
    Signed,
    SpentFact,
    Stored,
    TellAdmins,
    TellRoom,
    Tick,
    UplinkDoubted,
    Vouched,
)
from fallback.claims.guards import Case
from fallback.tables import Row
from tests.fallback.dialogue import Dialogue, Scripts, name

scripts = Scripts()
row = scripts.row
HERE, THERE = Connection("libera", 1), Connection("oftc", 2)
CODE = "c" * 64


class DeskDialogue(Dialogue):
    """A dialogue with the desk; `state` is the desk, `phase` that of the connection HERE."""

    def _trace(self, event: Any) -> None:
        self._read(event, self.state)
        after, _ = claims.step(self.state, event, self.now)
        if isinstance(event, PeerVerified):
            self._read(CodeTwice(event.spent), self.state)
            self._read(Outproved(event.handle, event.proof), self.state)
        elif hasattr(event, "connection"):
            won = claims.claim_of(after, event.connection)
            if won is not None and won.phase is Phase.VERIFIED:
                self._read(Outproved(won.handle, won.proof), self.state, but=won.connection)

    def _read(self, event: Any, desk: Desk, but: Connection | None = None) -> None:
        about = [claim for claim in desk.claims if claim.connection != but]
        if hasattr(event, "connection"):
            old = claims.claim_of(desk, event.connection)
            about = [old or Claim(event.connection, getattr(event, "nick", ""))]
        for claim in about:
            _, _, taken = self.table.read(Case(claim.phase, claim, desk), event, self.now)
            self.taken += taken

    @property
    def claim(self) -> Claim | None:
        return claims.claim_of(self.state, HERE)

    @property
    def phase(self) -> Phase:
        return self.claim.phase if self.claim else Phase.OPEN

    @property
    def refused(self) -> Refusal:
        (refusal,) = self.said(Refuse)
        return refusal.refusal  # type: ignore[no-any-return]


def fresh() -> DeskDialogue:
    say = DeskDialogue(claims.TABLE, claims.step, None, None, Desk())
    say.at(0, Stored(""), IncidentBegan("i1"))
    return say


def claimed(handle: str = "alice", at: Connection = HERE, nonce: str = "n1") -> Claimed:
    return Claimed(at, "al", handle, nonce)


def signed(**more: Any) -> Signed:
    fields: dict[str, Any] = {
        "connection": HERE, "valid": True, "incident": "i1", "network": "libera", "nick": "al",
        "nonce": "n1", "key": "K",
    }  # fmt: skip
    return Signed(**{**fields, **more})


def code(digest: str = CODE, *, fits: bool = True, at: Connection = HERE) -> CodeGiven:
    return CodeGiven(at, "al", "alice", digest, fits)


def account(at: Connection = HERE, name: str = "alice-acc") -> AccountMatched:
    return AccountMatched(at, "al", "alice", name)


def by_ssh(say: DeskDialogue) -> None:
    say.at(1, claimed(), signed())
    assert say.phase is Phase.VERIFIED


def by_code(say: DeskDialogue) -> None:
    say.at(1, code())
    assert say.phase is Phase.VERIFIED


def by_account(say: DeskDialogue) -> None:
    say.at(1, account())
    assert say.phase is Phase.VERIFIED


def suspended(say: DeskDialogue) -> None:
    by_account(say)
    say.at(2, Lost(HERE, Gone.SPLIT))
    assert say.phase is Phase.SUSPENDED


def locked(say: DeskDialogue) -> None:
    say.at(1, *[code(str(i), fits=False) for i in range(3)])
    assert say.phase is Phase.LOCKED


@pytest.mark.parametrize("line", claims.TABLE.rows, ids=name)
def test_row(line: Row[Any, Any]) -> None:
    say = fresh()
    fitting = [says for says in scripts.scripts if line.says.startswith(says)]
    assert fitting, f"no dialogue shows the row {line.says!r}"
    scripts.scripts[max(fitting, key=len)](say, line)
    assert line in say.taken, "the dialogue did not take its row"
    if line.to is not None:
        assert say.phase is line.to


def test_the_table_can_be_printed() -> None:
    text = claims.TABLE.lines()
    assert len(text) == 1 + len(claims.TABLE.rows)
    print("\n".join(text))


@row("services account matches")
def _(say: DeskDialogue, _row: Any) -> None:
    by_account(say)
    assert say.said(Admit)
    assert say.said(TellRoom)[0].text == "alice is al (account)"


@row("`claim h` | nonce (names")
def _(say: DeskDialogue, _row: Any) -> None:
    assert say.at(1, claimed()) == [Challenge(HERE, "al", "n1")]


def test_s9_an_unknown_handle_gets_the_same_answers() -> None:
    known, unknown = fresh(), fresh()
    for event in (claimed(), signed(valid=False), code("x", fits=False)):
        known.at(1, event)
        unknown.at(1, Claimed(HERE, "al", "", "n1") if isinstance(event, Claimed) else event)
        assert known.actions == unknown.actions
    unknown.at(2, signed())
    assert unknown.phase is not Phase.VERIFIED


@row("`claim h` | nonce, 120 s; codes stay locked")
def _(say: DeskDialogue, _row: Any) -> None:
    locked(say)
    assert say.at(2, claimed()) == [Challenge(HERE, "al", "n1")]
    assert say.at(3, code())[0] == Refuse(HERE, "al", Refusal.LOCKED)
    taken = list(say.taken)
    say.at(4, signed())
    assert say.phase is Phase.VERIFIED  # "signatures never lock"
    say.taken = taken


@row("`claim h` [no incident")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, UplinkDoubted(True), claimed())
    assert say.refused is Refusal.UPLINK  # "verifies no new claim until the self-check is good"
    say.at(2, code())
    assert say.refused is Refusal.UPLINK
    say.at(3, UplinkDoubted(False), code())
    assert say.phase is Phase.VERIFIED  # nothing was burned meanwhile


@row("`claim h` [own handle")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    assert say.at(2, claimed()) == [Challenge(HERE, "al", "n1")]
    say.at(3, claimed("bob"))
    assert say.refused is Refusal.ALREADY


@row("valid proof [nonce unused] | as from")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    say.at(2, claimed(), signed())
    assert say.claim is not None
    assert say.claim.proof is Proof.SSH


@row("services account of the same handle")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    say.at(2, account())
    assert say.claim is not None
    assert say.claim.proof is Proof.ACCOUNT


@row("`claim h` | already")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, claimed())
    assert say.refused is Refusal.ALREADY


@row("valid proof [nonce unused] | burn")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, claimed())
    actions = say.at(119, signed())
    kinds = [type(action) for action in actions]
    assert kinds == [Persist, Burn, Persist, Replicate, Admit, TellRoom, OfferNick]
    assert actions[0] == Persist(SpentFact("n1"))  # burned on disk before it is worth anything


@pytest.mark.parametrize(
    "wrong",
    [
        {"valid": False},
        {"incident": "i0"},
        {"network": "oftc"},
        {"nick": "mallory"},
        {"nonce": "n2"},
    ],
    ids=str,
)
def test_s6_a_signature_is_bound_to_incident_network_nick_and_nonce(wrong: dict[str, Any]) -> None:
    say = fresh()
    say.at(1, claimed(), signed(**wrong))
    assert say.refused is Refusal.BAD
    assert say.phase is Phase.CHALLENGED


def test_a_replayed_signature_is_refused() -> None:
    say = fresh()
    by_ssh(say)
    say.at(2, Lost(HERE, Gone.QUIT))
    again = Connection("libera", 9)
    say.at(3, Claimed(again, "al", "alice", "n1"), signed(connection=again))
    assert say.refused is Refusal.BAD


def test_what_was_signed_for_the_older_id_of_the_same_incident_is_good() -> None:
    say = fresh()
    say.at(1, claimed(), IncidentBegan("i0"), signed())
    assert say.phase is Phase.VERIFIED


@row("bad signature")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, claimed())
    for _ in range(5):
        say.at(2, signed(valid=False))
        assert say.phase is Phase.CHALLENGED  # "signatures never lock"


@row("proof without a challenge")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, signed())
    assert say.refused is Refusal.UNASKED


@row("`claim h code`, valid")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    assert say.actions[:2] == [Persist(SpentFact(CODE)), Burn(CODE)]


@pytest.mark.parametrize(
    "burn", [CodeSpilled(CODE), PeerSpent("fra", CODE), Stored("i1", frozenset({CODE}))], ids=str
)
def test_a_burned_code_is_refused(burn: Any) -> None:
    """ "said in public it is burned", at another agent, or before a restart."""
    say = fresh()
    say.at(1, burn, code())
    assert say.refused is Refusal.BAD


@row("third bad proof")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, code("x", fits=False), code("y", fits=False))
    assert say.phase is Phase.OPEN
    say.at(2, code("z", fits=False))
    assert say.said(TellAdmins)  # "tell admins, not the channel"
    assert say.said(TellRoom) == []
    taken = list(say.taken)
    say.at(3, code(at=THERE))
    assert say.state.claims[-1].phase is Phase.VERIFIED  # "this connection"
    say.taken = taken


@row("bad proof")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, code("x", fits=False))
    assert say.refused is Refusal.BAD


@row("`claim h code` [no incident")
def _(say: DeskDialogue, _row: Any) -> None:
    say.state = Desk()
    say.at(1, code())
    assert say.refused is Refusal.NO_INCIDENT
    assert CODE not in say.state.spent


@row("`claim h code` | say so")
def _(say: DeskDialogue, _row: Any) -> None:
    locked(say)
    say.at(2, code())
    assert say.refused is Refusal.LOCKED


@row("`claim h code` | already")
def _(say: DeskDialogue, _row: Any) -> None:
    by_account(say)
    say.at(2, code())
    assert CODE not in say.state.spent


@row("second admin vouches")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, Vouched(HERE, "al", "alice", "bob"), Vouched(HERE, "al", "alice", "bob"))
    assert say.phase is Phase.OPEN  # "vouch by two admins"
    say.at(2, Vouched(HERE, "al", "alice", "carol"))
    assert say.claim is not None
    assert say.claim.proof not in claims.ADMIN_PROOFS
    assert say.claim.until == say.now + 4 * 3600


@row("an admin vouches")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, Vouched(HERE, "al", "alice", "bob"))
    say.at(2, Vouched(HERE, "al", "dave", "carol"))
    assert say.phase is Phase.OPEN  # for two different people


@row("timeout | nothing")
def _(say: DeskDialogue, line: Any) -> None:
    if Phase.CHALLENGED in line.states:
        say.at(1, claimed())
        say.at(120, Tick())
        assert say.phase is Phase.CHALLENGED
        say.at(121, Tick())
        assert say.at(122, signed()) == [Refuse(HERE, "al", Refusal.UNASKED)]
    else:
        suspended(say)
        say.at(601, Tick())
        assert say.phase is Phase.SUSPENDED
        say.at(602, Tick())


@row("nick change | nothing")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, claimed(), NickChanged(HERE, "al2"))


@row("10 min | nothing")
def _(say: DeskDialogue, _row: Any) -> None:
    locked(say)
    say.at(601, Tick())


@row("NICK seen on the same connection")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, NickChanged(HERE, "alice_"))
    assert say.phase is Phase.VERIFIED
    assert "alice_" in say.said(TellRoom)[0].text


@row("NICK | follow")
def _(say: DeskDialogue, _row: Any) -> None:
    locked(say)
    say.at(2, claimed(), NickChanged(HERE, "mallory"))
    say.at(3, signed())
    assert say.phase is Phase.LOCKED


@row("QUIT, split")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, Lost(HERE, Gone.ACCOUNT_LOST))
    assert say.phase is Phase.VERIFIED  # proved by ssh, not by account
    say.at(3, Lost(HERE, Gone.QUIT))
    assert say.said(DevoiceNick)


def test_a_nick_taken_after_quit_is_not_verified() -> None:
    """A nick is never proof: who takes it is another connection."""
    say = fresh()
    by_code(say)
    say.at(2, Lost(HERE, Gone.QUIT))
    assert claims.claim_of(say.state, Connection("libera", 7)) is None
    assert claims.standing(say.state) == []


@row("the agent itself was disconnected")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    say.at(2, AccountMatched(Connection("libera", 5), "bo", "bob", "bob-acc"))
    say.at(3, NetworkDropped("libera"))
    assert [claim.handle for claim in claims.standing(say.state)] == ["bob"]  # "unless by account"


@row("its code was spent")
def _(say: DeskDialogue, _row: Any) -> None:
    by_code(say)
    say.at(2, PeerVerified("fra", "c7", "alice", "oftc", "al", Proof.CODE, CODE))
    assert say.said(DevoiceNick)


@row("same account returns")
def _(say: DeskDialogue, _row: Any) -> None:
    suspended(say)
    say.at(3, AccountMatched(HERE, "al", "bob", "bob-acc"))
    assert say.phase is Phase.SUSPENDED
    say.at(4, account())


@row("second valid proof for the same handle")
def _(say: DeskDialogue, _row: Any) -> None:
    by_account(say)
    say.at(2, code(at=THERE))
    assert say.phase is Phase.VERIFIED  # "[not weaker]": ssh > account > code > vouch
    say.at(3, Lost(THERE, Gone.QUIT), account(Connection("oftc", 4)))
    assert len(claims.standing(say.state)) == 2  # "both shown"


@row("12 h (vouch: 4 h)")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(12 * 3600, Tick())
    assert say.phase is Phase.VERIFIED
    say.at(12 * 3600 + 1, Tick())
    assert say.said(DevoiceNick)


@row("incident closed")
def _(say: DeskDialogue, line: Any) -> None:
    by_ssh(say)
    say.at(2, IncidentClosed())
    assert say.said(DevoiceNick)
    assert say.state.claims == ()
    (kept,) = say.said(Replicate)
    assert kept.claim.phase is line.to
    say.at(3, IncidentBegan("i2"), claimed(), signed())
    assert say.refused is Refusal.BAD  # S6: bound to its incident
    say.state = Desk("i2", (kept.claim,))


@row("admin revoke")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, Revoked(HERE, "bob"))
    assert say.said(Kick)
    again = Connection("libera", 9)
    taken = list(say.taken)
    say.at(3, Claimed(again, "al", "alice", "n2"), signed(connection=again, nonce="n2"))
    assert say.refused is Refusal.BAD  # the same key, for this incident
    say.taken = taken


def test_ten_thousand_claims_of_a_fake_network_hurt_their_own_network_only() -> None:
    say = fresh()
    say.at(1, Claimed(THERE, "real", "bob", "nb"))
    for number in range(10_000):
        fake = Connection("fake", number)
        say.state, _ = claims.step(say.state, Claimed(fake, "x", "", f"n{number}"), say.now)
    assert len(say.state.claims) <= claims.MAX_UNVERIFIED + 1
    say.at(2, Signed(THERE, True, "i1", "oftc", "real", "nb", "K"))
    assert [claim.handle for claim in claims.standing(say.state)] == ["bob"]


def test_persisted_before_acted_on() -> None:
    """ "nonces, claims, used codes": nobody is admitted before it is on disk."""
    for prove in (by_ssh, by_code, by_account):
        say = fresh()
        prove(say)
        kinds = [type(action) for action in say.actions]
        last_persist = len(kinds) - 1 - kinds[::-1].index(Persist)
        assert last_persist < kinds.index(Admit)
