"""What is offered as proof, made into what the claims desk can judge.

Whatever needs the roster, a hash or ssh-keygen is done here; what it is worth, the desk decides.
Codes and signatures pass through memory alone.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import trio

from bouncer.connections.bucket import Bucket
from bouncer.connections.dial import describe
from bouncer.login import totp
from bouncer.mesh.proofs import (
    VERIFIERS,
    challenge,
    code_hash,
    codes_in,
    matching_code,
    signer_of,
    verify_ssh,
)
from bouncer.mesh.roster import HARD_STALE_S, Member, Roster
from fallback import claims
from fallback.conduct import Conduct
from fallback.desk.frontdesk import FrontDesk

TOTP_TRIES = 10  # per person, then one in six minutes: 1 of 30,000 to guess one in an hour
MAX_TRIED = 1024  # people; full: the oldest is forgotten
MAX_SPILLED = 4  # numbers looked at in one line
MAX_VERIFYING = 32  # signatures waiting for ssh-keygen; full: "try again"


@dataclass(frozen=True, slots=True)
class _Offered:
    """A signature on its way to ssh-keygen, and what was asked for: incident, nick, nonce."""

    connection: claims.Connection
    encoded: str
    incident: str
    nick: str
    nonce: str


class Proving:
    """Nothing here waits but `run`, which checks the signatures."""

    def __init__(
        self,
        conduct: Conduct,
        *,
        me: str,
        front: FrontDesk,
        roster: Callable[[], Roster | None],
        now: Callable[[], float],
    ) -> None:
        self._conduct = conduct
        self._me = me
        self._front = front
        self._roster = roster
        self._now = now
        self._tries: dict[str, Bucket] = {}
        # What was signed and by it proved, (text, signature): an admin's orders carry it.
        self.signed: OrderedDict[claims.Connection, tuple[str, str]] = OrderedDict()
        # The bound holds those being checked, too: few fit the processes at a time.
        self._offer, self._offered = trio.open_memory_channel[_Offered](MAX_VERIFYING)

    async def run(self) -> None:
        """Check signatures as they come; ssh-keygen's own limit says how many at a time."""
        async with trio.open_nursery() as nursery:
            for _ in range(VERIFIERS):
                nursery.start_soon(self._verify_all)

    async def _verify_all(self) -> None:
        async for offered in self._offered.clone():
            await self._verify(offered)

    def claim(self, connection: claims.Connection, nick: str, handle: str) -> None:
        """`claim HANDLE`: a nonce that names this agent."""
        roster = self._roster()
        member = roster.member(handle) if roster else None
        nonce = f"{self._me}-{secrets.token_hex(6)}"
        known = member.handle if member else ""
        self._conduct.put_claim(claims.Claimed(connection, nick, known, nonce))

    def code(self, connection: claims.Connection, nick: str, handle: str, code: str) -> None:
        """`claim HANDLE CODE`: a recovery code, or the six digits of an authenticator app."""
        roster = self._roster()
        member = roster.member(handle) if roster else None
        keys = member.keys if member else ()
        digest = code_hash(code)
        fits = matching_code(code, keys) is not None
        if roster and member and totp.FORM.fullmatch(code) and self._may_try(roster, member):
            burnable = totp.matching(code, keys, self._now())
            fits, digest = burnable is not None, burnable or digest
        known = member.handle if member else ""
        self._conduct.put_claim(
            claims.CodeGiven(connection, nick, known, digest, fits and bool(known))
        )

    def _may_try(self, roster: Roster, member: Member) -> bool:
        """Six digits can be guessed, so tries are few for a person, from wherever they come; the
        person's other proofs are untouched. RFC 4226 section 7.3: a throttling parameter."""
        if roster.age_s(round(self._now() * 1000)) > HARD_STALE_S:
            return False  # from here on only ssh and recovery proofs count
        if not any(key.kind == "totp" for key in member.keys):
            return False
        bucket = self._tries.setdefault(member.handle, Bucket(TOTP_TRIES / 3600, TOTP_TRIES))
        while len(self._tries) > MAX_TRIED:
            del self._tries[next(iter(self._tries))]
        return bool(bucket.take(1, trio.current_time()))

    def proof(self, connection: claims.Connection, nick: str, encoded: str) -> None:
        """`proof BASE64`: a signature over what was asked of this connection."""
        asked = self._front.asked.get(connection)
        if asked is None:
            self._front.reply(connection.network, nick, claims.Refusal.UNASKED.value)
            return
        try:
            self._offer.send_nowait(_Offered(connection, encoded, *asked))
        except trio.WouldBlock:
            self._front.reply(connection.network, nick, claims.Refusal.FULL.value)

    async def _verify(self, offered: _Offered) -> None:
        network = offered.connection.network
        claim = claims.claim_of(self._conduct.desk, offered.connection)
        roster = self._roster()
        member = roster.member(claim.handle) if roster and claim else None
        text = challenge(offered.incident, network, offered.nick, offered.nonce)
        keys = member.keys if member else ()
        try:
            valid = await verify_ssh(offered.encoded, text, self._front.org, keys)
        except OSError as error:  # nothing is known of the proof: it neither counts nor is spent
            self._conduct.performer.tell_ops(f"cannot check an ssh proof: {describe(error)}")
            self._front.reply(network, offered.nick, claims.Refusal.UNCHECKED.value)
            return
        key = (signer_of(offered.encoded) or "") if valid else ""
        if valid:
            self.signed[offered.connection] = (text, offered.encoded)
            while len(self.signed) > claims.MAX_VERIFIED:
                self.signed.popitem(last=False)
        self._conduct.put_claim(
            claims.Signed(
                offered.connection, valid, offered.incident, network, offered.nick,
                offered.nonce, key,
            )
        )  # fmt: skip

    def burn_spilled(self, text: str) -> None:
        """A code of the roster said in public is burned, whoever said it."""
        roster = self._roster()
        for digits in totp.FORM.findall(text)[:MAX_SPILLED]:
            for member in roster.staff if roster else ():
                if burnable := totp.matching(digits, member.keys, self._now()):
                    self._conduct.put_claim(claims.CodeSpilled(burnable))
        for code in codes_in(text):
            digest = code_hash(code)
            if roster and any(
                key.kind == "recovery" and key.public == digest
                for member in roster.staff
                for key in member.keys
            ):
                self._conduct.put_claim(claims.CodeSpilled(digest))


def member_by_certfp(roster: Roster, fingerprint: str) -> Member | None:
    """Whose client certificate this is."""
    for member in roster.staff:
        if any(key.kind == "certfp" and key.public == fingerprint for key in member.keys):
            return member
    return None
