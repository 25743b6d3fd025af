"""Outages of a town with two agents on one network, either of which is killed at random moments.

"kill -9 of any agent at any moment of an incident, restart: same incident, no nonce or code usable
twice, no double announcement." Of two, each may have to go on where the other was killed: what one
has burned is burned at the other too, and an agent says the line again only when the other has said
it in between.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import trio

from bouncer.mesh.proofs import code_hash
from tests.outage.signing import make_key, signed
from tests.outage.town import LOBBY, ROOM, Town, town
from tests.real.certificates import make
from tests.real.lab import lab
from tests.real.ngircd import Ngircd, ngircd
from tests.real.peer import Peer, peer
from tests.real.process import until

AGENTS = {"fra": "muster-fra", "ams": "muster-ams"}
DECLARED_S = 12.0  # the fast profile's
# The line is written to the network, then kept. Who is killed in between says it again, for
# silence is the failure: so long after a line was read a second one proves nothing.
WRITTEN_BUT_NOT_KEPT_S = 0.5
PATIENCE_S = 90.0  # the machine is shared: only the order matters here
POLL_S = 0.2
SPARE = 5  # codes from here on are not used by who is interrupted


@dataclass
class Pair:
    """What one lane has seen. `lines`: who said the line of this incident, in order."""

    town: Town
    internet: Ngircd
    reader: Peer
    dice: random.Random
    kills: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    granted: int = 0
    burned: int = 0
    repeats: int = 0  # second lines that WRITTEN_BUT_NOT_KEPT_S explains

    def somebody(self) -> AbstractAsyncContextManager[Peer]:
        server = self.internet
        return peer(server.host, server.tls_port, tls=True, netns=self.town.people.netns)

    def agent(self) -> str:
        return self.dice.choice(list(AGENTS))

    async def status(self, name: str) -> str:
        """What the agent says of itself; '' while it starts."""
        try:
            return await self.town.voters[name].status()
        except (OSError, trio.BrokenResourceError):
            return ""

    async def report(self, fits: Callable[[list[str]], bool], what: str) -> list[str]:
        """Wait until what the two report fits."""
        said: list[str] = []
        with trio.move_on_after(PATIENCE_S):
            while True:
                said = [await self.status(name) for name in AGENTS]
                if fits(said):
                    return said
                await trio.sleep(POLL_S)
        last = self.kills[-1] if self.kills else "nobody yet"
        raise AssertionError(f"not {what}, killed {last}:\n" + "\n\n".join(said))

    async def kill(self, name: str, what: str) -> None:
        """kill -9 now, and start it again."""
        program = self.town.voters[name].program
        program.kill()
        self.kills.append(f"{name} {what}")
        program.start()

    def lines(self) -> list[str]:
        said = self.reader.all("PRIVMSG", LOBBY, "*nreachable from here since*", source="muster-*")
        return [line.nick for line in said]

    def no_line_twice(self) -> None:
        """An agent may repeat its line when the other has claimed the network, and so said its."""
        said = self.lines()
        twice = [one for one, other in pairwise(said) if one == other]
        assert not twice, f"announced twice: {said}, killed {self.kills}"

    async def one_speaks(self) -> None:
        """Both hold the incident, the same as ever, and one of them speaks."""
        both = await self.report(
            lambda said: (
                all(opened(each) for each in said)
                and len({opened(each) for each in said}) == 1
                and sum("=SPEAKING" in each for each in said) == 1
                and sum("=FOLLOWING" in each for each in said) == 1
            ),
            "one incident at both, and one speaker",
        )
        self.ids.add(opened(both[0]))
        assert len(self.ids) == 1, f"another incident after {self.kills[-1]}: {self.ids}"
        await self.reader.sync()
        self.no_line_twice()

    def is_burned(self, name: str, digest: str) -> bool:
        """Whether the agent's own file says that this code or nonce is spent."""
        path = self.town.voters[name].folder / "data" / "fallback.db"
        with closing(sqlite3.connect(path)) as connection:
            query = "select count(*) from burned where digest = ?"
            return bool(connection.execute(query, (digest,)).fetchone()[0])


def opened(status: str) -> str:
    """The id of the incident in a status, or ''."""
    found = re.search(r"^incident \S+ \((\S+)\)", status, re.MULTILINE)
    return found[1] if found else ""


def shortly(dice: random.Random) -> float:
    """Seconds, mostly few milliseconds: what is checked, burned, kept and told takes no longer."""
    return 0.4 * dice.random() ** 4


def grants(person: Peer, nick: str) -> int:
    """How often this agent told them that they are verified."""
    return len(person.all("NOTICE", "*", "verified*", source=f"{nick}!*"))


@asynccontextmanager
async def open_pair(folder: Path, seed: int) -> AsyncIterator[Pair]:
    with lab() as net:
        public = net.host("public", addresses=5)
        folder.mkdir(parents=True, exist_ok=True)
        certificate = make(folder, "public", names=(public.address,))
        key = await trio.to_thread.run_sync(make_key, folder / "bob-key")
        async with ngircd(
            folder / "public",
            netns=public.netns,
            listen=(public.address,),
            certificate=certificate,
        ) as internet:
            network = {
                "name": "public",
                "addresses": [f"ircs://{public.address}:{internet.tls_port}"],
                "pin": f"sha256:{certificate.sha256}",
                "lobby": LOBBY,
                "room": ROOM,
                "public_resolver": False,
            }
            async with (
                town(
                    folder / "town",
                    net,
                    agents={name: [{**network, "nick": nick}] for name, nick in AGENTS.items()},
                    staff={"alice": ("--oncall", "1"), "bob": ("--ssh-key", str(key))},
                    timings={"profile": "fast", "primary_back_notice": 4, "auto_standdown": 10},
                    public=public,
                ) as here,
                peer(internet.host, internet.tls_port, tls=True, netns=here.people.netns) as reader,
            ):
                await reader.register("passerby")
                await reader.join(LOBBY)
                await here.well(joined=1)
                yield Pair(here, internet, reader, random.Random(seed))


async def lane(folder: Path, seed: int, incidents: int, told: list[Any]) -> None:
    async with open_pair(folder, seed) as here:
        told.append(here)
        for number in range(incidents):
            await incident(here, folder / "bob-key", number)


async def incident(here: Pair, key: Path, number: int) -> None:
    """One outage with five kills."""
    quiet = re.compile(r"watch WATCHING(?s:.)*: joined as")
    await here.report(lambda said: all(quiet.search(each) for each in said), "well again")
    await trio.sleep(3)  # heartbeats flow, landmarks are fresh
    here.reader.forget()
    here.ids.clear()
    here.town.lab.cut(here.town.site)
    await while_it_is_declared(here)
    await while_a_code_is_used(here, number)
    await while_a_proof_is_checked(here, key)
    await trio.sleep(here.dice.uniform(0, 1.5))
    both = [await here.status(name) for name in AGENTS]
    await here.kill(list(AGENTS)["=SPEAKING" in both[1]], "speaking")
    await here.one_speaks()
    await while_the_primary_returns(here)


async def while_it_is_declared(here: Pair) -> None:
    """Half of the moments lie around the line itself, half anywhere from the cut on."""
    begun, read_at = trio.current_time(), 0.0
    near, victim = here.dice.random() < 0.5, here.agent()
    after_s = here.dice.uniform(0, WRITTEN_BUT_NOT_KEPT_S * 2 if near else DECLARED_S + 3)
    while True:
        now = trio.current_time()
        assert now - begun <= PATIENCE_S, "not announced"
        if not read_at and here.lines():
            read_at = now
        if now - (read_at if near else begun) >= after_s and (read_at or not near):
            break
        await trio.sleep(0.005)
    before = here.lines()
    await here.kill(victim, f"{after_s:.2f} s after {'the line' if near else 'the cut'}")
    await until(lambda: bool(here.lines()), PATIENCE_S, "the line")
    said = here.lines()
    if near and before == [AGENTS[victim]] and said[1:2] == before:
        assert after_s < WRITTEN_BUT_NOT_KEPT_S, f"announced twice: {said}"
    await here.report(lambda each: all(map(opened, each)), "an incident at both")
    await here.reader.sync()
    said = here.lines()
    if before == [AGENTS[victim]] and said[1:2] == before and after_s < WRITTEN_BUT_NOT_KEPT_S:
        here.repeats += 1
        twice = here.reader.all("PRIVMSG", LOBBY, "*nreachable from here since*")[1]
        here.reader.heard.remove(twice)
    await here.one_speaks()


async def while_a_code_is_used(here: Pair, number: int) -> None:
    """What one agent burned before it was killed is refused by it, and by the other one too."""
    code, victim = here.town.codes["alice"][number], here.agent()
    (other,) = (name for name in AGENTS if name != victim)
    digest, words = code_hash(code), f"claim alice {code}"
    async with here.somebody() as alice:
        await alice.register("alice_")
        await alice.says(f"PRIVMSG {AGENTS[victim]} :{words}")
        await trio.sleep(shortly(here.dice))
        await here.kill(victim, "as a code came")
        burned = here.is_burned(victim, digest)
        here.burned += burned
        await here.one_speaks()
        if burned:
            # It tells the other, before the kill or after it.
            await until(lambda: here.is_burned(other, digest), PATIENCE_S, "the burning is told")
        await alice.sync()
        granted = grants(alice, AGENTS[victim])
        assert burned or not granted, "verified, but the code was not burned before"
        for name in (victim, other):
            await alice.says(f"PRIVMSG {AGENTS[name]} :{words}")
            await alice.hears("NOTICE", "alice_", source=f"{AGENTS[name]}!*", within_s=PATIENCE_S)
            if here.is_burned(victim, digest):  # what is spent at both at once is another story
                await until(lambda: here.is_burned(other, digest), PATIENCE_S, "it is told")
        await alice.sync()
        all_granted = sum(grants(alice, nick) for nick in AGENTS.values())
        here.granted += all_granted
        assert all_granted <= (granted if burned else 1), "a code was good twice"
        if not all_granted:  # and one that nobody has used is good
            unused = here.town.codes["alice"][number + SPARE]
            await alice.says(f"PRIVMSG {AGENTS[other]} :claim alice {unused}")
            await alice.hears("NOTICE", "alice_", "verified*", within_s=PATIENCE_S)
            here.granted += 1


async def while_a_proof_is_checked(here: Pair, key: Path) -> None:
    """A nonce names its agent, and is good there once, whether it was killed meanwhile or not."""
    victim = here.agent()
    (other,) = (name for name in AGENTS if name != victim)
    async with here.somebody() as bob:
        await bob.register("bob_")
        await bob.says(f"PRIVMSG {AGENTS[victim]} :claim bob")
        asked = await bob.hears("NOTICE", "bob_", "challenge *", within_s=PATIENCE_S)
        text = asked.params[1].removeprefix("challenge ")
        how = await bob.hears("NOTICE", "bob_", "sign it*", within_s=PATIENCE_S)
        proof = await trio.to_thread.run_sync(signed, key, text, how.params[1])
        await bob.says(f"PRIVMSG {AGENTS[victim]} :proof {proof}")
        await trio.sleep(shortly(here.dice))
        await here.kill(victim, "as a signature came")
        burned = here.is_burned(victim, text.rpartition("nonce=")[2])
        here.burned += burned
        await here.one_speaks()
        await bob.sync()
        granted = grants(bob, AGENTS[victim])
        assert burned or not granted, "verified, but its nonce was not burned before"
        for name in (victim, other):
            await bob.says(f"PRIVMSG {AGENTS[name]} :proof {proof}")
            await bob.hears("NOTICE", "bob_", source=f"{AGENTS[name]}!*", within_s=PATIENCE_S)
        await bob.sync()
        here.granted += granted
        again = sum(grants(bob, nick) for nick in AGENTS.values())
        assert again == granted, "a nonce was good after its agent's restart, or at the other agent"


async def while_the_primary_returns(here: Pair) -> None:
    (id,), victim = here.ids, here.agent()
    here.town.lab.heal(here.town.site)
    after_s = here.dice.uniform(0, 12)
    await trio.sleep(after_s)
    await here.kill(victim, f"{after_s:.2f} s after the healing")

    def over(said: list[str]) -> bool:
        assert all(opened(each) in ("", id) for each in said), f"another incident than {id}: {said}"
        return all("watch WATCHING" in each and not opened(each) for each in said)

    await here.report(over, "closed at both")
    await here.reader.sync()
    here.no_line_twice()
    last = [line.nick for line in here.reader.all("PRIVMSG", LOBBY, "*Over: *")]
    assert len(last) == len(set(last)), f"closed twice: {last}"
