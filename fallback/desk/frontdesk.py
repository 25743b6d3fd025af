"""The claims desk's actions on the public networks: challenge, voice, invite, tell, replicate.

Also what belongs to an announcement: the temporary nick of everyone on call. Codes and signatures
never come here; a challenge names no person.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import singledispatchmethod

import structlog

from bouncer.irc.split import join_entries
from bouncer.irc.wire import Message
from bouncer.mesh.heartbeat import Kind, write_body
from bouncer.mesh.keys import PublicKey
from bouncer.mesh.proofs import challenge, namespace, org_name, signing_command
from bouncer.mesh.roster import HARD_STALE_S, Member, Roster
from fallback import claims
from fallback.conduct import Conduct
from fallback.journal import Journal
from fallback.mesh.gossip import JournalSaid
from fallback.mesh.port import Mesh
from fallback.networks import nicks, wording
from fallback.networks.announcer import Announcer
from fallback.networks.outgoing import Priority

MAX_NICK_LINE = 350  # octets of temp nicks in one line
MAX_UNASKED = 8  # people written to in private who did not ask, per network and incident
WHOIS_AGAIN_S = 10.0  # of one connection: they may log in after they have claimed
MAX_ASKERS = 4096  # people remembered as having asked; full: the oldest is forgotten

log = structlog.get_logger("frontdesk")


class FrontDesk:
    """Performs what the desk decides. Nothing here waits."""

    def __init__(
        self,
        conduct: Conduct,
        *,
        me: str,
        org: PublicKey,
        journal: Journal,
        mesh: Mesh,
        announcers: Mapping[str, Announcer],
        roster: Callable[[], Roster | None],
        now: Callable[[], float],
        nicks_in_lobby: bool,
    ) -> None:
        self.org = org_name(str(org))
        # Of who shares no channel with us; set by whoever meets them.
        self.host_of: Callable[[str, str], str] = lambda _network, _nick: ""
        # What was asked of whom: incident, nick and nonce, as the challenge said them.
        self.asked: dict[claims.Connection, tuple[str, str, str]] = {}
        self._conduct = conduct
        self._me = me
        self._org_key = org.raw
        self._journal = journal
        self._mesh = mesh
        self._announcers = announcers
        self._roster = roster
        self._now = now
        self._nicks_in_lobby = nicks_in_lobby
        self._askers: dict[claims.Connection, None] = {}
        self._unasked: set[claims.Connection] = set()
        self._whois_at: dict[claims.Connection, float] = {}
        self.whois_again_s = WHOIS_AGAIN_S

    def other_agents(self) -> list[str]:
        """The names of the agents besides us."""
        roster = self._roster()
        agents = {one.name for one in roster.agents} if roster else set()
        return [name for name in self._mesh.others if name in agents]

    def reply(self, network: str, nick: str, text: str) -> None:
        """A NOTICE to one person, in their turn."""
        said = self._conduct.performer.drilled(text)
        self._announcers[network].notice(nick, said, source=self._turn_of(network, nick))

    def _say(self, network: str, text: str, priority: Priority, *, in_lobby: bool = False) -> str:
        """A line to the room; what it came to."""
        announcer = self._announcers[network]
        place, said = announcer.config, self._conduct.performer.drilled(text)
        announcer.say((place.room, place.lobby) if in_lobby else (place.room,), said, priority)
        return said

    def _turn_of(self, network: str, nick: str) -> str:
        """Their host, so that nicks do not multiply turns."""
        user = self._announcers[network].state.user_named(nick)
        return (user.host if user else "") or self.host_of(network, nick) or nick

    def ask_account(self, connection: claims.Connection, nick: str) -> None:
        """Where the network does not tell accounts by itself, ask for this one."""
        announcer, now = self._announcers[connection.network], self._now()
        asked_at = self._whois_at.get(connection, float("-inf"))
        if announcer.tells_accounts or now < asked_at + self.whois_again_s:
            return
        self._whois_at[connection] = now
        while len(self._whois_at) > claims.MAX_UNVERIFIED:
            del self._whois_at[next(iter(self._whois_at))]
        turn = self._turn_of(connection.network, nick)
        announcer.ask(Message("WHOIS", (nick,)), source=turn)

    def answer(self, network: str, nick: str, text: str) -> None:
        """The same, with the roster's age where that has a say in what is answered."""
        self.reply(network, nick, f"{text} ({old})" if (old := self.too_old()) else text)

    def too_old(self) -> str:
        """How old the roster is, where accounts and vouches no longer count for it."""
        roster = self._roster()
        age_s = roster.age_s(round(self._now() * 1000)) if roster else 0.0
        return wording.roster_age(age_s) if age_s > HARD_STALE_S else ""

    def was_asked(self, connection: claims.Connection) -> None:
        """Somebody has written to us: from here on they are answered, not written to unasked."""
        self._askers[connection] = None
        while len(self._askers) > MAX_ASKERS:
            del self._askers[next(iter(self._askers))]

    def _write(self, connection: claims.Connection, nick: str, text: str) -> None:
        """In private, whether asked or not; unasked to few, for networks take more for spam."""
        if connection not in self._askers and connection not in self._unasked:
            network = connection.network
            if sum(each.network == network for each in self._unasked) >= MAX_UNASKED:
                return
            self._unasked.add(connection)
        self.answer(connection.network, nick, text)

    async def perform(self, action: claims.Action) -> None:
        self._do(action)

    @singledispatchmethod
    def _do(self, action: object) -> None:
        log.debug("nothing to do", action=type(action).__name__)

    @_do.register
    def _(self, action: claims.Challenge) -> None:
        network = action.connection.network
        incident_id = self._conduct.desk.incident
        self.asked[action.connection] = (incident_id, action.nick, action.nonce)
        while len(self.asked) > claims.MAX_UNVERIFIED:
            del self.asked[next(iter(self.asked))]
        text = challenge(incident_id, network, action.nick, action.nonce)
        self.reply(network, action.nick, f"challenge {text}")
        self.reply(
            network,
            action.nick,
            f"sign it (namespace {namespace(self.org)}) and send me `proof` and the result: "
            + signing_command(text, self.org),
        )

    @_do.register
    def _(self, action: claims.Refuse) -> None:
        network = action.connection.network
        self.answer(network, action.nick, f"NOT VERIFIED: {action.refusal.value}")

    @_do.register
    def _(self, action: claims.Admit) -> None:
        announcer = self._announcers[action.connection.network]
        room = announcer.state.channel(announcer.config.room)
        place = announcer.config.room
        member = room.members.get(announcer.state.fold(action.nick)) if room else None
        if member is not None:
            if member.prefixes:
                self.note_voice(action.connection, action.nick)
            else:
                self.voice(action.connection, action.nick)
        elif not announcer.is_op:
            self._write(action.connection, action.nick, wording.waits_outside(place))
            text = wording.no_operator(place, announcer.state.nick)
            for claim in self._standing(action.connection.network):
                if claim.connection != action.connection:
                    self._write(claim.connection, claim.nick, text)
            return
        else:
            announcer.command(Message("INVITE", (action.nick, place)))
        self._write(action.connection, action.nick, wording.admitted(place))

    def _standing(self, network: str) -> list[claims.Claim]:
        return [
            claim
            for claim in self._conduct.desk.claims
            if claim.connection.network == network and claim.phase is claims.Phase.VERIFIED
        ]

    def let_in(self, network: str) -> None:
        """We are operator now: whoever was verified and waits outside, or has no voice, gets it."""
        announcer = self._announcers[network]
        room = announcer.state.channel(announcer.config.room)
        for claim in self._standing(network):
            member = room.members.get(announcer.state.fold(claim.nick)) if room else None
            if member is None or not member.prefixes:
                self._do(claims.Admit(claim.connection, claim.nick))

    def voice(self, connection: claims.Connection, nick: str) -> None:
        """Let somebody speak in the room."""
        announcer = self._announcers[connection.network]
        announcer.command(Message("MODE", (announcer.config.room, "+v", nick)))
        self.note_voice(connection, nick)

    def note_voice(self, connection: claims.Connection, nick: str) -> None:
        """Keep by what somebody with a voice can be known again."""
        user = self._announcers[connection.network].state.user_named(nick)
        if user is not None and user.host:
            host = f"{user.user}@{user.host}"
            self._conduct.put_claim(claims.Voiced(connection, host, user.account))

    @_do.register
    def _(self, action: claims.DevoiceNick) -> None:
        announcer = self._announcers[action.connection.network]
        room = announcer.state.channel(announcer.config.room)
        if room is not None and announcer.state.fold(action.nick) in room.members:
            announcer.command(Message("MODE", (announcer.config.room, "-v", action.nick)))

    @_do.register
    def _(self, action: claims.Kick) -> None:
        announcer = self._announcers[action.connection.network]
        why = self._conduct.performer.drilled("revoked")
        params = (announcer.config.room, action.nick, why)
        announcer.command(Message("KICK", params))

    @_do.register
    def _(self, action: claims.OfferNick) -> None:
        network = action.connection.network
        roster = self._roster()
        member = roster.member(action.handle) if roster else None
        if member is not None:
            wanted = self.temp_nick(network, member, mine=action.nick)
            if wanted != action.nick:
                state = self._announcers[network].state
                usual = next(iter(member.nicks_on(network)), "")
                ghost = usual != wanted and member.account_on(network) and usual != action.nick
                back = usual if ghost and state.user_named(usual) else ""
                held = state.user_named(wanted) is not None
                self._write(
                    action.connection, action.nick, wording.ask_nick(wanted, held=held, usual=back)
                )

    @_do.register
    def _(self, action: claims.TellRoom) -> None:
        for network, announcer in self._announcers.items():
            if announcer.joined and self._conduct.performer.speaks(network):
                there = network == action.network
                text = action.text if there else f"on {action.network}: {action.text}"
                said = self._say(network, text, Priority.VERIFY)
                self._journal.note(
                    self._conduct.incident_id,
                    network,
                    announcer.config.room,
                    self._me,
                    "agent",
                    said,
                )

    @_do.register
    def _(self, action: claims.TellAdmins) -> None:
        roster = self._roster()
        for claim in self._conduct.desk.claims:
            member = roster.member(claim.handle) if roster and claim.handle else None
            if member and member.admin and claim.phase is claims.Phase.VERIFIED:
                self._write(claim.connection, claim.nick, action.text)

    @_do.register
    def _(self, action: claims.Burn) -> None:
        said = JournalSaid(
            f"s:{action.spent[:40]}:{self._me}"[:64], "spent", spent=action.spent[:64]
        )
        self._tell_agents(said)

    @_do.register
    def _(self, action: claims.Replicate) -> None:
        claim = action.claim
        spent = claim.evidence.removeprefix("code:") if claim.proof is claims.Proof.CODE else ""
        where = claim.connection  # the number first: a long name may be cut
        claim_id = f"{where.number}:{self._me}:{where.network}"[:64]
        said = JournalSaid(
            f"v:{secrets.token_hex(8)}",
            "verified",
            incident=self._conduct.desk.incident[:64],
            spent=spent[:64],
            claim_id=claim_id,
            handle=claim.handle[:64],
            network=claim.connection.network[:64],
            nick=claim.nick[:64],
            proof=claim.proof.value,
            phase=claim.phase.name,
            evidence=claims.digest_of(claim.evidence),
            recalled=claim.recalled,
        )
        self._tell_agents(said)

    def _tell_agents(self, said: JournalSaid) -> None:
        body, repeating = write_body(said), self._conduct.performer.repeating
        repeating.until_received(
            self.other_agents(), said.id, Kind.JOURNAL, lambda: body, about=said.claim_id
        )

    def announced(self, network: str) -> None:
        """With the announcement: the temp nick of everyone on call."""
        for line in self.nick_lines(network):
            self._say(network, line, Priority.ROSTER, in_lobby=self._nicks_in_lobby)

    def took_over(self, network: str) -> None:
        """This agent speaks there from now on: who is found already is told to the room once more,
        for who spoke before may not have heard of all."""
        found = [f"{handle}={where}" for handle, where in self.found(network).items()]
        for line in join_entries(found, MAX_NICK_LINE):
            self._say(network, f"found so far: {line}", Priority.ROSTER)

    def found(self, network: str) -> dict[str, str]:
        """Who is found, here or at another agent: handle -> nick and proof, as `network` reads
        it."""
        found = {}
        for claim in claims.standing(self._conduct.desk):
            place = claim.connection.network if isinstance(claim, claims.Claim) else claim.network
            at = f"@{place}" if place != network else ""
            found[claim.handle] = f"{claim.nick}{at} ({claim.proof.name.lower()})"
        return found

    def nick_lines(self, network: str) -> list[str]:
        """`on call: alice -> alice_, bob -> bob-k7`, cut into lines."""
        roster = self._roster()
        entries = [
            f"{member.handle} -> {self.temp_nick(network, member)}"
            for member in (roster.on_call() if roster else [])
        ]
        head = "on call, by temporary nick: "
        return [head + line for line in join_entries(entries, MAX_NICK_LINE - len(head), ", ")]

    def temp_nick(self, network: str, member: Member, *, mine: str = "") -> str:
        """The nick this person should use there; `mine` is theirs already."""
        state = self._announcers[network].state
        held = {folded: user.account or None for folded, user in state.users.items()}
        held.pop(state.fold(mine), None)
        return nicks.temp_nick(
            member.handle,
            member.nicks_on(network) or (member.handle,),
            self._org_key,
            held,
            member.account_on(network) or None,
            state.fold,
            state.isupport.nicklen or nicks.NICKLEN,
        )

    def renamed(self, network: str, old: str, new: str) -> None:
        """Somebody known to the desk has another nick now, or (without one) is gone."""
        self._announcers[network].renamed(old, new)

    def closed(self) -> None:
        self.asked.clear()
        self._askers.clear()
        self._unasked.clear()
        self._whois_at.clear()
