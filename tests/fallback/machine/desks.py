"""Two agents' claims desks with the real sealing of the mesh between them, and what truly happened.

Whether a proof was good is judged here from the world's own records: who holds which nick now, who
was asked what and when, what was used where. S6 is checked after every step of a desk.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

from bouncer.mesh.heartbeat import DatagramFault, Kind, read_body, write_body
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.peers import Peers
from bouncer.mesh.roster import Roster, RosterFault, read_roster, sign_roster
from fallback import claims
from fallback.actions import Persist
from fallback.claims import Connection, Phase, Proof
from fallback.mesh.gossip import JournalSaid

T0 = 1_700_000_000.0
NET = "net"
SITE = MeshKey(b"s" * 32)
KEYS = {name: MeshKey(name.encode()[:1] * 32) for name in ("fra", "hel")}
SHOWN = frozenset({Phase.VERIFIED, Phase.SUPERSEDED})


@dataclass
class Asked:
    """A challenge as it stands with one person: bound to the nick they had, for two minutes."""

    nick: str
    nonce: str
    handle: str
    at: float


@dataclass
class Agent:
    """One agent; the fields of the last block are what the world knows of it."""

    name: str
    peers: Peers
    desk: claims.Desk = field(default_factory=claims.Desk)
    stored_spent: set[str] = field(default_factory=set)
    stored_revoked: set[str] = field(default_factory=set)
    stored_claims: dict[Connection, claims.Claim] = field(default_factory=dict)
    roster: bytes = b""
    untold: dict[str, bytes] = field(default_factory=dict)  # journal entries not yet received
    booted: int = 0
    away: bool = False  # off the network: what happens there it does not see

    asked: dict[Connection, Asked] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # nonces and codes that it knows to be used
    revoked: set[str] = field(default_factory=set)
    proved: dict[Connection, set[tuple[str, Proof]]] = field(default_factory=dict)
    vouched: dict[Connection, set[tuple[str, str]]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)  # the ids of what it took from the mesh

    @property
    def version(self) -> int:
        return read_roster(self.roster, SITE.public).version if self.roster else 0


class Desks:
    """The world of the plays over claims."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.t = T0
        self.drop, self.apart = 0.0, False
        self.incident = "i1"
        self.nicks: dict[Connection, str] = {}
        self.voiced: set[Connection] = set()  # the network's own: it goes with the connection
        self.numbers = itertools.count(1)
        self.nonces: list[str] = ["fra-none"]  # all that were ever handed out
        self.flying: list[tuple[str, bytes]] = []
        self.recorded: list[tuple[str, bytes]] = []
        self.rosters = [sign_roster(SITE, Roster(str(SITE.public), v, 0)) for v in range(1, 8)]
        self.agents = [Agent(name, self._peers(name)) for name in KEYS]
        for agent in self.agents:
            self.feed(agent, claims.IncidentBegan(self.incident))
        self.pass_time(1)

    def _peers(self, name: str) -> Peers:
        made = Peers(KEYS[name], lambda: self.rng.randbytes(8))
        made.replace({other: key.public for other, key in KEYS.items()})
        return made

    # People -------------------------------------------------------------------------------------

    def somebody(self, nick: str = "") -> Connection:
        """A new connection; both agents see the same ones."""
        number = next(self.numbers)
        self.nicks[Connection(NET, number)] = nick or f"n{number}"
        return Connection(NET, number)

    def person(self, which: int) -> Connection:
        known = list(self.nicks)
        return known[which % len(known)] if known else self.somebody()

    def nonce(self, agent: Agent) -> str:
        """A new one, as the shell would draw it."""
        self.nonces.append(f"{agent.name}-{len(self.nonces)}")
        return self.nonces[-1]

    def digest(self) -> str:
        """Of a recovery code that nobody has used yet."""
        return self.rng.randbytes(32).hex()

    def prove(self, agent: Agent, at: Connection, handle: str, proof: Proof) -> None:
        agent.proved.setdefault(at, set()).add((handle, proof))

    # The mesh -----------------------------------------------------------------------------------

    def pass_time(self, seconds: int, *, rounds: int = 3) -> None:
        self.t += seconds
        for agent in self.agents:
            self.feed(agent, claims.Tick())
        for _ in range(rounds):
            for agent in self.agents:
                other = self._other(agent)
                self._send(agent, agent.peers.seal(other.name, Kind.HELLO))
                for body in list(agent.untold.values()):
                    self._send(agent, agent.peers.seal(other.name, Kind.JOURNAL, body))
            self.rng.shuffle(self.flying)
            arriving, self.flying = self.flying, []
            for to, data in arriving:
                self.arrive(to, data)

    def _other(self, agent: Agent) -> Agent:
        return self.agents[1 - self.agents.index(agent)]

    def _send(self, agent: Agent, data: bytes) -> None:
        to = self._other(agent).name
        self.recorded = [*self.recorded[-200:], (to, data)]
        if not self.apart and self.rng.random() >= self.drop:
            self.flying += [(to, data)] * self.rng.choice((1, 1, 2))

    def arrive(self, to: str, data: bytes) -> None:
        agent = next(each for each in self.agents if each.name == to)
        try:
            heard = agent.peers.receive(data, self.t)
        except DatagramFault:
            return
        if heard.reply:
            self._send(agent, heard.reply)
        if not heard.fresh or heard.kind is not Kind.JOURNAL:
            return
        key = data.hex()
        assert key not in agent.heard, "S8: a datagram was taken twice"
        agent.heard.add(key)
        said = read_body(JournalSaid, heard.body)
        self._other(agent).untold.pop(said.id, None)
        if said.what == "spent":
            agent.used.add(said.spent)
            self.feed(agent, claims.PeerSpent(heard.peer, said.spent))
            return
        if said.spent:
            agent.used.add(said.spent)
        self.feed(
            agent,
            claims.PeerVerified(
                heard.peer, said.claim_id, said.handle, said.network, said.nick,
                Proof(said.proof), said.spent, Phase[said.phase],
            ),
        )  # fmt: skip

    def push_roster(self, agent: Agent, document: bytes) -> None:
        """What the shell does with a document that the bouncer's link brings."""
        before = agent.version
        try:
            read_roster(document, SITE.public, held_version=before)
        except RosterFault:
            return
        agent.roster = document
        assert agent.version >= before, "S8: the roster's version fell"

    # One step of a desk -------------------------------------------------------------------------

    def feed(self, agent: Agent, event: claims.Event) -> list[claims.Action]:
        agent.desk, actions = claims.step(agent.desk, event, self.t)
        for action in actions:
            match action:
                case Persist(claims.SpentFact(spent)):
                    agent.stored_spent.add(spent)
                case Persist(claims.RevokedFact(evidence)):
                    agent.stored_revoked.add(evidence)
                case claims.Burn(spent):
                    assert spent in agent.stored_spent, "told before it was kept"
                    self._tell(agent, JournalSaid(f"s:{spent[:40]}", "spent", spent=spent))
                case claims.Replicate(claim):
                    self._tell(agent, self._journal(claim))
                case claims.Challenge(at, nick, nonce):
                    claim = claims.claim_of(agent.desk, at)
                    assert claim is not None
                    agent.asked[at] = Asked(nick, nonce, claim.handle, self.t)
                case Persist(claims.ClaimFact(claim)):
                    agent.stored_claims.pop(claim.connection, None)
                    if claim.phase is Phase.VERIFIED or claim.may_return:
                        agent.stored_claims[claim.connection] = claim
                case claims.Admit(at, nick) | claims.OfferNick(at, nick):
                    assert nick == self.nicks[at], "S6: somebody else has this nick"
                    self.voiced.add(at)
                case claims.DevoiceNick(_, nick):
                    self.voiced -= {at for at, held in self.nicks.items() if held == nick}
                case _:
                    pass
        for at in [action.connection for action in actions if isinstance(action, claims.Admit)]:
            self.feed(agent, claims.Voiced(at, self.host(at)))
        self._check(agent)
        return actions

    def host(self, at: Connection) -> str:
        """user@host: each has their own, and comes with it again."""
        return f"u@{at.number}"

    def looks_around(self, agent: Agent) -> None:
        """The agent is back in the room and sees who has a voice there, under numbers of its own
        that are the world's here."""
        agent.away = False
        for at in sorted(self.voiced & self.nicks.keys(), key=lambda one: one.number):
            self.feed(agent, claims.StillVoiced(at, self.nicks[at], self.host(at)))

    def _tell(self, agent: Agent, said: JournalSaid) -> None:
        agent.untold[said.id] = write_body(said)

    def _journal(self, claim: claims.Claim) -> JournalSaid:
        by_code = claim.proof is Proof.CODE
        return JournalSaid(
            f"v:{self.rng.randbytes(8).hex()}",
            "verified",
            spent=claim.evidence.removeprefix("code:") if by_code else "",
            claim_id=f"{claim.connection.number}",
            handle=claim.handle,
            network=claim.connection.network,
            nick=claim.nick,
            proof=claim.proof.value,
            phase=claim.phase.name,
        )

    def _check(self, agent: Agent) -> None:
        """S6: VERIFIED => valid proof, given on this connection, for this person."""
        for claim in agent.desk.claims:
            if claim.phase in SHOWN:
                proofs = agent.proved.get(claim.connection, set())
                assert (claim.handle, claim.proof) in proofs, f"S6: {claim} was never proved"
                assert claims.digest_of(claim.evidence) not in agent.revoked, (
                    "S6: by what was revoked"
                )

    def close_and_open(self) -> None:
        """This incident is over, and another one has begun."""
        self.incident = f"i{next(self.numbers)}"
        for agent in self.agents:
            self.feed(agent, claims.IncidentClosed())
            assert not agent.desk.claims, "L4: a claim outlived its incident"
            assert not agent.desk.remote, "L4: another agent's did"
            for known in (agent.asked, agent.proved, agent.vouched, agent.revoked):
                known.clear()
            agent.stored_revoked.clear()
            agent.stored_claims.clear()
            self.feed(agent, claims.IncidentBegan(self.incident))

    def restart(self, agent: Agent) -> None:
        """kill -9 and start: nobody is seen yet; what was burned is burned."""
        agent.booted += 1
        agent.away = True
        agent.peers = self._peers(agent.name)
        agent.untold.clear()
        agent.asked.clear()
        agent.vouched.clear()
        stored = claims.Stored(
            self.incident,
            frozenset(agent.stored_spent),
            frozenset(agent.stored_revoked),
            tuple(sorted(agent.stored_spent)),
            tuple(agent.stored_claims.values()),
        )
        self.feed(agent, stored)
        self.feed(agent, claims.IncidentBegan(self.incident))
