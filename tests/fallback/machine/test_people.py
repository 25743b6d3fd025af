"""Claims at two agents, under drop, duplicate, reorder, replay and restart: S6, S8, S9, L4.

People claim to be others, repeat codes and signatures they have seen, take nicks over; whether
anybody is verified is compared with what was truly proved (`desks`).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fallback import claims
from fallback.claims import Admit, Gone, Phase, Proof
from tests.fallback.machine.attacks import ATTACKS, Attack
from tests.fallback.machine.desks import NET, Agent, Desks
from tests.fallback.machine.test_outages import EXAMPLES, MANY, plays

which = st.integers(0, 7)
agent = st.integers(0, 1)
handle = st.sampled_from(["alice", "bob"])
digest = st.sampled_from("abc").map(lambda letter: letter * 64)


class People(RuleBasedStateMachine):
    """What people may do, and what may happen to the agents meanwhile."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = Desks(seed)
        self.somebody()

    def _agent(self, index: int) -> Agent:
        return self.world.agents[index]

    @rule()
    def somebody(self) -> None:
        self.world.somebody()

    @rule(index=agent, who=which, name=st.sampled_from(["alice", "bob", ""]))
    def claim(self, index: int, who: int, name: str) -> None:
        here, at = self._agent(index), self.world.person(who)
        nonce = self.world.nonce(here)
        self._known_like_unknown(here, at, nonce)
        self.world.feed(here, claims.Claimed(at, self.world.nicks[at], name, nonce))

    @rule(index=agent, who=which, nonce=which, own=st.booleans(), valid=st.booleans(),
          elsewhere=st.sampled_from(["", "incident", "network", "nick"]))  # fmt: skip
    def sign(
        self, index: int, who: int, nonce: int, own: bool, valid: bool, elsewhere: str
    ) -> None:
        """A signature over the person's own challenge, or over one they have seen somewhere."""
        here, at, world = self._agent(index), self.world.person(who), self.world
        asked = here.asked.get(at)
        given = asked.nonce if asked and own else world.nonces[-1 - nonce % len(world.nonces)]
        signed = claims.Signed(
            at, valid, world.incident, NET, world.nicks[at], given, f"key-of-{who}"
        )
        if elsewhere:
            signed = replace(signed, **{elsewhere: "another"})
        good = (
            asked is not None
            and valid
            and bool(asked.handle)
            and not elsewhere
            and given == asked.nonce
            and asked.nick == world.nicks[at]
            and given not in here.used
            and world.t < asked.at + claims.CHALLENGE_S
        )
        if good and asked is not None:
            world.prove(here, at, asked.handle, Proof.SSH)
        admitted = any(isinstance(action, Admit) for action in world.feed(here, signed))
        assert good or not admitted, "S6: a signature that binds something else"
        if admitted:
            here.used.add(given)

    @rule(index=agent, who=which, name=st.sampled_from(["alice", "bob", ""]), code=digest,
          fits=st.booleans())  # fmt: skip
    def code(self, index: int, who: int, name: str, code: str, fits: bool) -> None:
        """ "a code burned on first sight": here, and where the burning was told."""
        here, at, world = self._agent(index), self.world.person(who), self.world
        good = fits and bool(name) and code not in here.used
        if good:
            world.prove(here, at, name, Proof.CODE)
        given = claims.CodeGiven(at, world.nicks[at], name, code, fits)
        for _ in range(2):  # a duplicate
            claim = claims.claim_of(here.desk, at)
            again = claim is not None and claim.phase is Phase.VERIFIED and claim.handle == name
            admitted = any(isinstance(action, Admit) for action in world.feed(here, given))
            assert good or again or not admitted, "S6, S8: a code that was burned, or is another's"
            if admitted and not again:  # else who is verified is only invited again
                here.used.add(code)
                good = False

    @rule(index=agent, code=digest)
    def code_in_public(self, index: int, code: str) -> None:
        here = self._agent(index)
        self.world.feed(here, claims.CodeSpilled(code))
        here.used.add(code)

    @rule(index=agent, who=which, name=handle)
    def account(self, index: int, who: int, name: str) -> None:
        here, at = self._agent(index), self.world.person(who)
        if claims.digest_of(f"account:{NET}:{name}") not in here.revoked:
            self.world.prove(here, at, name, Proof.ACCOUNT)
        self.world.feed(here, claims.AccountMatched(at, self.world.nicks[at], name, name))

    @rule(index=agent, who=which, name=handle, admin=st.sampled_from(["carol", "dave"]))
    def vouch(self, index: int, who: int, name: str, admin: str) -> None:
        """ "vouch by two admins"."""
        here, at = self._agent(index), self.world.person(who)
        vouches = here.vouched.setdefault(at, set())
        vouches.add((admin, name))
        if len({one for one, whom in vouches if whom == name}) > 1:
            self.world.prove(here, at, name, Proof.VOUCH)
        self.world.feed(here, claims.Vouched(at, self.world.nicks[at], name, admin))

    @rule(who=which, takes=which)
    def nick_changes(self, who: int, takes: int) -> None:
        """A person takes a nick that another has left."""
        at, world = self.world.person(who), self.world
        old = [nick for nick in (f"n{takes}", f"m{takes}") if nick not in world.nicks.values()]
        world.nicks[at] = old[0] if old else f"x{at.number}"
        for here in world.agents:
            if not here.away:
                world.feed(here, claims.NickChanged(at, world.nicks[at]))

    @rule(who=which, gone=st.sampled_from(Gone))
    def leaves(self, who: int, gone: Gone) -> None:
        """Whoever comes under this nick next is another connection, and proves anew."""
        at, world = self.world.person(who), self.world
        for here in [agent for agent in world.agents if not agent.away]:
            world.feed(here, claims.Lost(at, gone))
            claim = claims.claim_of(here.desk, at)
            by_account = claim is not None and claim.proof is Proof.ACCOUNT
            if gone is Gone.QUIT:
                assert claim is None or claim.phase not in (Phase.VERIFIED, Phase.CHALLENGED)
            elif gone is not Gone.ACCOUNT_LOST and not by_account:
                assert claim is None or claim.phase is not Phase.VERIFIED
        if gone is Gone.QUIT:
            nick = world.nicks.pop(at)
            world.voiced.discard(at)
            world.somebody(nick)

    @rule(index=agent, who=which)
    def revoke(self, index: int, who: int) -> None:
        here, at = self._agent(index), self.world.person(who)
        claim = claims.claim_of(here.desk, at)
        evidence = claims.digest_of(claim.evidence) if claim else ""
        if evidence:
            here.revoked.add(evidence)
        self.world.feed(here, claims.Revoked(at, "carol"))
        if evidence and not self.world.apart:
            other = self._agent(1 - index)
            other.revoked.add(evidence)
            self.world.feed(other, claims.PeerRevoked(evidence, "carol"))

    @rule(drop=st.sampled_from([0.0, 0.5]), apart=st.booleans())
    def weather(self, drop: float, apart: bool) -> None:
        self.world.drop, self.world.apart = drop, apart

    @rule(seconds=st.sampled_from([1, 60, 130, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(index=agent)
    def restart(self, index: int) -> None:
        self.world.restart(self._agent(index))

    @rule(index=agent)
    def network_drops(self, index: int) -> None:
        here = self._agent(index)
        here.away = True
        self.world.feed(here, claims.NetworkDropped(NET))

    @rule(index=agent)
    def looks_around(self, index: int) -> None:
        """ "a nick is never proof": whoever took a nick meanwhile has no voice."""
        self.world.looks_around(self._agent(index))

    @rule(choice=st.integers(0, 200))
    def replay(self, choice: int) -> None:
        """Somebody who heard the mesh sends again what they heard."""
        if self.world.recorded:
            self.world.arrive(*self.world.recorded[choice % len(self.world.recorded)])

    @rule(index=agent, document=st.integers(0, 6))
    def roster(self, index: int, document: int) -> None:
        self.world.push_roster(self._agent(index), self.world.rosters[document])

    @rule(index=agent, attack=st.sampled_from(ATTACKS))
    def attack(self, index: int, attack: Attack) -> None:
        attack(self.world, self._agent(index))

    @rule()
    def another_incident(self) -> None:
        self.world.close_and_open()

    def _known_like_unknown(self, here: Agent, at: claims.Connection, nonce: str) -> None:
        """S9: "unknown handles get the same answers as known ones", and these answers have no
        field that could carry the roster's."""
        if at in {claim.connection for claim in here.desk.claims}:
            return
        nick, now = self.world.nicks[at], self.world.t
        answers = []
        for name in ("alice", ""):
            desk, asked = claims.step(here.desk, claims.Claimed(at, nick, name, nonce), now)
            signed = claims.Signed(at, False, self.world.incident, NET, nick, nonce, "key")
            desk, proof = claims.step(desk, signed, now)
            told = [*asked, *proof]
            for _ in range(claims.BAD_CODES + 1):
                bad = claims.CodeGiven(at, nick, name, "f" * 64, False)
                desk, more = claims.step(desk, bad, now)
                told += [one for one in more if not isinstance(one, claims.TellAdmins)]
            assert all(isinstance(one, claims.Challenge | claims.Refuse) for one in told)
            answers.append(told)
        assert answers[0] == answers[1], "S9"

    @rule()
    def in_the_end(self) -> None:
        """Once the agents hear each other no code stands for two; L4: claims expire."""
        world = self.world
        world.drop, world.apart = 0.0, False
        world.pass_time(1, rounds=6)
        stand = [
            claim.evidence
            for here in world.agents
            for claim in here.desk.claims
            if claim.phase is Phase.VERIFIED and claim.evidence.startswith("code:")
        ]
        assert len(stand) == len(set(stand)), "S8: one code stands for two"
        for here in world.agents:
            later, _ = claims.step(here.desk, claims.Tick(), world.t + claims.EXPIRE_S)
            assert all(claim.phase is not Phase.VERIFIED for claim in later.claims), "L4"
            closed, _ = claims.step(here.desk, claims.IncidentClosed(), world.t)
            assert all(claim.phase is not Phase.VERIFIED for claim in closed.claims), "L4"


class ManyPeople(People):
    """The same, longer."""


People.TestCase.settings = plays(EXAMPLES, steps=30)
ManyPeople.TestCase.settings = plays(MANY // 2, steps=50)
TestPeople = People.TestCase
TestManyPeople = pytest.mark.outage(pytest.mark.timeout(900)(ManyPeople.TestCase))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_from_fair_weather(attack: Attack) -> None:
    for index in (0, 1):
        world = Desks(7)
        attack(world, world.agents[index])


def test_a_good_signature_and_a_good_code_do_verify() -> None:
    """Else nothing above would be shown."""
    world = Desks(1)
    here = world.agents[0]
    alice, bob = world.somebody(), world.somebody()
    world.feed(here, claims.Claimed(alice, world.nicks[alice], "alice", "fra-1"))
    world.prove(here, alice, "alice", Proof.SSH)
    signed = claims.Signed(alice, True, "i1", NET, world.nicks[alice], "fra-1", "k")
    assert Admit(alice, world.nicks[alice]) in world.feed(here, signed)
    world.prove(here, bob, "bob", Proof.CODE)
    given = claims.CodeGiven(bob, world.nicks[bob], "bob", "a" * 64, True)
    assert Admit(bob, world.nicks[bob]) in world.feed(here, given)
    world.pass_time(1)
    assert "a" * 64 in world.agents[1].desk.spent
    assert {claim.handle for claim in world.agents[1].desk.remote} == {"alice", "bob"}
