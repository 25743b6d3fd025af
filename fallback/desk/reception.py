"""Between the public networks and the claims desk: who says what, and who that is.

Whatever needs the roster, a hash or ssh-keygen is done here; what it is worth, the desk decides.
Codes and signatures pass through memory alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
import trio

from bouncer.irc.wire import Message
from bouncer.mesh.roster import HARD_STALE_S, Member, Roster
from fallback import claims, speaker, voter
from fallback.conduct import Conduct
from fallback.desk import orders
from fallback.desk.frontdesk import FrontDesk
from fallback.desk.proving import Proving, member_by_certfp
from fallback.desk.turns import Turns
from fallback.journal import Journal
from fallback.mesh.port import Mesh
from fallback.mesh.relay import CERTFP, Relay
from fallback.networks.announcer import Announcer
from fallback.networks.fellows import Fellows
from fallback.networks.people import People, Person, why_gone
from fallback.networks.unheard import Unheard
from fallback.senses.selfcheck import Pulse

MAX_TEXT = 1500

log = structlog.get_logger("reception")


class Reception:
    """The hall of all announcers and the shell of the desk. Nothing here waits but `run`."""

    def __init__(
        self,
        conduct: Conduct,
        *,
        me: str,
        front: FrontDesk,
        relay: Relay,
        pulse: Pulse,
        journal: Journal,
        mesh: Mesh,
        announcers: Mapping[str, Announcer],
        roster: Callable[[], Roster | None],
        last_number: int = 0,
    ) -> None:
        """`last_number` is the highest number of a connection that an earlier boot remembers."""
        self.conduct = conduct
        self.me = me
        self.announcers = announcers
        self.roster = roster
        self.pulse = pulse
        self.front = front
        self.relay = relay
        self.full_status: Callable[[], list[str]] = list  # set by whoever wires the voter
        self._journal = journal
        self._people = {
            name: People(name, announcer.state, last_number)
            for name, announcer in announcers.items()
        }
        self.turns = {name: Turns() for name in announcers}
        self.proving = Proving(conduct, me=me, front=front, roster=roster, now=pulse.now)
        self.unheard = Unheard()
        front.host_of = lambda network, nick: self._people[network].host(nick)
        self.fellows = Fellows(front.other_agents, mesh=mesh, announcers=announcers)

    async def run(self) -> None:
        """Tell the other agents our nicks; check signatures."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.proving.run)
            nursery.start_soon(self.fellows.run)

    # -- the hall ---------------------------------------------------------------------------------

    def joined(self, network: str) -> None:
        people, state = self._people[network], self.announcers[network].state
        if people.state is not state:
            people.clear(state)
        self.conduct.put(voter.ForNetwork(network, speaker.NetworkJoined()))
        self._look_around(network)  # put out of the lobby, we may have stayed in the room

    def lost(self, network: str) -> None:
        self._people[network].clear(self.announcers[network].state)
        self.conduct.put(voter.ForNetwork(network, speaker.NetworkLost()))
        if self.unheard.lost(network):
            self.conduct.put(voter.ForNetwork(network, speaker.LineRefused()))
        self.conduct.put_claim(claims.NetworkDropped(network))

    def silenced(self, network: str) -> None:
        # Lost first: who still speaks would say it again at once.
        self.conduct.put(voter.ForNetwork(network, speaker.NetworkLost()))
        self.conduct.put(voter.ForNetwork(network, speaker.LineRefused()))

    def sent(self, network: str, message: Message) -> None:
        """A line has left: if it was the announcement, it stands now."""
        place = self.announcers[network].config
        targets, text = message.params[0].split(","), message.params[1]
        if place.lobby in targets and text == self.conduct.performer.announced.get(network):
            self.unheard.written(network)
            self.announcers[network].ask_sign()
            self.conduct.put(voter.ForNetwork(network, speaker.LineSaid()))

    def received(self, network: str, message: Message) -> None:
        self.unheard.received(network, message)
        handler = _HANDLERS.get(message.command)
        if handler is not None and message.nick:
            people = self._people[network]
            if people.state is not self.announcers[network].state:
                people.clear(self.announcers[network].state)
            handler(self, network, message)

    def _meet(self, network: str, source: str) -> claims.Connection:
        people = self._people[network]
        shares = people.state.user_named(source.partition("!")[0]) is not None
        connection, lost = people.meet(source, shares=shares)
        if lost is not None:
            self.conduct.put_claim(claims.Lost(lost, claims.Gone.NO_SHARED_CHANNEL))
        return connection

    def _on_join(self, network: str, message: Message) -> None:
        announcer = self.announcers[network]
        if announcer.state.is_me(message.nick):
            return
        connection = self._meet(network, message.source)
        if self.conduct.performer.speaks(network):  # one agent invites, the one who speaks
            self._check_account(network, message.nick, connection)
        room = announcer.state.fold(announcer.config.room)
        if message.params and announcer.state.fold(message.params[0]) == room:
            claim = claims.claim_of(self.conduct.desk, connection)
            if claim is not None and claim.phase is claims.Phase.VERIFIED:
                self.front.voice(connection, message.nick)
            self.fellows.welcome(network, message.nick)

    def _on_nick(self, network: str, message: Message) -> None:
        if message.params and message.params[0]:
            self.fellows.renamed(network, message.nick, message.params[0])
            connection, lost = self._people[network].renamed(message.nick, message.params[0])
            if lost is not None:
                self.conduct.put_claim(claims.Lost(lost, claims.Gone.NO_SHARED_CHANNEL))
            if connection is not None:
                self.conduct.put_claim(claims.NickChanged(connection, message.params[0]))

    def _on_quit(self, network: str, message: Message) -> None:
        connection = self._people[network].gone(message.nick)
        if connection is not None:
            reason = message.params[0] if message.params else ""
            self.conduct.put_claim(claims.Lost(connection, why_gone(reason)))

    def _on_left(self, network: str, message: Message) -> None:
        """PART or KICK: lost once no channel is shared any more."""
        nick = message.nick if message.command == "PART" else "".join(message.params[1:2])
        people = self._people[network]
        if nick and people.state.user_named(nick) is None:
            connection = people.gone(nick)
            if connection is not None:
                self.conduct.put_claim(claims.Lost(connection, claims.Gone.NO_SHARED_CHANNEL))

    def _on_host(self, network: str, message: Message) -> None:
        if len(message.params) >= 2:
            self._people[network].moved_host(message.nick, "@".join(message.params[:2]))
            self._note_voice(network, message.nick)

    def _note_voice(self, network: str, nick: str) -> None:
        connection = self._people[network].known(nick)
        claim = claims.claim_of(self.conduct.desk, connection) if connection else None
        if claim is not None and claim.host:
            self.front.note_voice(claim.connection, nick)

    def _on_who_ended(self, network: str, message: Message) -> None:
        fold, room = self.announcers[network].state.fold, self.announcers[network].config.room
        if fold("".join(message.params[1:2])) == fold(room):
            self._look_around(network)  # we know all hosts now

    def _look_around(self, network: str) -> None:
        """Whoever we voiced before we were away may be in the room still."""
        state = self.announcers[network].state
        room = state.channel(self.announcers[network].config.room)
        for member in room.members.values() if room else ():
            user = state.user_named(member.nick)
            if "+" in member.prefixes and user is not None and user.host:
                connection = self._meet(network, user.mask)
                host = f"{user.user}@{user.host}"
                still = claims.StillVoiced(connection, member.nick, host, user.account)
                self.conduct.put_claim(still)
        if self.announcers[network].is_op:
            self.front.let_in(network)

    def _on_mode(self, network: str, message: Message) -> None:
        announcer = self.announcers[network]
        if announcer.is_op and announcer.state.nick in message.params[2:]:
            self.front.let_in(network)

    # -- accounts ---------------------------------------------------------------------------------

    def _on_account(self, network: str, message: Message) -> None:
        connection = self._meet(network, message.source)
        self._note_voice(network, message.nick)
        if message.params and message.params[0] == "*":
            self.conduct.put_claim(claims.Lost(connection, claims.Gone.ACCOUNT_LOST))
        elif self.conduct.performer.speaks(network):
            self._check_account(network, message.nick, connection)

    def _on_whox(self, network: str, message: Message) -> None:
        if len(message.params) >= 8:
            nick, people = message.params[5], self._people[network]
            if people.state.user_named(nick) is not None and not people.state.is_me(nick):
                source = f"{nick}!{message.params[3]}@{message.params[4]}"
                connection = self._meet(network, source)
                if self.conduct.performer.speaks(network):
                    self._check_account(network, nick, connection)

    def account_of(self, network: str, nick: str) -> str:
        """The services account of somebody who shares a channel with us, as far as known."""
        user = self.announcers[network].state.user_named(nick)
        return (user.account or "") if user else ""

    def member_by_account(self, network: str, account: str) -> Member | None:
        roster = self.roster()
        if not account or roster is None:
            return None
        if roster.age_s(round(self.pulse.now() * 1000)) > HARD_STALE_S:
            return None  # from here on only ssh and recovery proofs count
        fold = self.announcers[network].state.fold
        for member in roster.staff:
            if fold(member.account_on(network)) == fold(account):
                return member
        return None

    def _on_whois_account(self, network: str, message: Message) -> None:
        """330 names the account; 307 says that the nick itself is it, as on OFTC."""
        if len(message.params) < 3:
            return
        nick = message.params[1]
        connection = self._people[network].known(nick)
        if connection is not None:
            account = message.params[2] if message.command == "330" else nick
            self._check_account(network, nick, connection, account)

    def _on_whois_certfp(self, network: str, message: Message) -> None:
        """276 tells the fingerprint of somebody's client certificate, which the server has seen."""
        nick = message.params[1] if len(message.params) >= 3 else ""
        connection, roster = self._people[network].known(nick), self.roster()
        if connection is None or roster is None or not self.conduct.incident_id:
            return
        shown = message.params[-1].split()[-1:] or [""]
        member = member_by_certfp(roster, shown[0].replace(":", "").casefold())
        if member is not None and not self.front.too_old():
            account = CERTFP + shown[0].replace(":", "")
            event = claims.AccountMatched(connection, nick, member.handle, account)
            self.conduct.put_claim(event)

    def _check_account(
        self, network: str, nick: str, connection: claims.Connection, account: str = ""
    ) -> None:
        account = account or self.account_of(network, nick)
        member = self.member_by_account(network, account)
        if member is not None and self.conduct.incident_id:
            event = claims.AccountMatched(connection, nick, member.handle, account)
            self.conduct.put_claim(event)

    def person(self, network: str, nick: str) -> Person | None:
        """Who this is, by a verified claim or by account; never by nick."""
        roster, connection = self.roster(), self._people[network].known(nick)
        if roster is None or connection is None:
            return None
        claim = claims.claim_of(self.conduct.desk, connection)
        account = self.account_of(network, nick)
        by_account = self.member_by_account(network, account)
        evidence = claims.digest_of(claims.account_evidence(network, account))
        if evidence in self.conduct.desk.revoked:
            by_account = None
        if claim is not None and claim.phase is claims.Phase.VERIFIED:
            member = roster.member(claim.handle)
            if member is not None and not (claim.recalled and by_account == member):
                return Person(member, claim.proof, connection, claim.recalled)
        else:
            member = by_account
        return Person(member, claims.Proof.ACCOUNT, connection) if member else None

    def connection(self, network: str, nick: str) -> claims.Connection | None:
        return self._people[network].known(nick)

    def announced(self, network: str) -> None:
        """The line goes out; the temporary nicks follow it."""
        self.unheard.begun(network)
        self.front.announced(network)

    def took_over(self, network: str) -> None:
        """We speak there from now on: who stands there by account needs no claim."""
        self.front.took_over(network)
        people = self._people[network]
        for user in list(people.state.users.values()):
            if user.account and not people.state.is_me(user.nick):
                source = f"{user.nick}!{user.user}@{user.host}" if user.user else user.nick
                self._check_account(network, user.nick, self._meet(network, source))

    # -- lines ------------------------------------------------------------------------------------

    def _on_privmsg(self, network: str, message: Message) -> None:
        announcer = self.announcers[network]
        if (
            len(message.params) < 2
            or announcer.state.is_me(message.nick)
            or "!" not in (message.source)
        ):
            return
        target, text = message.params[0], message.params[1][:MAX_TEXT]
        if announcer.state.isupport.is_channel(target):
            self._public(network, message, target, text)
        elif (
            announcer.state.is_me(target)
            and not text.startswith("\x01")
            and self.turns[network].take(_host(message.source), trio.current_time())
        ):
            self._private(network, message, text.strip())

    def _public(self, network: str, message: Message, target: str, text: str) -> None:
        announcer = self.announcers[network]
        fold = announcer.state.fold
        self.proving.burn_spilled(text)
        if fold(target) == fold(announcer.config.lobby) and "[fallback " in text:
            for agent in self.fellows.named(network, message.nick):
                self.conduct.put(voter.ForNetwork(network, speaker.LineSeen(agent)))
        if self.conduct.incident_id:
            person = self.person(network, message.nick)
            verified = f"{person.member.handle} ({person.proof.name.lower()})" if person else ""
            self._journal.note(
                self.conduct.incident_id, network, target, message.source, verified, text
            )
        in_room = fold(target) == fold(announcer.config.room)
        if in_room and text.startswith("!"):
            self._meet(network, message.source)
            orders.run(self, network, message.nick, text[1:], room=True)

    def _private(self, network: str, message: Message, text: str) -> None:
        connection = self._meet(network, message.source)
        self.front.was_asked(connection)
        # account-tag: servers add it, clients cannot.
        tagged = message.tags.get("account", "")
        self._check_account(network, message.nick, connection, tagged)
        words = text.lstrip("!").split()  # as it is said in the room
        match [words[0].casefold() if words else "", *words[1:]]:
            case ["claim", handle]:
                self.front.ask_account(connection, message.nick)
                self.proving.claim(connection, message.nick, handle)
            case ["claim", handle, *code] if code:
                self.proving.code(connection, message.nick, handle, "".join(code))
            case ["proof", *encoded] if encoded:
                self.proving.proof(connection, message.nick, "".join(encoded))
            case _:
                orders.run(self, network, message.nick, " ".join(words), room=False)

    def reply(self, network: str, nick: str, text: str) -> None:
        """A NOTICE to one person."""
        self.front.answer(network, nick, text)


def _host(source: str) -> str:
    return source.rpartition("@")[2]


Handler = Callable[[Reception, str, Message], None]
_R = Reception
_HANDLERS: dict[str, Handler] = {
    "JOIN": _R._on_join,
    "NICK": _R._on_nick,
    "QUIT": _R._on_quit,
    "PART": _R._on_left,
    "KICK": _R._on_left,
    "MODE": _R._on_mode,
    "CHGHOST": _R._on_host,
    "ACCOUNT": _R._on_account,
    "276": _R._on_whois_certfp,
    "315": _R._on_who_ended,
    "354": _R._on_whox,
    "330": _R._on_whois_account,
    "307": _R._on_whois_account,
    "PRIVMSG": _R._on_privmsg,
}
