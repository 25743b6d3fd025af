"""The desk around the table: which claim an event is about, and what one does to others. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from fallback.actions import Persist
from fallback.claims.actions import (
    Action,
    Burn,
    ClaimFact,
    Replicate,
    RevokedFact,
    SpentFact,
    TellRoom,
)
from fallback.claims.events import (
    CodeSpilled,
    CodeTwice,
    Event,
    EvidenceRevoked,
    IncidentBegan,
    IncidentClosed,
    Lost,
    NetworkDropped,
    NickProved,
    Outproved,
    PeerRevoked,
    PeerSpent,
    PeerStarted,
    PeerVerified,
    Revoked,
    StillVoiced,
    Stored,
    Tick,
    UplinkDoubted,
)
from fallback.claims.guards import Case
from fallback.claims.rows import TABLE, is_now, outdone
from fallback.claims.values import (
    MAX_REMOTE,
    MAX_REVOKED,
    MAX_UNVERIFIED,
    MAX_VERIFIED,
    SUSPEND_S,
    Claim,
    Connection,
    Desk,
    Phase,
    RemoteClaim,
    digest_of,
)

DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
Done = tuple[Desk, list[Action]]
SHOWN = frozenset({Phase.VERIFIED, Phase.SUPERSEDED})
GONE_ENDS = frozenset({Phase.OPEN, Phase.CHALLENGED, Phase.LOCKED, Phase.EXPIRED, Phase.REVOKED})


def step(desk: Desk, event: Event, now: float) -> Done:
    """The desk after `event` at `now`, and what the shell is to do, in order."""
    match event:
        case Stored():
            return _start(event, now)
        case IncidentBegan(incident):
            return replace(desk, incident=incident, aliases=desk.aliases | {incident}), []
        case IncidentClosed():
            desk, actions = _each(desk, event, now)
            return Desk(spent=desk.spent, nonces=desk.nonces, doubted=desk.doubted), actions
        case UplinkDoubted(doubted):
            return replace(desk, doubted=doubted), []
        case CodeSpilled(digest):
            if digest in desk.spent:
                return desk, []
            desk = replace(desk, spent=desk.spent | {digest})
            return desk, [Persist(SpentFact(digest)), Burn(digest)]
        case StillVoiced():
            return _back(desk, event, now)
        case PeerSpent(_, spent):
            return _burned_elsewhere(desk, spent)
        case PeerRevoked():
            return _refused_elsewhere(desk, event, now)
        case PeerVerified():
            return _peer(desk, event, now)
        case PeerStarted():
            return desk, [Replicate(claim) for claim in desk.claims if claim.phase in SHOWN]
        case Tick():
            standing = tuple(other for other in desk.remote if now < other.ends)
            return _each(replace(desk, remote=standing), event, now)
        case NetworkDropped(network):
            desk, actions = _each(desk, event, now)
            return _lose_sight(desk, network), actions
        case Outproved() | NickProved() | CodeTwice() | EvidenceRevoked():
            return _each(desk, event, now)
        case _:
            return _one(desk, event, now)


def _start(stored: Stored, now: float) -> Done:
    """What is on disk goes on. Nobody is seen yet: whoever was verified is away."""
    told: list[Action] = [Burn(code) for code in stored.lately if DIGEST.fullmatch(code)]
    if not stored.incident:
        return Desk(spent=stored.spent), told
    away = tuple(
        replace(claim, phase=Phase.SUSPENDED, away=True, until=now + SUSPEND_S)
        for claim in stored.claims
        if claim.phase is Phase.VERIFIED or claim.may_return
    )
    aliases = frozenset({stored.incident})
    desk = Desk(stored.incident, away, (), aliases, stored.spent, revoked=stored.revoked)
    return desk, [*told, *map(Replicate, away)]


def wake_at(desk: Desk, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    due = [*(claim.until for claim in desk.claims), *(other.ends for other in desk.remote)]
    return min((at for at in due if at > now), default=float("inf"))


def standing(desk: Desk) -> list[Claim | RemoteClaim]:
    """Who is shown as verified, here or at another agent, the latest last."""
    here: list[Claim | RemoteClaim] = [claim for claim in desk.claims if claim.phase in SHOWN]
    return [*desk.remote, *here]


def claim_of(desk: Desk, connection: Connection) -> Claim | None:
    """The claim of this connection, if it has one."""
    return next((claim for claim in desk.claims if claim.connection == connection), None)


def _judge(desk: Desk, claim: Claim, event: Event, now: float) -> tuple[Desk, Claim, list[Action]]:
    case, actions = TABLE.run(Case(claim.phase, claim, desk), event, now)
    return case.desk, replace(case.claim, phase=case.phase), actions


def _one(desk: Desk, event: Event, now: float) -> Done:
    connection: Connection = event.connection  # type: ignore[union-attr]
    old = claim_of(desk, connection)
    claim = old or Claim(connection, getattr(event, "nick", ""))
    desk, claim, actions = _judge(desk, claim, event, now)
    if isinstance(event, Lost) and claim.phase in GONE_ENDS:
        claim = Claim(connection, claim.nick)  # nobody is there any more
    desk = _put(desk, claim)
    if claim.phase is Phase.VERIFIED and (old is None or old.phase is not Phase.VERIFIED):
        desk, more = _outprove(desk, claim, now)
        actions += more
    if isinstance(event, Revoked) and claim.evidence:
        also = EvidenceRevoked(digest_of(claim.evidence), event.admin)
        desk, more = _each(desk, also, now, but=connection)
        actions += more
    return desk, actions


def _back(desk: Desk, event: StillVoiced, now: float) -> Done:
    """The claim goes on under the connection's new number. Two from one host may have changed
    nicks while nobody looked: neither is known again."""
    network = event.connection.network
    alike = [
        claim
        for claim in desk.claims
        if claim.may_return and claim.connection.network == network and claim.host == event.host
    ]
    if len(alike) != 1 or claim_of(desk, event.connection) not in (None, alike[0]):
        return desk, []
    old = alike[0]
    rest = replace(desk, claims=tuple(claim for claim in desk.claims if claim != old))
    rest, claim, actions = _judge(rest, replace(old, connection=event.connection), event, now)
    if claim.phase is not Phase.VERIFIED:
        return desk, []
    forget = Persist(ClaimFact(replace(old, phase=Phase.OPEN)))
    return _put(rest, claim), [forget, *actions]


def _outprove(desk: Desk, winner: Claim, now: float) -> Done:
    desk, actions = _forget_former(desk, winner)
    event = Outproved(winner.handle, winner.proof)
    desk, more = _each(desk, event, now, but=winner.connection)
    return desk, [*actions, *more]


def _lose_sight(desk: Desk, network: str) -> Desk:
    """We were off this network: of who stands there still, by account, the number says nothing."""
    claims = (
        replace(
            old, unseen=old.unseen or (old.connection.network == network and old.phase in SHOWN)
        )
        for old in desk.claims
    )
    return replace(desk, claims=tuple(claims))


def _forget_former(desk: Desk, winner: Claim) -> Done:
    """A network gives a nick to one at a time: who stood under it before we were away is the
    winner, met again, or there no more. Neither has proved anything elsewhere."""
    actions: list[Action] = []
    for old in desk.claims:
        same = (old.connection.network, old.nick) == (winner.connection.network, winner.nick)
        if same and old.unseen and old.phase in SHOWN:
            desk = _put(desk, Claim(old.connection, old.nick))
            gone = Persist(ClaimFact(replace(old, phase=Phase.OPEN)))
            actions += [gone, Replicate(replace(old, phase=Phase.EXPIRED))]
    return desk, actions


def _each(desk: Desk, event: Event, now: float, but: Connection | None = None) -> Done:
    actions: list[Action] = []
    for old in desk.claims:
        if old.connection == but:
            continue
        desk, claim, more = _judge(desk, old, event, now)
        actions += more
        if claim != old:
            desk = _put(desk, claim)
    return desk, actions


def _says_nothing(claim: Claim) -> bool:
    return claim.phase is Phase.OPEN and not claim.bad and not claim.vouchers


def _put(desk: Desk, claim: Claim) -> Desk:
    """The desk with the claim as it is now; what says nothing, or is too much, is forgotten."""
    rest = [old for old in desk.claims if old.connection != claim.connection]
    if _says_nothing(claim):
        return replace(desk, claims=tuple(rest))
    kept = claim.phase in SHOWN or claim.phase is Phase.SUSPENDED
    network = claim.connection.network
    alike = [old for old in rest if _alike(old, kept, network)]
    if len(alike) >= (MAX_VERIFIED if kept else MAX_UNVERIFIED):
        rest.remove(alike[0])
    return replace(desk, claims=(*rest, claim))


def _alike(claim: Claim, kept: bool, network: str) -> bool:
    proven = claim.phase in SHOWN or claim.phase is Phase.SUSPENDED
    return proven == kept and (kept or claim.connection.network == network)


def _burned_elsewhere(desk: Desk, spent: str) -> Done:
    if not DIGEST.fullmatch(spent) or spent in desk.spent:
        return desk, []  # a nonce names its agent: another's is good for nothing here
    return replace(desk, spent=desk.spent | {spent}), [Persist(SpentFact(spent))]


def _refused_elsewhere(desk: Desk, event: PeerRevoked, now: float) -> Done:
    known = event.evidence in desk.revoked or not event.evidence
    if known or not desk.incident or len(desk.revoked) >= MAX_REVOKED:
        return desk, []
    desk = replace(desk, revoked=desk.revoked | {event.evidence})
    desk, actions = _each(desk, EvidenceRevoked(event.evidence, event.admin), now)
    return desk, [Persist(RevokedFact(event.evidence)), *actions]


def _peer(desk: Desk, event: PeerVerified, now: float) -> Done:
    # The burning itself may still be on its way, or for ever lost.
    desk, actions = _burned_elsewhere(desk, event.spent)
    claim = (event.agent, event.claim_id)
    old = next((one for one in desk.remote if (one.agent, one.claim_id) == claim), None)
    rest = [one for one in desk.remote if one is not old]
    if news := _news(desk, old, event):
        actions.append(TellRoom(news, event.network))
    if event.phase not in SHOWN:
        return replace(desk, remote=tuple(rest)), actions
    new = RemoteClaim(
        event.agent, event.claim_id, event.handle, event.network, event.nick, event.proof,
        event.spent, now, event.evidence, event.phase, event.recalled,
    )  # fmt: skip
    if old is not None and (old.handle, old.proof) == (new.handle, new.proof):
        new = replace(new, at=old.at)  # told again, it is good no longer
    desk = replace(desk, remote=(*rest, new)[-MAX_REMOTE:])
    desk, more = _each(desk, NickProved(event.network, event.nick, event.handle), now)
    actions += more
    if event.spent:
        desk, more = _each(desk, CodeTwice(event.spent), now)
        actions += more
    if event.phase is Phase.VERIFIED:
        outproved = Outproved(event.handle, event.proof, event.network, event.nick)
        desk, more = _each(desk, outproved, now)
        actions += more
    return desk, actions


def _news(desk: Desk, old: RemoteClaim | None, event: PeerVerified) -> str:
    """What the room is to hear of another agent's claim, which only who speaks there can say; ''
    for what is no news there, or what this agent says of its own claim on that connection."""
    handle, nick = event.handle, event.nick
    shared = [
        claim
        for claim in desk.claims
        if (claim.connection.network, claim.nick, claim.handle) == (event.network, nick, handle)
    ]
    match event.phase:
        case Phase.VERIFIED:
            if any(c.phase is Phase.VERIFIED and c.proof >= event.proof for c in shared):
                return ""
            if event.recalled and old is None:
                return ""  # its agent was away, and knows again whom the room knew all the time
            if old is None or (old.handle, old.proof) != (handle, event.proof):
                return is_now(handle, nick, event.proof)
            return f"{handle} is {nick} now (was {old.nick})" if old.nick != nick else ""
        case _ if shared or old is None:
            return ""
        case Phase.SUPERSEDED if old.phase is Phase.VERIFIED:
            return outdone(handle, nick)
        case Phase.REVOKED:
            return f"{nick}, who was {handle}, is revoked"
        case Phase.OPEN:
            return f"{nick} is not {handle}: {event.agent} takes it back"
        case _:
            return ""
