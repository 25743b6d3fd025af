"""What the claims desk concludes: the guards of its rows. Pure.

A row judges a `Case`: one claim, with the desk it lies on.
"""

from __future__ import annotations

from dataclasses import dataclass

from fallback.claims.actions import (
    Refusal,
)
from fallback.claims.events import (
    AccountMatched,
    Claimed,
    CodeGiven,
    CodeTwice,
    EvidenceRevoked,
    Lost,
    NetworkDropped,
    NickChanged,
    NickProved,
    Outproved,
    Signed,
    StillVoiced,
    Tick,
    Voiced,
    Vouched,
)
from fallback.claims.values import (
    BAD_CODES,
    Claim,
    Desk,
    Gone,
    Phase,
    Proof,
    digest_of,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One claim before the desk; `phase` is the claim's."""

    phase: Phase
    claim: Claim
    desk: Desk


def revoked(case: Case, evidence: str) -> bool:
    """Whether an admin has refused this evidence for the incident."""
    return digest_of(evidence) in case.desk.revoked


def account_evidence(network: str, account: str) -> str:
    """Names an account as evidence. An account is one network's own, in whatever case."""
    return f"account:{network}:{account.casefold()}"


def matched_evidence(event: AccountMatched) -> str:
    return account_evidence(event.connection.network, event.account)


def closed_desk(case: Case) -> Refusal | None:
    """Why nothing can be verified at all just now."""
    if not case.desk.incident:
        return Refusal.NO_INCIDENT
    return Refusal.UPLINK if case.desk.doubted else None


def account_fits(case: Case, event: AccountMatched, _now: float) -> bool:
    known = bool(event.handle) and not revoked(case, matched_evidence(event))
    return known and closed_desk(case) is None


def same_account(case: Case, event: AccountMatched, now: float) -> bool:
    same = case.claim.handle == event.handle
    return same and account_fits(case, event, now)


def stronger_account(case: Case, event: AccountMatched, now: float) -> bool:
    weaker = case.claim.proof < Proof.ACCOUNT or case.claim.recalled
    return weaker and same_account(case, event, now)


def may_strengthen(case: Case, event: Claimed, _now: float) -> bool:
    weaker = case.claim.proof < Proof.SSH or case.claim.recalled
    return case.claim.handle == event.handle and weaker and closed_desk(case) is None


def may_claim(case: Case, _event: Claimed, _now: float) -> bool:
    return closed_desk(case) is None


def signature_fits(case: Case, event: Signed, now: float) -> bool:
    """S6: bound to incident, network and nick, with this challenge's nonce, never used."""
    claim, desk = case.claim, case.desk
    return (
        event.valid
        and bool(claim.handle)
        and bool(claim.nonce)
        and event.nonce == claim.nonce
        and event.nonce not in desk.nonces
        and event.nonce not in desk.spent  # by an earlier boot
        and event.network == claim.connection.network
        and event.nick == claim.nick
        and event.incident in desk.aliases
        and not revoked(case, f"ssh:{event.key}")
        and closed_desk(case) is None
        and now < claim.nonce_until
    )


def code_fits(case: Case, event: CodeGiven, _now: float) -> bool:
    unspent = event.digest not in case.desk.spent
    return event.fits and bool(event.handle) and unspent and closed_desk(case) is None


def code_bad(case: Case, event: CodeGiven, now: float) -> bool:
    return closed_desk(case) is None and not code_fits(case, event, now)


def code_bad_third(case: Case, event: CodeGiven, now: float) -> bool:
    return case.claim.bad + 1 >= BAD_CODES and code_bad(case, event, now)


def vouch_evidence(case: Case, event: Vouched) -> str:
    """Names two admins' word for one person as evidence; '' while it is one admin's alone."""
    by = (vouch.split(":", 1) for vouch in case.claim.vouchers)
    admins = {admin for admin, handle in by if handle == event.handle} | {event.admin}
    return f"vouch:{event.handle}:{','.join(sorted(admins))}" if len(admins) > 1 else ""


def vouched_twice(case: Case, event: Vouched, _now: float) -> bool:
    evidence = vouch_evidence(case, event)
    good = bool(evidence) and not revoked(case, evidence) and not event.overheard
    return good and bool(event.handle) and closed_desk(case) is None


def vouched_once(case: Case, event: Vouched, _now: float) -> bool:
    return bool(event.handle) and closed_desk(case) is None


def timed_out(case: Case, _event: Tick, now: float) -> bool:
    return now >= case.claim.until


def renamed(case: Case, event: NickChanged, _now: float) -> bool:
    return event.nick != case.claim.nick


def holds_nick(case: Case) -> bool:
    """Whether somebody who is verified has this claim's nick now."""
    where, desk = (case.claim.connection.network, case.claim.nick), case.desk
    here = {(c.connection.network, c.nick) for c in desk.claims if c.phase is Phase.VERIFIED}
    return where in here or where in {(other.network, other.nick) for other in desk.remote}


def another_host(case: Case, event: Voiced, _now: float) -> bool:
    return (event.host, event.account) != (case.claim.host, case.claim.account)


def same_voice(case: Case, event: StillVoiced, now: float) -> bool:
    """The desk has seen that nobody else it knew came from this host."""
    claim, desk = case.claim, case.desk
    where = (claim.connection.network, event.nick)
    return (
        claim.may_return
        and claim.host != ""
        and event.nick == claim.nick
        and (None in (event.account, claim.account) or event.account == claim.account)
        and not any((other.network, other.nick) == where for other in desk.remote)
        and now < min(claim.until, claim.proof_ends)
        and not revoked(case, claim.evidence)
        and not any(
            other.handle == claim.handle and other.phase is Phase.VERIFIED for other in desk.claims
        )
        and not any(other.handle == claim.handle for other in desk.remote)
    )


def lost(case: Case, event: Lost, _now: float) -> bool:
    by_account = case.claim.proof is Proof.ACCOUNT
    if event.gone is Gone.ACCOUNT_LOST:
        return by_account
    return not (event.gone is Gone.AGENT_DISCONNECTED and by_account)


def dropped(case: Case, event: NetworkDropped, _now: float) -> bool:
    ours = case.claim.connection.network == event.network
    return ours and case.claim.proof is not Proof.ACCOUNT


def not_weaker(case: Case, event: Outproved, _now: float) -> bool:
    """Not where another agent has proved the very same connection: that is nowhere else."""
    claim = case.claim
    same = (claim.connection.network, claim.nick) == (event.network, event.nick)
    return event.handle == claim.handle and event.proof >= claim.proof and not same


def mistaken(case: Case, event: NickProved, _now: float) -> bool:
    claim = case.claim
    same_nick = (claim.connection.network, claim.nick) == (event.network, event.nick)
    return claim.recalled and same_nick and claim.handle != event.handle


def spent_twice(case: Case, event: CodeTwice, _now: float) -> bool:
    return case.claim.proof is Proof.CODE and case.claim.evidence == f"code:{event.spent}"


def proved_by(case: Case, event: EvidenceRevoked, _now: float) -> bool:
    return digest_of(case.claim.evidence) == event.evidence
