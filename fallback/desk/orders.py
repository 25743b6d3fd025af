"""The agent's commands in the room and in private: one table, permission and arity checked once.

`!x` in the room, `x` in private. Who somebody is, is proved by account or claim, never by nick;
destructive commands need an account or an ssh signature, never a recovery code or a vouch alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from bouncer.mesh.heartbeat import OrderKind
from bouncer.mesh.roster import STALE_S
from fallback import claims, watch
from fallback.config import read_duration
from fallback.mesh.relay import CERTFP, Shown
from fallback.networks import wording
from fallback.networks.outgoing import MAX_REPLIES

if TYPE_CHECKING:
    from bouncer.mesh.roster import Member
    from fallback.desk.reception import Reception
    from fallback.networks.people import Person

LEAST_HOLD_S, MAX_HOLD_S = 60.0, 12 * 3600.0
NONE_OPEN = "no incident is open"


class Who(IntEnum):
    """What a command needs its sender to be."""

    ANYONE = 0
    VERIFIED = 1
    ADMIN = 2
    STRONG_ADMIN = 3  # by account or ssh


@dataclass(frozen=True, slots=True)
class Call:
    """One command as it was given."""

    reception: Reception
    network: str
    nick: str
    words: tuple[str, ...]
    person: Person | None

    @property
    def admin(self) -> str:
        return self.person.member.handle if self.person else ""


@dataclass(frozen=True, slots=True)
class Order:
    """A row: who may, how many words, what it answers."""

    who: Who
    least: int
    usage: str
    run: Callable[[Call], list[str]]
    room_only: bool = False


def run(reception: Reception, network: str, nick: str, text: str, *, room: bool) -> None:
    """Do what was asked and answer by NOTICE. Unknown words in the room are nobody's business."""
    words = text.split()
    name = words[0].casefold() if words else ""
    order = ORDERS.get(name)
    if order is None:
        if not room:
            reception.reply(network, nick, wording.HELP if name else wording.UNKNOWN)
        return
    person = reception.person(network, nick)
    call = Call(reception, network, nick, tuple(words[1:]), person)
    if room and not _is_ours(reception, network, nick, person, max(order.who, Who.VERIFIED)):
        if order.run is vouch and len(call.words) >= order.least:
            _overhear(call)
        return
    if order.who > rights(person):
        answer = [_refusal(call, order.who)]
    elif order.room_only and not room:
        answer = [f"say !{name} in the room"]
    elif len(call.words) < order.least:
        answer = [f"usage: {order.usage}"]
    else:
        try:
            answer = order.run(call)
        except ValueError as error:
            answer = [str(error)]
    for line in wording.at_most(answer, MAX_REPLIES):
        reception.reply(network, nick, wording.cut(line))


def _is_ours(
    reception: Reception, network: str, nick: str, person: Person | None, needed: Who
) -> bool:
    """What is said in the room all agents hear. Who speaks answers; but whom that one does not know
    well enough and another one knows better, that other one answers."""
    fold, known = reception.announcers[network].state.fold, reception.roster()
    here, mine = reception.fellows.in_room(network), rights(person)
    theirs = {
        other.agent: _rights(known.member(other.handle) if known else None, other)
        for other in reception.conduct.desk.remote
        if other.agent in here
        and other.phase is claims.Phase.VERIFIED
        and (other.network, fold(other.nick)) == (network, fold(nick))
    }
    speaker = reception.conduct.performer.followed(network)
    if speaker not in here:
        return mine >= needed or not any(level > mine for level in theirs.values())
    account = reception.member_by_account(network, reception.account_of(network, nick))
    if person is not None and person.member == account:
        return False  # accounts all agents see
    its = theirs.pop(speaker, Who.ANYONE)
    best = max(theirs.items(), key=lambda one: (one[1], one[0]), default=("", Who.ANYONE))
    return its < needed and mine > its and (best[1], best[0]) < (mine, reception.me)


def rights(person: Person | None) -> Who:
    """What somebody may; a vouch gives no admin rights, a voice none to what destroys."""
    return Who.ANYONE if person is None else _rights(person.member, person)


def _rights(member: Member | None, by: Person | claims.RemoteClaim) -> Who:
    if member is None:
        return Who.ANYONE
    if not member.admin or by.proof is claims.Proof.VOUCH:
        return Who.VERIFIED
    strong = by.proof in claims.ADMIN_PROOFS and not by.recalled
    return Who.STRONG_ADMIN if strong else Who.ADMIN


def _refusal(call: Call, needed: Who) -> str:
    person = call.person
    if person is None:
        if other := _known_elsewhere(call, call.nick):
            return f"{other.agent} knows you as {other.handle}, but I do not: /msg me help"
        return "NOT VERIFIED: claim first; /msg me help"
    if needed is Who.STRONG_ADMIN and person.member.admin:
        if person.recalled:
            handle = person.member.handle
            return f"this needs a new proof, for I was away: /msg me claim {handle}"
        return "this needs an account or an ssh proof; a code or a vouch is not enough"
    return "this is for admins"


def status(call: Call) -> list[str]:
    """What anybody may know: whether there is an incident; staff see what this voter sees."""
    conduct = call.reception.conduct
    own = conduct.state.incident
    opened = wording.short_name(own.id) if own and own.id else ""
    if call.person is None:
        return (
            [f"incident {opened} is open; `help` says how to prove who you are"]
            if opened
            else [NONE_OPEN]
        )
    if call.words and call.words[0].casefold() == "full":
        return wording.wrap(call.reception.full_status())
    return [state_line(call.reception)]


def state_line(reception: Reception) -> str:
    """One line: the watch, the incident, who speaks where, the roster's age."""
    conduct, now = reception.conduct, reception.pulse.now()
    own, seen = conduct.state.incident, conduct.state.watch
    parts = [f"watch {seen.phase.name}"]
    if seen.phase in watch.DOWN:
        parts[0] += f" since {wording.clock(seen.silent_from)}"
    if own and own.id:
        parts.append(
            f"incident {wording.short_name(own.id)} {own.kind.name.lower()} {own.phase.name}"
        )
    for said in conduct.state.speakers:
        announcer = reception.announcers[said.network]
        where = said.phase.name if announcer.joined else announcer.standing.value
        parts.append(f"{said.network}={where}")
    roster = reception.roster()
    if roster is None:
        parts.append("no roster")
    else:
        age_s = roster.age_s(round(now * 1000))
        stale = " STALE" if age_s > STALE_S else ""
        parts.append(f"roster v{roster.version} {age_s / 3600:.0f}h{stale}")
    return "; ".join(parts)


def roster(call: Call) -> list[str]:
    """`alice=alice_ (ssh) oncall; bob=?; carol=carol-k7 (code)`"""
    known = call.reception.roster()
    if known is None:
        return ["no roster here"]
    wanted = call.words[0].casefold() if call.words else ""
    found = call.reception.front.found(call.network)
    entries = [
        f"{one.handle}={found.get(one.handle, '?')}{' oncall' if one.oncall else ''}"
        for one in sorted(known.staff, key=lambda one: (one.oncall or 1000, one.handle))
        if not wanted or one.role.casefold() == wanted
    ]
    return wording.wrap(entries) or ["nobody"]


def verify(call: Call) -> list[str]:
    nick = call.words[0]
    connection = call.reception.connection(call.network, nick)
    claim = (
        claims.claim_of(call.reception.conduct.desk, connection) if connection is not None else None
    )
    if claim is None or claim.phase is not claims.Phase.VERIFIED:
        if other := _known_elsewhere(call, nick):
            how = f"{other.proof.name.lower()}, {other.agent}'s word"
            return [f"{nick} = {other.handle} via {how}"]
        return [f"{nick}: NOT VERIFIED"]
    how = f"{claim.proof.name.lower()}, {wording.clock(claim.verified_at)}"
    return [f"{nick} = {claim.handle} via {how}"]


def _known_elsewhere(call: Call, nick: str) -> claims.RemoteClaim | None:
    """What another agent knows of who has this nick and, from it, a voice in the room: a nick alone
    proves nothing."""
    announcer = call.reception.announcers[call.network]
    fold, room = announcer.state.fold, announcer.state.channel(announcer.config.room)
    member = room.members.get(fold(nick)) if room else None
    if member is None or "+" not in member.prefixes:
        return None
    for other in call.reception.conduct.desk.remote:
        same = (other.network, fold(other.nick)) == (call.network, fold(nick))
        if same and other.phase is claims.Phase.VERIFIED:
            return other
    return None


def vouch(call: Call) -> list[str]:
    nick, handle = call.words[:2]
    if call.reception.front.too_old():
        return [f"{nick} is not vouched for"]
    event = _vouched(call, call.admin)
    if event is None:
        return [f"{nick} or {handle} is not known here"]
    call.reception.conduct.put_claim(event)
    return [f"vouched for {nick} as {event.handle}; two admins make it count: 4h, no admin rights"]


def _vouched(call: Call, admin: str) -> claims.Vouched | None:
    nick, handle = call.words[:2]
    known = call.reception.roster()
    member = known.member(handle) if known else None
    connection = call.reception.connection(call.network, nick)
    return claims.Vouched(connection, nick, member.handle, admin) if member and connection else None


def _overhear(call: Call) -> None:
    """What another agent answers counts as one vouch of two here, too, whoever knows the admin."""
    known, person = call.reception.roster(), call.person
    level, admin = rights(person), call.admin
    if level < Who.STRONG_ADMIN and (other := _known_elsewhere(call, call.nick)):
        level, admin = _rights(known.member(other.handle) if known else None, other), other.handle
    event = _vouched(call, admin)
    if level is Who.STRONG_ADMIN and event is not None and not call.reception.front.too_old():
        call.reception.conduct.put_claim(replace(event, overheard=True))


def revoke(call: Call) -> list[str]:
    connection = call.reception.connection(call.network, call.words[0])
    if connection is None:
        return [f"{call.words[0]} is not known here"]
    conduct = call.reception.conduct
    claim = claims.claim_of(conduct.desk, connection)
    evidence = claims.digest_of(claim.evidence) if claim else ""
    fold = call.reception.announcers[call.network].state.fold
    for other in conduct.desk.remote:  # another agent's: it knows the connection by its evidence
        if other.network == call.network and fold(other.nick) == fold(call.words[0]):
            evidence = evidence or other.evidence
    account = call.reception.account_of(call.network, call.words[0])
    if not evidence and call.reception.member_by_account(call.network, account):
        evidence = claims.digest_of(claims.account_evidence(call.network, account))
    conduct.put_claim(claims.Revoked(connection, call.admin))
    if evidence:
        _give(call, "revoke", evidence=evidence)
    return [f"{call.words[0]} revoked for this incident"]


def _give(call: Call, order: OrderKind, *, for_s: float = 0.0, evidence: str = "") -> None:
    """Let an order have effect here and at the other agents, with how its giver is known."""
    reception, person = call.reception, call.person
    assert person is not None  # the table lets nobody else give orders
    why = "" if order in ("hold", "revoke") else " ".join(call.words)
    reception.relay.give(
        order, call.admin, _shown(reception, person), why=why, for_s=for_s, evidence=evidence
    )


def _shown(reception: Reception, person: Person) -> Shown:
    """What can be shown to others of how we know somebody."""
    connection, network = person.connection, person.connection.network
    signed = reception.proving.signed.get(connection)
    if person.proof is claims.Proof.SSH and signed is not None:
        return Shown("ssh", network, *signed)
    claim = claims.claim_of(reception.conduct.desk, connection)
    certfp = claims.account_evidence(network, CERTFP)
    if claim is not None and claim.evidence.startswith(certfp):
        return Shown("account", network, CERTFP + claim.evidence.removeprefix(certfp))
    return Shown("account", network, person.member.account_on(network))


def declare(call: Call) -> list[str]:
    own = call.reception.conduct.state.incident
    _give(call, "declare")
    is_open = own is not None and bool(own.id)
    return ["incident opened by hand" if not is_open else "an incident is open; noted"]


def standdown(call: Call) -> list[str]:
    reception = call.reception
    own = reception.conduct.state.incident
    if own is None or not own.id:
        return [NONE_OPEN]
    if reception.pulse.now() < own.held_until:
        return [f"held until {wording.clock(own.held_until)}: say it again when that is over"]
    _give(call, "standdown")
    return ["closing in 60s; !hold to stop"]


def hold(call: Call) -> list[str]:
    seconds = read_duration("!hold", " ".join(call.words))
    if not call.reception.conduct.incident_id:
        return [NONE_OPEN]
    if not LEAST_HOLD_S <= seconds <= MAX_HOLD_S:
        return [f"{seconds:.0f}s is no time to hold: 1min at least, 12h at most"]
    _give(call, "hold", for_s=seconds)
    return [f"held until {wording.clock(call.reception.pulse.now() + seconds)}"]


def tell_help(call: Call) -> list[str]:
    if call.person is None:
        return [wording.HELP if call.reception.conduct.incident_id else wording.NO_INCIDENT]
    mine = rights(call.person)
    return wording.wrap([order.usage for order in ORDERS.values() if order.who <= mine])


ORDERS: dict[str, Order] = {
    "help": Order(Who.ANYONE, 0, "!help", tell_help),
    "status": Order(Who.ANYONE, 0, "!status [full]", status),
    "roster": Order(Who.VERIFIED, 0, "!roster [ROLE]", roster),
    "verify": Order(Who.VERIFIED, 1, "!verify NICK", verify),
    "vouch": Order(Who.STRONG_ADMIN, 2, "!vouch NICK HANDLE", vouch, room_only=True),
    "revoke": Order(Who.STRONG_ADMIN, 1, "!revoke NICK", revoke),
    "confirm": Order(Who.STRONG_ADMIN, 0, "!confirm", declare),
    "declare": Order(Who.STRONG_ADMIN, 1, "!declare REASON", declare),
    "standdown": Order(Who.STRONG_ADMIN, 0, "!standdown [WHY]", standdown),
    "hold": Order(Who.STRONG_ADMIN, 1, "!hold DURATION", hold),
}
