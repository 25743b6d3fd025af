"""Dialogues with the claims desk of one agent: people prove themselves, and what it then says."""

from __future__ import annotations

from typing import Any

from fallback import claims
from fallback.claims import (
    AccountMatched,
    Claim,
    Claimed,
    CodeGiven,
    CodeTwice,
    Connection,
    Desk,
    EvidenceRevoked,
    Gone,
    IncidentBegan,
    Lost,
    NickProved,
    Outproved,
    PeerVerified,
    Phase,
    Refusal,
    Refuse,
    Revoked,
    Signed,
    Stored,
)
from fallback.claims.guards import Case
from tests.fallback.dialogue import Dialogue

HERE, THERE = Connection("libera", 1), Connection("oftc", 2)
CODE = "c" * 64


class DeskDialogue(Dialogue):
    """A dialogue with the desk; `state` is the desk, `phase` that of the connection HERE."""

    def _trace(self, event: Any) -> None:
        self._read(event, self.state)
        after, _ = claims.step(self.state, event, self.now)
        if isinstance(event, PeerVerified):
            nick = NickProved(event.network, event.nick, event.handle)
            self._read(nick, self.state)
            self._read(CodeTwice(event.spent), self.state)
            self._read(Outproved(event.handle, event.proof, event.network, event.nick), self.state)
        elif isinstance(event, Revoked):
            at = claims.claim_of(self.state, event.connection)
            evidence = claims.digest_of(at.evidence if at else "")
            self._read(EvidenceRevoked(evidence, event.admin), self.state)
        elif hasattr(event, "connection"):
            won = claims.claim_of(after, event.connection)
            if won is not None and won.phase is Phase.VERIFIED:
                self._read(
                    Outproved(won.handle, won.proof),
                    self.state,
                    but=won.connection,
                )

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
