"""Admins' orders between agents: each carries the admin's proof, is checked, kept, then acted on.

Whoever hears an order signs a statement of it with what the admin has shown. The others check what
can be checked: an ssh signature against the roster's keys, an account against the roster. The rest
is the word of the agent that heard it, and stands in every journal for whoever asks afterwards.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from bouncer.connections.dial import describe
from bouncer.mesh.heartbeat import (
    MAX_ORDER,
    MAX_ORDER_AGE_S,
    MAX_PROOF,
    DatagramFault,
    Kind,
    OrderGiven,
    OrderKind,
    fitted,
    read_body,
    read_order,
    read_statement,
    sign_statement,
    unsigned,
    write_order,
)
from bouncer.mesh.keys import MeshKey, PublicKey
from bouncer.mesh.proofs import verify_ssh
from bouncer.mesh.roster import HARD_STALE_S, Member, Roster
from fallback import incident
from fallback.journal import Journal
from fallback.mesh.repeating import Repeating
from storage.incidents import IncidentsError, KeptOrder

CHECK_AGAIN_S = 5.0  # a signature that could not be checked
GIVE_UP_S = 600.0  # checking one: as long as orders are repeated
MAX_TAKEN = 256  # ids of orders already taken
MAX_WAITING = 32  # to be checked; full: not confirmed, so it is said again
SHOWN_ORDERS = 5
CERTFP = "certfp "  # how what is shown begins where it is a client certificate's fingerprint
TELL_STANDING_S = 5.0  # a standing `!declare`, for an agent that has started since
REVOKED_EVERY = 12  # rounds of the above until a standing `!revoke` is told again
MAX_STANDING = 16  # `!revoke`s that are told again; what an agent has heard it keeps itself
_CHALLENGE = re.compile(r"fallback1 inc=(\S+) net=(\S+) nick=\S+ nonce=(\S+)")

log = structlog.get_logger("relay")


class Unproven(Exception):
    """An order that is not acted on. Its text is for the operators."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How an admin is known here: `by` what, on which network, and what they have shown."""

    by: str
    where: str
    shown: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """One order, the octets that were signed, and when it was given, on our clock."""

    given: OrderGiven
    statement: bytes
    at: float


class Relay:
    """`give` what is heard here, `take` what comes over the mesh; `run` checks, keeps and acts."""

    def __init__(
        self,
        key: MeshKey,
        *,
        me: str,
        org: str,
        primary_key: PublicKey,
        now: Callable[[], float],
        roster: Callable[[], Roster | None],
        state: Callable[[], incident.IncidentState | None],
        journal: Journal,
        repeating: Repeating,
        others: Callable[[], list[str]],
        put: Callable[[incident.Event], None],
        revoked: Callable[[str, str], None],
        tell_ops: Callable[[str], None],
    ) -> None:
        self._key = key
        self._me = me
        self._org = org
        self._primary_key = primary_key
        self._now = now
        self._roster = roster
        self._state = state
        self._journal = journal
        self._repeating = repeating
        self._others = others
        self._put = put
        self._revoked = revoked
        self._tell_ops = tell_ops
        self._kept = journal.orders()
        # Also refused ones, so that they are looked at once: as None.
        self._taken: OrderedDict[str, Held | None] = OrderedDict(
            (kept.id, Held(read_kept(kept), kept.statement, kept.at_ms / 1000))
            for kept in self._kept[-MAX_TAKEN:]
        )
        self._send, self._receive = trio.open_memory_channel[Held](MAX_WAITING)
        self._unchecked: set[str] = set()  # ids; full: given up
        self.check_again_s = CHECK_AGAIN_S

    # -- in ---------------------------------------------------------------------------------------

    def give(
        self,
        order: OrderKind,
        admin: str,
        shown: Shown,
        *,
        why: str = "",
        for_s: float = 0.0,
        evidence: str = "",
    ) -> None:
        """An admin, known here by account or signature, has given an order."""
        now = self._now()
        given = OrderGiven(
            f"{order}:{self._me[:32]}:{secrets.token_hex(6)}",
            order,
            admin[:64],
            round(now * 1000),
            "ssh" if shown.by == "ssh" else "account",
            self._me,
            shown.where[:64],
            shown.shown[:250],
            shown.signature if len(shown.signature) <= MAX_PROOF else "",
            why[:100],
            for_s,
            evidence,
        )
        given = fitted(given, MAX_ORDER)
        self._accept(Held(given, sign_statement(self._key, Kind.ORDER, given), now))

    def take(self, body: bytes) -> str | None:
        """An order from the mesh; its id, once it is sure to be looked at. Raises DatagramFault."""
        age_s, statement = read_order(body)
        agent = read_body(OrderGiven, unsigned(statement)).agent
        given = read_statement(OrderGiven, Kind.ORDER, self._signer(agent), statement)
        if given.id in self._taken:
            return given.id
        return given.id if self._accept(Held(given, statement, self._now() - age_s)) else None

    def _signer(self, agent: str) -> PublicKey:
        if not agent:
            return self._primary_key
        roster = self._roster()
        voter = roster.voter(agent) if roster else None
        if voter is None or voter.role != "agent":
            raise DatagramFault("agent")
        return voter.public

    def _accept(self, held: Held) -> bool:
        try:
            self._send.send_nowait(held)
        except trio.WouldBlock:
            return False
        self._taken[held.given.id] = held
        while len(self._taken) > MAX_TAKEN:
            self._taken.popitem(last=False)
        return True

    # -- what becomes of it -----------------------------------------------------------------------

    async def run(self) -> None:
        """Check, keep, act: in that order, one order after the other."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_standing)
            async for held in self._receive:
                given = held.given
                try:
                    checked = await self._check(given)
                except Unproven as fault:
                    heard = f", heard by {given.agent}" if given.agent else ""
                    self._tell_ops(f"!{given.order} of {given.admin}{heard} refused: {fault}")
                    self._taken[given.id] = None
                    continue
                except OSError as error:  # others may be checked meanwhile
                    nursery.start_soon(self._check_later, held, describe(error))
                    continue
                self._unchecked.discard(given.id)
                await self._keep(held, checked)
                self._act(held)

    async def _check_later(self, held: Held, why: str) -> None:
        given = held.given
        full = len(self._unchecked) >= MAX_WAITING and given.id not in self._unchecked
        if full or self._now() > held.at + GIVE_UP_S:
            self._unchecked.discard(given.id)
            self._tell_ops(f"!{given.order} of {given.admin} was never checked: {why}")
            return
        if given.id not in self._unchecked:
            self._unchecked.add(given.id)
            self._tell_ops(f"!{given.order} of {given.admin} waits to be checked: {why}")
        await trio.sleep(self.check_again_s)
        await self._send.send(held)

    async def _check(self, given: OrderGiven) -> str:
        """What was found of the proof. Raises Unproven, or OSError: nothing is known."""
        if not given.agent:
            return "the bouncer's word"
        roster = self._roster()
        member = roster.member(given.admin) if roster else None
        if roster is None or member is None or not member.admin:
            raise Unproven("not an admin on this roster")
        if given.by == "account":
            if not _has_account(member, given):
                raise Unproven(f"the roster has no such account on {given.where}")
            if roster.age_s(round(self._now() * 1000)) > HARD_STALE_S:
                raise Unproven("the roster is too old for accounts to count")
            return f"account on the roster, {given.agent}'s word that it was there"
        if not given.signature:
            return f"{given.agent}'s word: the signature is too long to travel"
        form = _CHALLENGE.fullmatch(given.shown)
        if form is None or form[2] != given.where or not form[3].startswith(f"{given.agent}-"):
            raise Unproven("what was signed is no challenge of that agent")
        own = self._state()
        if own is not None and any(stone.id == form[1] for stone in own.tombstones):
            raise Unproven("signed for an incident that is over")
        if not await verify_ssh(given.signature, given.shown, self._org, member.keys):
            raise Unproven("the signature is by no key on the roster")
        return "ssh signature good"

    async def _keep(self, held: Held, checked: str) -> None:
        own = self._state()
        kept = KeptOrder(
            held.given.id, round(held.at * 1000), own.id if own else "", checked, held.statement
        )
        self._kept = [*self._kept[-MAX_TAKEN:], kept]
        try:
            await self._journal.keep_order(kept)
        except IncidentsError as error:  # an admin is not silenced by a full disk
            log.error("order not kept", error=str(error))
            self._tell_ops("cannot write its own file: disk full or broken?")

    def _act(self, held: Held) -> None:
        given = held.given
        match given.order:
            case "standdown":
                self._put(incident.StanddownOrdered(given.admin, held.at))
            case "hold":
                self._put(incident.HeldOrdered(given.admin, held.at, held.at + given.for_s))
            case "declare":
                self._put(incident.Declared(given.admin))
                self._say(held)
            case "revoke":
                self._revoked(given.evidence, given.admin)
                self._say(held)

    # -- out --------------------------------------------------------------------------------------

    def pass_on(self, order: incident.StanddownOrdered | incident.HeldOrdered) -> None:
        """The incident has taken this order: tell it to the other agents."""
        kind = "hold" if isinstance(order, incident.HeldOrdered) else "standdown"
        for held in self._taken.values():
            if held and held.given.order == kind and held.at == order.at:
                self._say(held)

    def _say(self, held: Held) -> None:
        def body() -> bytes:
            return write_order(max(0.0, self._now() - held.at), held.statement)

        others = [name for name in self._others() if name != held.given.agent]
        self._repeating.until_received(others, held.given.id, Kind.ORDER, body)

    async def _tell_standing(self) -> None:
        rounds = 0
        while True:
            await trio.sleep(TELL_STANDING_S)
            rounds += 1
            self.act_again(tell_revoked=rounds % REVOKED_EVERY == 0)

    def act_again(self, *, tell_revoked: bool) -> None:
        """Tell what stands in this incident again; refuse what was revoked, which may have come
        before the incident, or just before this agent was killed."""
        own = self._state()
        if own is None or not own.id:
            return
        if own.kind is incident.Kind.OPERATOR:
            declares = (one for one in self._taken.values() if one)
            for held in [one for one in declares if one.given.order == "declare"][-1:]:
                self._say(held)
        for held in self._standing("revoke")[-MAX_STANDING:]:
            self._revoked(held.given.evidence, held.given.admin)
            if tell_revoked:
                self._say(held)

    # -- what is known ----------------------------------------------------------------------------

    def declared(self) -> bool:
        """Whether an admin's `!declare` with its proof is known that no closing has overtaken."""
        own, now = self._state(), self._now()
        if own is None:
            return False
        return any(now < held.at + own.timings.operator_max_s for held in self._standing("declare"))

    def _standing(self, order: OrderKind) -> list[Held]:
        """The orders of this kind, checked and kept, that no closing has overtaken, of one day."""
        own, now = self._state(), self._now()
        stones = own.tombstones if own is not None else ()
        closed_at = max((stone.at for stone in stones), default=float("-inf"))
        return [
            Held(read_kept(kept), kept.statement, kept.at_ms / 1000)
            for kept in self._kept
            if kept.id.startswith(f"{order}:")
            and closed_at < kept.at_ms / 1000
            and now < kept.at_ms / 1000 + MAX_ORDER_AGE_S
        ]

    def lines(self) -> list[tuple[KeptOrder, OrderGiven]]:
        """The latest orders, for `fallback status`."""
        return [(kept, read_kept(kept)) for kept in self._kept[-SHOWN_ORDERS:]]


def _has_account(member: Member, given: OrderGiven) -> bool:
    """Whether what is shown of the network's word is on the roster: the account, or where the
    network tells it the fingerprint of the client certificate."""
    if given.shown.startswith(CERTFP):
        wanted = ("certfp", given.shown.removeprefix(CERTFP).casefold())
        return any((key.kind, key.public) == wanted for key in member.keys)
    known = member.account_on(given.where)
    return bool(known) and known.casefold() == given.shown.casefold()


def read_kept(kept: KeptOrder) -> OrderGiven:
    """What a kept order says. It was checked before it was kept."""
    return read_body(OrderGiven, unsigned(kept.statement))
