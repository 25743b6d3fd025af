"""kill -9 of the agent at random moments of an incident, and restart.

"Kill -9 of any agent at any moment of an incident, restart: same incident, no nonce or code usable
twice, no double announcement (random moments, 50 runs)."

Each lane plays incidents one after the other, some with a lone agent, some with two (`pair`),
either of which is killed. In each an agent is killed while the site falls silent and the line is
said, while a recovery code and then a signature are being checked, in the quiet middle, and while
the primary comes back. The seed is printed; KILLED_SEED plays it again.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from bouncer.mesh.proofs import code_hash
from tests.outage import pair
from tests.outage.parallel import Scenario, running
from tests.outage.signing import make_key, signed
from tests.outage.world import AGENT_NICK, HOME_NETWORK, LOBBY, World, world
from tests.real import needs
from tests.real.lab import lab
from tests.real.peer import Peer

pytestmark = [pytest.mark.outage, pytest.mark.timeout(900)]

RUNS = 50
LONE, PAIRS = 3, 2  # lanes, side by side
LANES = LONE + PAIRS
KILLS_EACH = 5  # kills in one incident
INCIDENTS = -(-RUNS // (LANES * KILLS_EACH))
TIMINGS = {
    "profile": "fast",
    "speaker_lease": 3,
    "primary_back_notice": 4,
    "auto_standdown": 10,
}
DECLARED_S = 12.0  # the fast profile's
# The line is written to the network, then kept. Who is killed in between says it again, for
# silence is the failure: so long after a line was read a second one proves nothing.
WRITTEN_BUT_NOT_KEPT_S = 0.5
PATIENCE_S = 90.0  # the machine is shared: only the order matters here
LONGEST_S = 840.0


@dataclass
class Lane:
    """What one lane has seen. `kills`: (while what, the agent's state before, ms into it)."""

    scene: World
    reader: Peer
    dice: random.Random
    kills: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)  # of this incident, while it was open
    granted: int = 0  # people verified, before or after a kill
    burned: int = 0  # codes and nonces that were spent by then
    repeats: int = 0  # second lines that WRITTEN_BUT_NOT_KEPT_S explains

    async def status(self) -> str:
        """What the agent says of itself; '' while it starts."""
        try:
            return await self.scene.agent.status()
        except (OSError, trio.BrokenResourceError):
            return ""

    async def reports(self, pattern: str) -> str:
        """Wait for a status like this regular expression."""
        status = ""
        with trio.move_on_after(PATIENCE_S):
            while not re.search(pattern, status):
                await trio.sleep(0.1)
                status = await self.status()
            return status
        raise AssertionError(
            f"no {pattern!r}:\n{status}\n{self.scene.agent.program.output[-3000:]}"
        )

    async def kill(self, what: str) -> None:
        """kill -9 now, and start it again."""
        self.scene.agent.program.kill()
        self.kills.append(what)
        self.scene.agent.program.start()

    def lines(self) -> list[tuple[str, str]]:
        """The announcements read since the incident began: (incident's short name, text)."""
        said = self.reader.all("PRIVMSG", LOBBY, "*nreachable from here since*")
        return [(m.params[1].partition("]")[0], m.params[1]) for m in said]


def opened(status: str) -> str:
    """The id of the incident in a status, or ''."""
    found = re.search(r"^incident \S+ \((\S+)\)", status, re.MULTILINE)
    return found[1] if found else ""


async def lane(folder: Path, seed: int, told: list[Lane | pair.Pair]) -> None:
    with lab() as net:
        async with world(folder, net, timings=TIMINGS) as scene, scene.at_public() as reader:
            public = await trio.to_thread.run_sync(make_key, folder / "bob-key")
            await scene.bouncer.cli("staff", "set", "bob", "--ssh-key", str(public))
            async with scene.at_work(f"alice/{HOME_NETWORK}@laptop") as alice:
                await scene.protected(alice, 2)
            await reader.register("passerby")
            await reader.join(LOBBY)
            here = Lane(scene, reader, random.Random(seed))
            told.append(here)
            for number in range(INCIDENTS):
                await incident(here, folder, number)


async def incident(here: Lane, folder: Path, number: int) -> None:
    """One outage with five kills."""
    scene, dice = here.scene, here.dice
    await here.reports("watch WATCHING(?s:.)*: joined as")
    await trio.sleep(3)  # heartbeats flow, landmarks are fresh
    here.reader.forget()
    here.ids.clear()
    scene.lab.cut(scene.site)
    await while_it_is_declared(here)
    await while_a_code_is_used(here, number)
    await while_a_proof_is_checked(here, folder / "bob-key")
    await trio.sleep(dice.uniform(0, 1.5))
    await here.kill("speaking")
    await same_incident(here)
    await while_the_primary_returns(here)


async def while_it_is_declared(here: Lane) -> None:
    """Half of the moments lie around the line itself, half anywhere from the cut on."""
    begun, read_at = trio.current_time(), 0.0
    near = here.dice.random() < 0.5
    after_s = here.dice.uniform(0, WRITTEN_BUT_NOT_KEPT_S * 2 if near else DECLARED_S + 3)
    while True:
        now = trio.current_time()
        if not read_at and here.lines():
            read_at = now
        if now - begun > PATIENCE_S:
            raise AssertionError("not announced")
        if (near and read_at and now - read_at >= after_s) or (not near and now - begun >= after_s):
            break
        await trio.sleep(0.005)
    before = len(here.lines())
    since_s = trio.current_time() - read_at if read_at else -1
    await here.kill(f"{after_s:.2f} s after {'the line' if near else 'the cut'}")
    if not here.lines():
        await here.reader.hears("PRIVMSG", LOBBY, "*nreachable*", within_s=PATIENCE_S)
    await same_incident(here)
    if before and len(here.lines()) > 1 and since_s < WRITTEN_BUT_NOT_KEPT_S:
        here.repeats += 1
        here.reader.heard.remove(here.reader.all("PRIVMSG", LOBBY, "*nreachable from*")[1])
    one_line(here)


async def same_incident(here: Lane) -> None:
    """It speaks (again), for the one incident of this outage."""
    here.ids.add(opened(await here.reports("SPEAKING")))
    assert len(here.ids) == 1, f"another incident after {here.kills[-1]}: {here.ids}"
    one_line(here)


def one_line(here: Lane) -> None:
    assert len(here.lines()) <= 1, f"announced twice, killed {here.kills[-1]}: {here.lines()}"


async def while_a_code_is_used(here: Lane, number: int) -> None:
    code = here.scene.codes["alice"][number]
    async with here.scene.at_public() as alice:
        await alice.register("alice_")
        await alice.says(f"PRIVMSG {AGENT_NICK} :claim alice {code}")
        await trio.sleep(shortly(here.dice))
        await here.kill("as a code came")
        burned = is_burned(here.scene, code_hash(code))
        here.burned += burned
        await same_incident(here)
        await alice.sync()
        granted = len(grants(alice))
        await alice.says(f"PRIVMSG {AGENT_NICK} :claim alice {code}")
        await alice.hears("NOTICE", "alice_", source=f"{AGENT_NICK}!*", within_s=PATIENCE_S)
        await alice.sync()
        again = len(grants(alice)) - granted
        here.granted += granted + again
        assert not (again and (burned or granted)), "a code was good for a second time"
        await refused(here, f"claim alice {code}")


async def while_a_proof_is_checked(here: Lane, key: Path) -> None:
    async with here.scene.at_public() as bob:
        await bob.register("bob_")
        await bob.says(f"PRIVMSG {AGENT_NICK} :claim bob")
        asked = await bob.hears("NOTICE", "bob_", "challenge *", within_s=PATIENCE_S)
        text = asked.params[1].removeprefix("challenge ")
        how = await bob.hears("NOTICE", "bob_", "sign it*", within_s=PATIENCE_S)
        proof = await trio.to_thread.run_sync(signed, key, text, how.params[1])
        nonce = text.rpartition("nonce=")[2]
        await bob.says(f"PRIVMSG {AGENT_NICK} :proof {proof}")
        await trio.sleep(shortly(here.dice))
        await here.kill("as a signature came")
        burned = is_burned(here.scene, nonce)
        here.burned += burned
        await same_incident(here)
        await bob.sync()
        assert burned or not grants(bob), "verified, but its nonce was not burned before"
        granted = len(grants(bob))
        await bob.says(f"PRIVMSG {AGENT_NICK} :proof {proof}")
        await bob.hears("NOTICE", "bob_", source=f"{AGENT_NICK}!*", within_s=PATIENCE_S)
        await bob.sync()
        here.granted += granted
        assert len(grants(bob)) == granted, "a nonce was good after its agent's restart"
        await refused(here, f"proof {proof}")


def shortly(dice: random.Random) -> float:
    """Seconds, mostly few milliseconds: what is checked, burned, kept and told takes no longer."""
    return 0.4 * dice.random() ** 4


def grants(person: Peer) -> list[object]:
    """What tells a person that they are verified."""
    told = person.all("NOTICE", "*", "verified*", source=f"{AGENT_NICK}!*")
    return [*told, *person.all("INVITE", source=f"{AGENT_NICK}!*")]


async def refused(here: Lane, words: str) -> None:
    """Somebody else on another connection gets nothing for the same words."""
    async with here.scene.at_public() as mallory:
        await mallory.register(f"mal{here.dice.randrange(10**6)}")
        await mallory.says(f"PRIVMSG {AGENT_NICK} :{words}")
        await mallory.hears("NOTICE", mallory.nick, source=f"{AGENT_NICK}!*", within_s=PATIENCE_S)
        await mallory.sync()
        assert not grants(mallory), f"another one's proof was taken: {words}"


def is_burned(scene: World, digest: str) -> bool:
    """Whether the killed agent's own file says that this code or nonce is spent."""
    path = scene.agent.folder / "data" / "fallback.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "select count(*) from burned where digest = ?"
        return bool(connection.execute(query, (digest,)).fetchone()[0])


async def while_the_primary_returns(here: Lane) -> None:
    scene, reader = here.scene, here.reader
    (id,) = here.ids
    scene.lab.heal(scene.site)
    after_s = here.dice.uniform(0, 12)
    await trio.sleep(after_s)
    await here.kill(f"{after_s:.2f} s after the healing")
    with trio.fail_after(PATIENCE_S * 2):
        while True:
            status = await here.reports("watch WATCHING(?s:.)*: joined as")
            assert opened(status) in ("", id), f"another incident than {id}:\n{status}"
            if not opened(status):
                break
            await trio.sleep(0.2)
    await reader.sync()
    one_line(here)
    over = reader.all("PRIVMSG", LOBBY, "*Over: *")
    assert len(over) <= 1, over


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[list[Lane | pair.Pair], Mapping[str, Future[None]]]]:
    needs.require("ip", "nft", "nsenter", "setpriv", "ngircd", "ssh-keygen", needs.NETNS)
    seed = int(os.environ.get("KILLED_SEED", time.time()))
    print(f"KILLED_SEED={seed}")
    told: list[Lane | pair.Pair] = []

    def one(number: int) -> Scenario:
        async def play(folder: Path) -> None:
            if number < LONE:
                await lane(folder, seed * LANES + number, told)
            else:
                await pair.lane(folder, seed * LANES + number, INCIDENTS, told)

        return play

    lanes = {f"lane {n}": one(n) for n in range(LANES)}
    with running(lanes, tmp_path_factory.mktemp("killed")) as futures:
        yield told, futures


def test_killed_at_any_moment_it_goes_on_and_repeats_nothing(
    outcome: tuple[list[Lane | pair.Pair], Mapping[str, Future[None]]],
) -> None:
    told, futures = outcome
    for future in futures.values():
        future.result(LONGEST_S)
    kills = [kill for each in told for kill in each.kills]
    again = sum(each.repeats for each in told)
    granted = sum(each.granted for each in told)
    burned = sum(each.burned for each in told)
    print(f"{len(kills)} kills; {burned} codes and nonces burned when killed,")
    print(f"{granted} answers to the verified;")
    print(f"{again} lines said again, killed within {WRITTEN_BUT_NOT_KEPT_S} s of the first")
    assert len(kills) >= RUNS
    assert burned, "no proof had arrived: nothing was tried"
    assert granted, "nobody was verified at all: nothing was tried"
