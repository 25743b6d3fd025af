"""The claims table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from dataclasses import replace

from fallback.actions import Persist
from fallback.claims import guards as on
from fallback.claims.actions import (
    Action,
    Admit,
    Burn,
    Challenge,
    ClaimFact,
    DevoiceNick,
    Kick,
    OfferNick,
    Refusal,
    Refuse,
    Replicate,
    RevokedFact,
    SpentFact,
    TellAdmins,
    TellRoom,
)
from fallback.claims.events import (
    AccountMatched,
    Claimed,
    CodeGiven,
    CodeTwice,
    EvidenceRevoked,
    IncidentClosed,
    Lost,
    NetworkDropped,
    NickChanged,
    NickProved,
    Outproved,
    Revoked,
    Signed,
    StillVoiced,
    Tick,
    Voiced,
    Vouched,
)
from fallback.claims.guards import Case
from fallback.claims.values import (
    CHALLENGE_S,
    LOCK_S,
    MAX_NONCES,
    SUSPEND_S,
    Claim,
    Phase,
    Proof,
    digest_of,
)
from fallback.tables import Row, Table, always

Done = tuple[Case, list[Action]]
FOREVER = float("inf")


# What the rows do -------------------------------------------------------------------------------


def _put(case: Case, claim: Claim) -> Case:
    return replace(case, claim=claim)


def is_now(handle: str, nick: str, proof: Proof) -> str:
    return f"{handle} is {nick} ({proof.name.lower()})"


def outdone(handle: str, nick: str) -> str:
    return f"{handle} has proved it elsewhere; {nick} is the older one"


def _tell(claim: Claim, phase: Phase) -> list[Action]:
    claim = replace(claim, phase=phase)
    return [Persist(ClaimFact(claim)), Replicate(claim)]


def _verify(case: Case, handle: str, nick: str, proof: Proof, evidence: str, now: float) -> Done:
    claim = replace(
        case.claim, handle=handle, nick=nick, proof=proof, evidence=evidence, nonce="",
        verified_at=now, bad=0, away=False, recalled=False,
    )  # fmt: skip
    claim = replace(claim, until=claim.proof_ends)
    told = TellRoom(is_now(handle, nick, proof), claim.connection.network)
    admitted: list[Action] = [Admit(claim.connection, nick), told]
    return _put(case, claim), [*_tell(claim, Phase.VERIFIED), *admitted]


def _by_account(case: Case, event: AccountMatched, now: float) -> Done:
    evidence = on.matched_evidence(event)
    return _verify(case, event.handle, event.nick, Proof.ACCOUNT, evidence, now)


def _by_signature(case: Case, event: Signed, now: float) -> Done:
    nonces = (*case.desk.nonces, event.nonce)[-MAX_NONCES:]
    case = replace(case, desk=replace(case.desk, nonces=nonces))
    burn: list[Action] = [Persist(SpentFact(event.nonce)), Burn(event.nonce)]
    claim = case.claim
    case, actions = _verify(case, claim.handle, claim.nick, Proof.SSH, f"ssh:{event.key}", now)
    return case, [*burn, *actions, OfferNick(claim.connection, claim.nick, claim.handle)]


def _by_code(case: Case, event: CodeGiven, now: float) -> Done:
    case = replace(case, desk=replace(case.desk, spent=case.desk.spent | {event.digest}))
    burn: list[Action] = [Persist(SpentFact(event.digest)), Burn(event.digest)]
    evidence = f"code:{event.digest}"
    case, actions = _verify(case, event.handle, event.nick, Proof.CODE, evidence, now)
    return case, [*burn, *actions, OfferNick(event.connection, event.nick, event.handle)]


def _by_vouch(case: Case, event: Vouched, now: float) -> Done:
    evidence = on.vouch_evidence(case, event)
    case, actions = _verify(case, event.handle, event.nick, Proof.VOUCH, evidence, now)
    return case, [*actions, OfferNick(event.connection, event.nick, event.handle)]


def _first_vouch(case: Case, event: Vouched, _now: float) -> Done:
    vouchers = frozenset({f"{event.admin}:{event.handle}"})
    return _put(case, replace(case.claim, nick=event.nick, vouchers=vouchers)), []


def _challenge(case: Case, event: Claimed, now: float) -> Done:
    until = now + CHALLENGE_S
    claim = replace(
        case.claim, nick=event.nick, handle=event.handle, nonce=event.nonce, nonce_until=until,
        until=until,
    )  # fmt: skip
    return _put(case, claim), [Challenge(event.connection, event.nick, event.nonce)]


def _challenge_locked(case: Case, event: Claimed, now: float) -> Done:
    claim = replace(
        case.claim, nick=event.nick, handle=event.handle, nonce=event.nonce,
        nonce_until=now + CHALLENGE_S,
    )  # fmt: skip
    return _put(case, claim), [Challenge(event.connection, event.nick, event.nonce)]


def _refuse(case: Case, refusal: Refusal) -> Action:
    return Refuse(case.claim.connection, case.claim.nick, refusal)


def _refuse_bad(case: Case, _event: Signed, _now: float) -> Done:
    return case, [_refuse(case, on.closed_desk(case) or Refusal.BAD)]


def _refuse_unasked(case: Case, _event: Signed, _now: float) -> Done:
    return case, [_refuse(case, Refusal.UNASKED)]


def _refuse_closed(case: Case, _event: object, _now: float) -> Done:
    return case, [_refuse(case, on.closed_desk(case) or Refusal.BAD)]


def _refuse_locked(case: Case, _event: CodeGiven, _now: float) -> Done:
    return case, [_refuse(case, Refusal.LOCKED)]


def _admit_again(case: Case, event: Claimed | CodeGiven, _now: float) -> Done:
    """The invitation may be lost: with the queue of who spoke before, or on the network."""
    if event.handle != case.claim.handle:
        return case, [_refuse(case, Refusal.ALREADY)]
    return case, [Admit(case.claim.connection, case.claim.nick)]


def _strengthen(case: Case, event: Claimed, now: float) -> Done:
    case, actions = _challenge_locked(case, event, now)
    return case, [*actions, Admit(case.claim.connection, case.claim.nick)]


def _count_bad(case: Case, _event: CodeGiven, _now: float) -> Done:
    claim = replace(case.claim, bad=case.claim.bad + 1)
    return _put(case, claim), [_refuse(case, Refusal.BAD)]


def _lock(case: Case, event: CodeGiven, now: float) -> Done:
    claim = replace(case.claim, bad=0, nonce="", until=now + LOCK_S)
    network = event.connection.network
    told = TellAdmins(f"{event.nick} on {network}: three bad codes, locked for ten minutes")
    return _put(case, claim), [_refuse(case, Refusal.LOCKED), told]


def _reopen(case: Case, _event: Tick, _now: float) -> Done:
    claim = replace(case.claim, nonce="", until=FOREVER)
    if case.phase is Phase.LOCKED:
        claim = Claim(claim.connection, claim.nick)
    return _put(case, claim), []


def _give_up(case: Case, _event: Tick, _now: float) -> Done:
    claim = Claim(case.claim.connection, case.claim.nick)
    actions: list[Action] = [Persist(ClaimFact(replace(case.claim, phase=Phase.OPEN)))]
    if case.claim.away and not on.holds_nick(case):
        actions.append(DevoiceNick(claim.connection, claim.nick))
    return _put(case, claim), actions


def _reopen_renamed(case: Case, event: NickChanged, _now: float) -> Done:
    return _put(case, replace(case.claim, nick=event.nick, nonce="", until=FOREVER)), []


def _rename(case: Case, event: NickChanged, _now: float) -> Done:
    # A challenge is bound to the nick: a LOCKED connection's dies with it.
    return _put(case, replace(case.claim, nick=event.nick, nonce="")), []


def _rebind(case: Case, event: NickChanged, _now: float) -> Done:
    old, claim = case.claim.nick, replace(case.claim, nick=event.nick)
    told = TellRoom(f"{claim.handle} is {event.nick} now (was {old})", claim.connection.network)
    return _put(case, claim), [*_tell(claim, case.phase), told]


def _suspend(case: Case, _event: object, now: float) -> Done:
    claim = replace(case.claim, until=now + SUSPEND_S)
    devoice = DevoiceNick(claim.connection, claim.nick)
    return _put(case, claim), [*_tell(claim, Phase.SUSPENDED), devoice]


def _note_host(case: Case, event: Voiced, _now: float) -> Done:
    claim = replace(case.claim, host=event.host, account=event.account)
    return _put(case, claim), [Persist(ClaimFact(claim))]


def _leave_behind(case: Case, _event: NetworkDropped, now: float) -> Done:
    claim = replace(case.claim, until=now + SUSPEND_S, away=True)
    return _put(case, claim), _tell(claim, Phase.SUSPENDED)


def _recall(case: Case, _event: StillVoiced, _now: float) -> Done:
    claim = replace(case.claim, until=case.claim.proof_ends, away=False, recalled=True)
    return _put(case, claim), _tell(claim, Phase.VERIFIED)


def _take_back(case: Case, event: NickProved, _now: float) -> Done:
    claim = case.claim
    text = f"{claim.nick} is not {claim.handle}: another agent has seen {event.handle}"
    told = TellRoom(text, claim.connection.network)
    return _put(case, Claim(claim.connection, claim.nick)), [*_tell(claim, Phase.OPEN), told]


def _suspend_twice(case: Case, event: CodeTwice, now: float) -> Done:
    case, actions = _suspend(case, event, now)
    text = f"{case.claim.handle}: one code was used in two places; both are suspended"
    told = TellRoom(text, case.claim.connection.network)
    return case, [*actions, told]


def _supersede(case: Case, _event: Outproved, _now: float) -> Done:
    claim = case.claim
    told = TellRoom(outdone(claim.handle, claim.nick), claim.connection.network)
    return case, [*_tell(claim, Phase.SUPERSEDED), told]


def _expire(case: Case, _event: object, _now: float) -> Done:
    claim = replace(case.claim, until=FOREVER)
    devoice = DevoiceNick(claim.connection, claim.nick)
    return _put(case, claim), [*_tell(claim, Phase.EXPIRED), devoice]


def _revoke(case: Case, event: Revoked | EvidenceRevoked, _now: float) -> Done:
    claim, facts = replace(case.claim, nonce="", until=FOREVER), list[Action]()
    if claim.evidence and not on.revoked(case, claim.evidence):
        evidence = digest_of(claim.evidence)
        case = replace(case, desk=replace(case.desk, revoked=case.desk.revoked | {evidence}))
        facts.append(Persist(RevokedFact(evidence)))
    told = TellRoom(f"{claim.nick} was revoked by {event.admin}", claim.connection.network)
    kick = Kick(claim.connection, claim.nick)
    return _put(case, claim), [*facts, *_tell(claim, Phase.REVOKED), kick, told]


# The table --------------------------------------------------------------------------------------

_FREE = frozenset({Phase.OPEN, Phase.EXPIRED})
_CH, _LOCK = frozenset({Phase.CHALLENGED}), frozenset({Phase.LOCKED})
_VER, _SUS = frozenset({Phase.VERIFIED}), frozenset({Phase.SUSPENDED})
_SUP, _ALL = frozenset({Phase.SUPERSEDED}), frozenset(Phase)
_HAS = _VER | _SUP
_TRY = _FREE | _CH | _SUS | _SUP
_LIVE = _ALL - frozenset({Phase.REVOKED})
_STRONGER = "destructive commands need an ssh or account proof from who came by code"
_EVIDENCE = "else who took an account over stays in by a second connection"
_KNOWN_AGAIN = (
    "else all must prove themselves anew when the agent is killed; the network keeps a voice with"
    " its connection"
)
_TOLD_LATE = (
    "a colleague from the same host, whom another agent has voiced, may have taken the nick while"
    " this one was away"
)
_LOST = "an invitation may be lost, and who is verified has no other way to ask for one"
_TWO_AGENTS = "else two admins who are known to two agents could not vouch together"
_NICK_ONLY = "every row that answers must know the nick it answers to"

TABLE: Table[Case, Action] = Table(
    "claims",
    Tick,
    [
        Row(_FREE | _CH | _LOCK, AccountMatched, on.account_fits, Phase.VERIFIED, _by_account,
            "services account matches | voice, invite, tell the room"),
        Row(_TRY, Claimed, on.may_claim, Phase.CHALLENGED, _challenge,
            "`claim h` | nonce (names its agent), 120 s"),
        Row(_LOCK, Claimed, on.may_claim, None, _challenge_locked,
            "`claim h` | nonce, 120 s; codes stay locked",
            "signatures never lock, so a lock must not stop one"),
        Row(_TRY | _LOCK, Claimed, always, None, _refuse_closed,
            "`claim h` [no incident, or uplink in doubt] | say so"),
        Row(_VER, Claimed, on.may_strengthen, None, _strengthen,
            "`claim h` [own handle, proved by less than ssh] | nonce, 120 s; invite again",
            _STRONGER),
        Row(_VER, Signed, on.signature_fits, Phase.VERIFIED, _by_signature,
            "valid proof [nonce unused] | as from CHALLENGED", _STRONGER),
        Row(_VER, AccountMatched, on.stronger_account, Phase.VERIFIED, _by_account,
            "services account of the same handle [stronger] | proof is account now", _STRONGER),
        Row(_VER, Claimed, always, None, _admit_again,
            "`claim h` | already verified: invite again", _LOST),
        Row(_CH | _LOCK, Signed, on.signature_fits, Phase.VERIFIED, _by_signature,
            "valid proof [nonce unused] | burn, replicate, voice, invite, then offer the temp"
            " nick"),
        Row(_CH | _LOCK, Signed, always, None, _refuse_bad,
            "bad signature | say so; signatures never lock"),
        Row(_ALL - _CH - _LOCK, Signed, always, None, _refuse_unasked,
            "proof without a challenge | say so"),
        Row(_TRY, CodeGiven, on.code_fits, Phase.VERIFIED, _by_code,
            "`claim h code`, valid [code unburned] | burn, replicate, voice, invite, then offer"
            " the temp nick"),
        Row(_TRY, CodeGiven, on.code_bad_third, Phase.LOCKED, _lock,
            "third bad proof | LOCKED 10 min, this connection; tell admins, not the channel"),
        Row(_TRY, CodeGiven, on.code_bad, None, _count_bad, "bad proof | count it, say so"),
        Row(_TRY, CodeGiven, always, None, _refuse_closed,
            "`claim h code` [no incident, or uplink in doubt] | say so; nothing is burned"),
        Row(_LOCK, CodeGiven, always, None, _refuse_locked, "`claim h code` | say so"),
        Row(_VER, CodeGiven, always, None, _admit_again,
            "`claim h code` | already verified: invite again; nothing is burned", _LOST),
        Row(_TRY | _LOCK, Vouched, on.vouched_twice, Phase.VERIFIED, _by_vouch,
            "second admin vouches | 4 h, no admin rights; voice, invite"),
        Row(_TRY | _LOCK, Vouched, on.vouched_once, None, _first_vouch,
            "an admin vouches, to us or to another agent | wait for a second one",
            _TWO_AGENTS),
        Row(_CH, Tick, on.timed_out, Phase.OPEN, _reopen, "timeout | nothing"),
        Row(_CH, NickChanged, on.renamed, Phase.OPEN, _reopen_renamed, "nick change | nothing"),
        Row(_LOCK, Tick, on.timed_out, Phase.OPEN, _reopen, "10 min | nothing"),
        Row(_VER | _SUP, NickChanged, on.renamed, None, _rebind,
            "NICK seen on the same connection | rebind, tell the room"),
        Row(_ALL - _VER - _SUP - _CH, NickChanged, on.renamed, None, _rename,
            "NICK | follow", _NICK_ONLY),
        Row(_HAS, Lost, on.lost, Phase.SUSPENDED, _suspend,
            "QUIT, split, account lost, no shared channel any more | 10 min; devoice"),
        Row(_VER, Voiced, on.another_host, None, _note_host,
            "voiced in the room, or under another host or account | keep both", _KNOWN_AGAIN),
        Row(_VER, NetworkDropped, on.dropped, Phase.SUSPENDED, _leave_behind,
            "the agent itself was disconnected [not by account] | 10 min; then devoice"),
        Row(_SUP, NetworkDropped, on.dropped, Phase.SUSPENDED, _suspend,
            "the agent itself was disconnected [not by account] | 10 min; devoice"),
        Row(_SUS, StillVoiced, on.same_voice, Phase.VERIFIED, _recall,
            "the agent is back, or started again, and the room has the same nick, from the same"
            " host and of the same account, voiced [nobody has proved to be this person meanwhile,"
            " nor has another agent seen whose nick it is] | as before, but for orders",
            _KNOWN_AGAIN),
        Row(_VER, NickProved, on.mistaken, Phase.OPEN, _take_back,
            "another agent tells of somebody else under this nick [known again by the voice] |"
            " take it back, tell the room", _TOLD_LATE),
        Row(_HAS, CodeTwice, on.spent_twice, Phase.SUSPENDED, _suspend_twice,
            "its code was spent in another component, too | suspend both"),
        Row(_SUS | _SUP, AccountMatched, on.same_account, Phase.VERIFIED, _by_account,
            "same account returns | voice, invite"),
        Row(_SUS, Tick, on.timed_out, Phase.OPEN, _give_up,
            "timeout | devoice whom the agent lost sight of"),
        Row(_VER, Outproved, on.not_weaker, Phase.SUPERSEDED, _supersede,
            "second valid proof for the same handle elsewhere [not weaker] | both shown, older"
            " SUPERSEDED"),
        Row(_HAS, Tick, on.timed_out, Phase.EXPIRED, _expire, "12 h (vouch: 4 h) | devoice"),
        Row(_HAS | _SUS, IncidentClosed, always, Phase.EXPIRED, _expire,
            "incident closed | devoice"),
        Row(_LIVE, Revoked, always, Phase.REVOKED, _revoke,
            "admin revoke | kick; its evidence is refused for this incident"),
        Row(_HAS | _SUS, EvidenceRevoked, on.proved_by, Phase.REVOKED, _revoke,
            "its evidence was revoked on another connection, or at another agent | kick",
            _EVIDENCE),
    ],
)  # fmt: skip
