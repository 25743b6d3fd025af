"""What impostors try, one play each, told at any agent in whatever state its desk is.

Random plays seldom hit upon a whole attack; these do, and each ends with the honest proof, that is
good: else the refusals would show nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fallback import claims
from fallback.claims import Admit, Connection, Gone, Phase, Proof
from tests.fallback.machine.desks import NET, Agent, Desks

Attack = Callable[[Desks, Agent], None]


def _admits(world: Desks, here: Agent, event: claims.Event) -> bool:
    return any(isinstance(action, Admit) for action in world.feed(here, event))


def _asked(world: Desks, here: Agent, nick: str = "", name: str = "alice") -> Connection:
    """Somebody new says `claim alice` and gets a challenge."""
    at = world.somebody(nick)
    world.feed(here, claims.Claimed(at, world.nicks[at], name, world.nonce(here)))
    return at


def _signed(world: Desks, here: Agent, at: Connection) -> claims.Signed:
    """A good signature over what this agent asked of them, by a key of their own."""
    asked = here.asked[at]
    return claims.Signed(
        at, True, world.incident, NET, asked.nick, asked.nonce, f"{here.name}-{at.number}"
    )


def _proves(world: Desks, here: Agent, at: Connection, name: str = "alice") -> claims.Signed:
    signed = _signed(world, here, at)
    world.prove(here, at, name, Proof.SSH)
    assert _admits(world, here, signed), "the honest proof is good"
    here.used.add(signed.nonce)
    return signed


def _code(world: Desks, at: Connection, digest: str) -> claims.CodeGiven:
    return claims.CodeGiven(at, world.nicks[at], "alice", digest, True)


def nonce_of_another_person(world: Desks, here: Agent) -> None:
    alice, mallory = _asked(world, here), _asked(world, here)
    theirs = here.asked[alice].nonce
    stolen = replace(_signed(world, here, mallory), nonce=theirs)
    assert not _admits(world, here, stolen), "S6: by the nonce of another person"
    _proves(world, here, alice)


def signature_of_another_person(world: Desks, here: Agent) -> None:
    """The whole of it: nonce, nick and key."""
    alice, mallory = _asked(world, here), _asked(world, here)
    stolen = replace(_signed(world, here, alice), connection=mallory)
    assert not _admits(world, here, stolen), "S6: by another's signature"
    _proves(world, here, alice)


def nonce_used_twice(world: Desks, here: Agent) -> None:
    """By chance, or by a liar in our own random numbers, a nonce is handed out again."""
    alice = _asked(world, here)
    signed = _proves(world, here, alice)
    again = world.somebody()
    world.feed(here, claims.Claimed(again, world.nicks[again], "alice", signed.nonce))
    replayed = replace(signed, connection=again, nick=world.nicks[again])
    assert not _admits(world, here, replayed), "S8: a nonce was good twice"


def signed_for_something_else(world: Desks, here: Agent) -> None:
    alice = _asked(world, here)
    for part in ("incident", "network", "nick"):
        wrong = replace(_signed(world, here, alice), **{part: "another"})
        assert not _admits(world, here, wrong), f"S6: not bound to its {part}"
    _proves(world, here, alice)


def signed_too_late(world: Desks, here: Agent) -> None:
    """The clock of the proof itself is asked, not only the tick that tidies up."""
    alice = _asked(world, here)
    world.t += claims.CHALLENGE_S
    assert not _admits(world, here, _signed(world, here, alice)), "S6: an old challenge was good"
    _proves(world, here, _asked(world, here))


def nick_changed_and_back(world: Desks, here: Agent) -> None:
    alice = _asked(world, here)
    signed, nick = _signed(world, here, alice), world.nicks[alice]
    for name in (f"{nick}x", nick):
        world.nicks[alice] = name
        world.feed(here, claims.NickChanged(alice, name))
    assert not _admits(world, here, signed), "S6: a challenge outlived its nick"
    _proves(world, here, _asked(world, here))


def code_spent(world: Desks, here: Agent) -> None:
    alice, mallory, digest = world.somebody(), world.somebody(), world.digest()
    world.prove(here, alice, "alice", Proof.CODE)
    assert _admits(world, here, _code(world, alice, digest))
    here.used.add(digest)
    world.feed(here, claims.Lost(alice, Gone.QUIT))
    assert not _admits(world, here, _code(world, mallory, digest)), "S6: a code was good twice"


def code_said_in_public(world: Desks, here: Agent) -> None:
    alice, digest = world.somebody(), world.digest()
    world.feed(here, claims.CodeSpilled(digest))
    here.used.add(digest)
    assert not _admits(world, here, _code(world, alice, digest)), "S6: a spilled code was good"


def revoked_account(world: Desks, here: Agent) -> None:
    """Another connection, the same account: its evidence is refused for this incident."""
    alice, again, account = world.somebody(), world.somebody(), world.digest()[:12]
    world.prove(here, alice, "alice", Proof.ACCOUNT)
    matched = claims.AccountMatched(alice, world.nicks[alice], "alice", account)
    assert _admits(world, here, matched)
    world.feed(here, claims.Revoked(alice, "carol"))
    here.revoked.add(claims.digest_of(f"account:{NET}:{account}"))
    matched = replace(matched, connection=again, nick=world.nicks[again])
    assert not _admits(world, here, matched), "S6: a revoked account was good"
    world.restart(here)
    assert not _admits(world, here, matched), "S6: a revoked account was good after a restart"


def recordings_after_a_restart(world: Desks, here: Agent) -> None:
    alice, bob, digest = _asked(world, here), world.somebody(), world.digest()
    signed = _proves(world, here, alice)
    world.prove(here, bob, "alice", Proof.CODE)
    assert _admits(world, here, _code(world, bob, digest))
    here.used.add(digest)
    world.restart(here)
    assert not claims.standing(here.desk), "S6: verified, and nobody proved it since the start"
    assert not _admits(world, here, signed), "S8: a signature of the last boot was good"
    world.feed(here, claims.Claimed(alice, world.nicks[alice], "alice", signed.nonce))
    assert not _admits(world, here, signed), "S8: a nonce of the last boot was good"
    assert not _admits(world, here, _code(world, bob, digest)), "S8: a code was good twice"


def nick_taken_while_the_agent_was_away(world: Desks, here: Agent) -> None:
    """By somebody who has a voice of their own: they are not who held the nick before."""
    alice, bob, carol = (_asked(world, here, name=name) for name in ("alice", "bob", "carol"))
    for at, name in ((alice, "alice"), (bob, "bob"), (carol, "carol")):
        _proves(world, here, at, name)
    world.restart(here)
    world.nicks[alice], world.nicks[bob] = "elsewhere", world.nicks[alice]
    world.looks_around(here)
    known = [(claim.connection, claim.handle) for claim in claims.standing(here.desk)]
    assert (carol, "carol") in known, "who stayed is known again"
    assert not {alice, bob} & {at for at, _ in known}, "S6: a nick was proof"


def one_code_in_two_places(world: Desks, here: Agent) -> None:
    """ "spent in two components at once it suspends both"."""
    (other,) = (agent for agent in world.agents if agent is not here)
    digest, place = world.digest(), world.somebody()
    world.drop, world.apart = 0.0, True
    for agent in (here, other):
        world.prove(agent, place, "alice", Proof.CODE)
        assert _admits(world, agent, _code(world, place, digest)), "apart, neither can know"
        agent.used.add(digest)
    world.apart = False
    world.pass_time(1, rounds=6)
    for agent in (here, other):
        held = claims.claim_of(agent.desk, place)
        assert held is not None
        assert held.phase is Phase.SUSPENDED, "S8: one code stands in two places"


def one_code_heard_of_by_its_claim_alone(world: Desks, here: Agent) -> None:
    """The datagram that burns it was lost; the one that tells of its person was not."""
    (other,) = (agent for agent in world.agents if agent is not here)
    digest, place, mallory = world.digest(), world.somebody(), world.somebody()
    world.drop, world.apart = 0.0, False
    world.pass_time(1)
    world.prove(here, place, "alice", Proof.CODE)
    assert _admits(world, here, _code(world, place, digest))
    here.used.add(digest)
    burning = here.untold.pop(f"s:{digest[:40]}")
    world.pass_time(1)
    assert not _admits(world, other, _code(world, mallory, digest)), "S8: a code was good twice"
    here.untold[f"s:{digest[:40]}"] = burning


def code_burned_by_who_was_killed(world: Desks, here: Agent) -> None:
    """It was killed before it could tell anybody; it tells when it is back."""
    (other,) = (agent for agent in world.agents if agent is not here)
    digest, alice, mallory = world.digest(), world.somebody(), world.somebody()
    world.drop, world.apart = 0.0, True
    world.prove(here, alice, "alice", Proof.CODE)
    assert _admits(world, here, _code(world, alice, digest))
    here.used.add(digest)
    world.restart(here)
    world.apart = False
    world.pass_time(1, rounds=6)
    assert not _admits(world, other, _code(world, mallory, digest)), "S8: a code was good twice"


def closing(world: Desks, here: Agent) -> None:
    """L4: nobody is verified any more, and what was signed for this incident opens no other."""
    alice, bob = _asked(world, here), _asked(world, here, name="bob")
    _proves(world, here, alice)
    late = _signed(world, here, bob)
    world.close_and_open()
    for agent in world.agents:
        assert not claims.standing(agent.desk), "L4: verified in an incident that is over"
        assert not _admits(world, agent, late), "S6: not bound to its incident"
    at = _asked(world, here, name="bob")
    old = replace(_signed(world, here, at), incident=late.incident)
    assert not _admits(world, here, old), "S6: not bound to its incident"
    _proves(world, here, at, "bob")


def expiry(world: Desks, here: Agent) -> None:
    alice = _asked(world, here)
    _proves(world, here, alice)
    world.pass_time(int(claims.EXPIRE_S))
    held = claims.claim_of(here.desk, alice)
    assert held is None or held.phase is not Phase.VERIFIED, "L4: verified for ever"


ATTACKS: tuple[Attack, ...] = (
    nonce_of_another_person,
    signature_of_another_person,
    nonce_used_twice,
    signed_for_something_else,
    signed_too_late,
    nick_changed_and_back,
    code_spent,
    code_said_in_public,
    revoked_account,
    recordings_after_a_restart,
    nick_taken_while_the_agent_was_away,
    one_code_in_two_places,
    one_code_heard_of_by_its_claim_alone,
    code_burned_by_who_was_killed,
    closing,
    expiry,
)
