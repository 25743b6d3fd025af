"""What is offered as proof, made into what the claims desk can judge.

Whatever needs the roster, a hash or ssh-keygen is done here; what it is worth, the desk decides.
Codes and signatures pass through memory alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import trio

from bouncer.proofs import (
    VERIFIERS,
    challenge,
    code_hash,
    codes_in,
    matching_code,
    signer_of,
    verify_ssh,
)
from bouncer.roster import Roster
from fallback import claims
from fallback.conduct import Conduct
from fallback.frontdesk import FrontDesk

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
    ) -> None:
        self._conduct = conduct
        self._me = me
        self._front = front
        self._roster = roster
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
        """`claim HANDLE CODE`"""
        roster = self._roster()
        member = roster.member(handle) if roster else None
        fits = matching_code(code, member.keys if member else ()) is not None
        known = member.handle if member else ""
        self._conduct.put_claim(
            claims.CodeGiven(connection, nick, known, code_hash(code), fits and bool(known))
        )

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
        valid = await verify_ssh(offered.encoded, text, self._front.org, keys)
        key = (signer_of(offered.encoded) or "") if valid else ""
        self._conduct.put_claim(
            claims.Signed(
                offered.connection, valid, offered.incident, network, offered.nick,
                offered.nonce, key,
            )
        )  # fmt: skip

    def burn_spilled(self, text: str) -> None:
        """A code of the roster said in public is burned, whoever said it."""
        roster = self._roster()
        for code in codes_in(text):
            digest = code_hash(code)
            if roster and any(
                key.kind == "recovery" and key.public == digest
                for member in roster.staff
                for key in member.keys
            ):
                self._conduct.put_claim(claims.CodeSpilled(digest))
