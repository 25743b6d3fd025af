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
    Claimed,
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
    PeerVerified,
    Phase,
    Proof,
    Refusal,
    Refuse,
    Replicate,
    Revoked,
    SpentFact,
    StillVoiced,
    TellAdmins,
    TellRoom,
    Tick,
    UplinkDoubted,
    Voiced,
    Vouched,
)
from fallback.tables import Row
from tests.fallback.claimants import (
    CODE,
    HERE,
    THERE,
    DeskDialogue,
    account,
    by_account,
    by_code,
    by_ssh,
    claimed,
    code,
    fresh,
    locked,
    signed,
    suspended,
)
from tests.fallback.dialogue import Scripts, name

scripts = Scripts()
row = scripts.row


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
    assert say.at(2, claimed()) == [Challenge(HERE, "al", "n1"), Admit(HERE, "al")]
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
    assert say.at(2, claimed()) == [Admit(HERE, "al")]  # the first invitation may be lost
    say.at(3, claimed("bob"))
    assert say.refused is Refusal.ALREADY


@row("valid proof [nonce unused] | burn")
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, claimed())
    actions = say.at(119, signed())
    kinds = [type(action) for action in actions]
    assert kinds == [Persist, Burn, Persist, Replicate, Admit, TellRoom, OfferNick]
    assert actions[0] == Persist(SpentFact("n1"))  # burned on disk before it is worth anything


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
def _(say: DeskDialogue, _row: Any) -> None:
    say.at(1, claimed())
    say.at(120, Tick())
    assert say.phase is Phase.CHALLENGED
    say.at(121, Tick())
    assert say.at(122, signed()) == [Refuse(HERE, "al", Refusal.UNASKED)]


@row("timeout | devoice whom the agent lost sight of")
def _(say: DeskDialogue, _row: Any) -> None:
    suspended(say)
    say.at(601, Tick())
    assert say.phase is Phase.SUSPENDED
    say.at(602, Tick())
    assert not say.said(DevoiceNick)  # it was done as they left


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


@row("the agent itself was disconnected")
def _(say: DeskDialogue, line: Any) -> None:
    by_code(say)
    say.at(2, AccountMatched(Connection("libera", 5), "bo", "bob", "bob-acc"))
    if Phase.SUPERSEDED in line.states:
        say.at(2, account(THERE))
    say.at(3, NetworkDropped("libera"))
    shown = {claim.handle for claim in claims.standing(say.state) if claim.connection != THERE}
    assert shown == {"bob"}  # "unless by account"


@row("voiced in the room, or under another host")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, Voiced(HERE, "al@host"), Voiced(HERE, "al@host"))
    (kept,) = say.said(Persist)
    assert kept.fact.claim.host == "al@host"


@row("the agent is back, or started again")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, Voiced(HERE, "al@host"))
    say.at(3, NetworkDropped("libera"))
    say.at(4, StillVoiced(HERE, "al", "al@host"))


@row("another agent tells of somebody else under this nick")
def _(say: DeskDialogue, _row: Any) -> None:
    by_ssh(say)
    say.at(2, Voiced(HERE, "al@host"), NetworkDropped("libera"), StillVoiced(HERE, "al", "al@host"))
    say.at(3, PeerVerified("fra", "c7", "bob", "libera", "al", Proof.CODE, CODE))
    texts = [told.text for told in say.said(TellRoom)]
    assert texts == ["bob is al (code)", "al is not alice: another agent has seen bob"]


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


@row("its evidence was revoked")
def _(say: DeskDialogue, _row: Any) -> None:
    by_account(say)
    again = Connection("libera", 9)
    say.at(2, account(again), Revoked(again, "bob"))
    assert [kick.connection for kick in say.said(Kick)] == [again, HERE]


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
