"""When not to announce: 120 s of silence, its reason asserted, and then a real cut is announced.

"Every "no announcement" run (agent uplink cut, one-way drop, 20 % loss, SIGSTOP of agent 40 s, of
bouncer 8 s, maintenance, expired certificate) watches 120 s, asserts the state that explains it,
then cuts for real and is announced." By the solo rule where the witness is dead.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.outage.parallel import Scenario, running
from tests.outage.world import (
    AGENT,
    AGENT_NICK,
    HOME_NETWORK,
    LOBBY,
    ROOM,
    WITNESS,
    World,
    world,
)
from tests.real import needs
from tests.real.certificates import make
from tests.real.lab import lab
from tests.real.peer import Peer

pytestmark = [pytest.mark.outage, pytest.mark.timeout(900)]

QUIET_S = 120.0
LOOK_EVERY_S = 5.0
ANNOUNCED_S = 30.0
SOLO_S = 70.0
NOTICE_S, SERVICE_S = 120.0, 45.0
STARTING_S = 15.0  # a process on a busy machine, its TLS and its JOINs
LONGEST_S = 800.0

Look = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def protected(folder: Path) -> AsyncIterator[tuple[World, Peer]]:
    """A world in which both voters are well, and a passer-by in the lobby."""
    with lab() as net:
        async with (
            world(folder, net) as scene,
            scene.at_work(f"alice/{HOME_NETWORK}@laptop") as alice,
            scene.at_public() as reader,
        ):
            await scene.protected(alice, 2)
            await alice.says("QUIT")
            await reader.register("passerby")
            await reader.join(LOBBY)
            await reader.hears_member(LOBBY, AGENT_NICK)
            yield scene, reader


async def quiet(scene: World, reader: Peer, look: Look, for_s: float = QUIET_S) -> None:
    """Nobody announces for so long, and `look` finds the reason each time."""
    deadline = trio.current_time() + for_s
    while trio.current_time() < deadline:
        await look(scene)
        unannounced(reader)
        await trio.sleep(LOOK_EVERY_S)
    await reader.sync()
    unannounced(reader)


def unannounced(reader: Peer) -> None:
    said = reader.all("PRIVMSG|NOTICE|TOPIC", "*", source=f"{AGENT_NICK}!*")
    assert not said, f"announced without an outage: {said}"


async def a_real_cut_is_announced(scene: World, reader: Peer, within_s: float = ANNOUNCED_S) -> str:
    """Cut the site, and return the line; it names the room, and stands there in time."""
    begun = trio.current_time()
    scene.lab.cut(scene.site)
    line = await reader.hears(
        "PRIVMSG", LOBBY, "*unreachable*", source=f"{AGENT_NICK}!*", within_s=within_s + 60
    )
    took = trio.current_time() - begun
    assert took <= within_s, f"announced only after {took:.1f} s"
    assert ROOM in line.params[1]
    return line.params[1]


def stands(where: str, what: str) -> Look:
    """A look that finds `what` in the status of the voter `where`, and no verdict."""

    async def look(scene: World) -> None:
        status = await scene.voters[where].status()
        assert what in status, f"{where} does not report {what}:\n{status}"
        assert "watch DOWN" not in status, status

    return look


def silence_s(status: str) -> float:
    """How long the primary has not been heard, by a voter's status."""
    found = re.search(r"silence (\d+)s", status)
    assert found, status
    return float(found[1])


async def agent_uplink_cut(folder: Path) -> None:
    async with protected(folder) as (scene, reader):
        scene.lab.cut(scene.hosts[AGENT])
        await scene.agent.reports("ISOLATED", within_s=40)
        await quiet(scene, reader, stands(AGENT, "ISOLATED"))
        scene.lab.heal(scene.hosts[AGENT])
        await scene.agent.reports("WATCHING", within_s=40)
        await quiet(scene, reader, stands(AGENT, "WATCHING"), 20)
        await reader.hears_member(LOBBY, AGENT_NICK, within_s=180)  # it is on the network again
        await scene.agent.reports("joined", within_s=60)
        await a_real_cut_is_announced(scene, reader)


async def packet_loss(folder: Path) -> None:
    async with protected(folder) as (scene, reader):
        scene.lab.drop(scene.site, sending=True, receiving=True, percent=20)
        await quiet(scene, reader, stands(AGENT, "WATCHING"))
        await a_real_cut_is_announced(scene, reader)


async def bouncer_stopped(folder: Path) -> None:
    async with protected(folder) as (scene, reader):
        scene.bouncer.program.send(signal.SIGSTOP)
        await trio.sleep(8)
        status = await scene.agent.status()
        scene.bouncer.program.send(signal.SIGCONT)
        assert silence_s(status) > 6, status  # it was missed, and that was no suspicion yet
        assert "watch WATCHING" in status
        await quiet(scene, reader, stands(AGENT, "WATCHING"))
        await a_real_cut_is_announced(scene, reader)


async def witness_dead(folder: Path) -> None:
    async with protected(folder) as (scene, reader):
        scene.witness.program.kill()
        await quiet(scene, reader, stands(AGENT, "WATCHING"))
        line = await a_real_cut_is_announced(scene, reader, SOLO_S)
        assert "[single observer]" in line


async def one_way(folder: Path) -> None:
    """The agent hears nothing of the primary, the witness does: forwarded heartbeats tell."""
    async with protected(folder) as (scene, reader):
        scene.lab.drop(scene.site, sending=True, peer=scene.hosts[AGENT])
        await scene.agent.reports("through other voters only", within_s=40)
        await quiet(scene, reader, stands(AGENT, "through other voters only"))
        assert "watch WATCHING" in await scene.witness.status()
        await a_real_cut_is_announced(scene, reader)


async def agent_stopped(folder: Path) -> None:
    """A voter that was suspended doubts itself: its clock of silence begins anew."""
    async with protected(folder) as (scene, reader):
        scene.agent.program.send(signal.SIGSTOP)
        await trio.sleep(40)
        scene.agent.program.send(signal.SIGCONT)
        gap = await scene.agent.program.prints(r"stopped or suspended.*gap_s\D+(\d+)", 10)
        assert int(gap[1]) >= 38
        assert silence_s(await scene.agent.status()) < 10  # not 40: what it slept through is void
        await quiet(scene, reader, stands(AGENT, "WATCHING"))
        await a_real_cut_is_announced(scene, reader)


async def maintenance(folder: Path) -> None:
    """The site is really away, and was said to be: nobody votes. Once it is over all is as ever."""
    async with protected(folder) as (scene, reader):
        said = await scene.bouncer.ctl("maintenance", "now", "30min", "new", "switch")
        assert "acked 2/2" in said
        scene.lab.cut(scene.site)
        both = [stands(where, "watch MAINTENANCE") for where in (AGENT, WITNESS)]

        async def look(scene: World) -> None:
            for each in both:
                await each(scene)

        await quiet(scene, reader, look)
        assert silence_s(await scene.agent.status()) > QUIET_S - 10
        scene.lab.heal(scene.site)
        await scene.agent.reports("heartbeat 0.", within_s=40)
        await scene.bouncer.ctl("maintenance", "end")
        for where in (AGENT, WITNESS):
            await scene.voters[where].reports("watch WATCHING", within_s=40)
        await a_real_cut_is_announced(scene, reader)


async def stopped_by_hand(folder: Path) -> None:
    """ "TERM of the bouncer sends a 120 s notice by itself, without overrun: a mistaken stop is
    announced two minutes later."
    """
    async with protected(folder) as (scene, reader):
        begun = trio.current_time()
        await scene.bouncer.program.terminate()
        await quiet(scene, reader, stands(AGENT, "watch MAINTENANCE"), NOTICE_S - 10)
        line = await reader.hears(
            "PRIVMSG", LOBBY, "*nreachable*", source=f"{AGENT_NICK}!*", within_s=120
        )
        took = trio.current_time() - begun
        assert NOTICE_S <= took <= NOTICE_S + SERVICE_S + 15, f"after {took:.1f} s"
        assert "Primary service unreachable" in line.params[1]  # its host refuses connections


async def cold_start(folder: Path) -> None:
    """ "boot: an outage already under way is found like any other", IRC to connect to first."""
    async with protected(folder) as (scene, reader):
        scene.agent.program.kill()
        await reader.hears("QUIT", source=f"{AGENT_NICK}!*")
        scene.lab.cut(scene.site)
        await scene.witness.reports("watch DOWN_SITE", within_s=40)
        unannounced(reader)  # a witness never speaks
        begun = trio.current_time()
        await scene.agent.start()
        line = await reader.hears(
            "PRIVMSG", LOBBY, "*nreachable*", source=f"{AGENT_NICK}!*", within_s=90
        )
        took = trio.current_time() - begun
        assert took <= ANNOUNCED_S + STARTING_S, f"announced only after {took:.1f} s"
        assert "[single observer]" not in line.params[1], "the witness' vote counts"


async def home_server_gone(folder: Path) -> None:
    """ "HOME (bouncer up, home IRC server down: ops notice; announced only if configured)": as the
    ops channel is gone with it, the administrators' clients are told.
    """
    async with protected(folder) as (scene, reader):
        await scene.bouncer.cli("user", "set", "alice", "--admin", "yes")
        async with scene.at_work(f"alice/{HOME_NETWORK}@laptop") as alice:
            scene.company.kill()
            await alice.hears("NOTICE", "*", f"*agent {AGENT}: HOME: *", within_s=120)
        await quiet(scene, reader, stands(AGENT, "HOME: the bouncer says"))
        assert "watch WATCHING" in await scene.agent.status()
        await a_real_cut_is_announced(scene, reader)


async def certificate_expired(folder: Path) -> None:
    """ "CERT (up, certificate expired; never "down")": ops are told, and nobody else."""
    async with protected(folder) as (scene, reader):
        ended = make(folder, "ended", days=-1)
        shutil.copy(ended.certificate, scene.bouncer.data / "tls-certificate.pem")
        shutil.copy(ended.key, scene.bouncer.data / "tls-key.pem")
        scene.bouncer.reload()
        await scene.agent.reports("CERT ended", within_s=90)  # a TLS probe comes once a minute
        await quiet(scene, reader, stands(AGENT, "CERT ended"))
        assert "watch WATCHING" in await scene.agent.status()
        assert "the primary's certificate ended" in scene.agent.program.output
        await a_real_cut_is_announced(scene, reader)


async def agent_killed(folder: Path) -> None:
    """ "killed with -9 and restarted in the middle of an incident it goes on with the same
    incident", and says nothing twice: neither the line nor a code is good for a second time.
    """
    async with protected(folder) as (scene, reader):
        line = await a_real_cut_is_announced(scene, reader)
        incident = line.partition("]")[0]
        async with scene.at_public() as alice:
            await alice.register("alice_")
            await alice.says(f"PRIVMSG {AGENT_NICK} :claim alice {scene.codes['alice'][0]}")
            await alice.hears("NOTICE|PRIVMSG", "alice_", "*verified*", within_s=20)
            for round_number in range(2):
                scene.agent.program.kill()
                await reader.hears("QUIT", source=f"{AGENT_NICK}!*")
                reader.forget()
                await scene.agent.start()
                await reader.hears_member(LOBBY, AGENT_NICK, within_s=60)
                status = await scene.agent.reports("SPEAKING", within_s=60)
                assert incident.removeprefix("[fallback ") in status
                await trio.sleep(10)
                again = reader.all("PRIVMSG", LOBBY, source=f"{AGENT_NICK}!*")
                assert not again, f"said again after restart {round_number}: {again}"
        async with scene.at_public() as mallory:
            await mallory.register("mallory")
            await mallory.says(f"PRIVMSG {AGENT_NICK} :claim alice {scene.codes['alice'][0]}")
            answer = await mallory.hears("NOTICE|PRIVMSG", "mallory", within_s=20)
            assert "NOT VERIFIED" in answer.params[-1]
            assert not mallory.all("INVITE")
        async with scene.at_public() as bob:
            await bob.register("bob_")
            await bob.says(f"PRIVMSG {AGENT_NICK} :claim bob {scene.codes['bob'][0]}")
            await bob.hears("NOTICE|PRIVMSG", "bob_", "*verified*", within_s=20)


SCENARIOS: Mapping[str, Scenario] = {
    "agent uplink cut": agent_uplink_cut,
    "packet loss": packet_loss,
    "bouncer stopped": bouncer_stopped,
    "witness dead": witness_dead,
    "one way": one_way,
    "agent stopped": agent_stopped,
    "maintenance": maintenance,
    "certificate expired": certificate_expired,
    "agent killed": agent_killed,
    "stopped by hand": stopped_by_hand,
    "cold start": cold_start,
    "home server gone": home_server_gone,
}


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Mapping[str, Future[None]]]:
    """All scenarios that this run asks for, started side by side."""
    needs.require("ip", "nft", "nsenter", "setpriv", "ngircd", needs.NETNS)
    asked = {
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == Path(__file__)
        and hasattr(item, "callspec")
    }
    chosen = {name: scenario for name, scenario in SCENARIOS.items() if name in asked}
    with running(chosen, tmp_path_factory.mktemp("quiet")) as futures:
        yield futures


@pytest.mark.parametrize("name", SCENARIOS)
def test_silence_and_then_a_cut(outcomes: Mapping[str, Future[None]], name: str) -> None:
    outcomes[name].result(LONGEST_S)
