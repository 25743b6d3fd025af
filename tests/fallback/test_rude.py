"""What others do to an agent by malice or by fault, and what it bears."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import trio
from structlog.testing import capture_logs

from bouncer.config import Address
from fallback import claims, watch
from fallback.claims import IncidentBegan, PeerVerified, Proof, Tick
from fallback.claims.values import EXPIRE_S, VOUCH_S
from tests.fallback.desk.test_reception import open_scene
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until

VOTER = """
import os, sys
os.umask(0o022)
from fallback import cli
sys.exit(cli.main(["run", "--config", sys.argv[1]]))
"""


async def test_who_takes_the_nick_of_a_verified_stranger_is_not_shown_as_them(
    tmp_path: Path,
) -> None:
    """FALLBACK: "A nick is never proof". Nothing tells us of the QUIT of who shares no channel, but
    their nick can only be taken once they are gone."""
    async with open_scene(tmp_path) as scene:

        def desk() -> claims.Desk:
            return scene.agent.conduct.desk

        await scene.proves_by_code("dave", "dave")
        await scene.joins("mallory")
        await scene.says("mallory", "help")
        await scene.is_told("mallory")
        await scene.ircd.says(":mallory!mallory@mallory.example NICK dave")
        await until(lambda: "dave" not in [c.handle for c in claims.standing(desk())])
        await scene.ircd.says(":al!al@al.example JOIN #lobby AliceAcct :Alice")
        await scene.ircd.hears("INVITE al #room")
        await scene.says("al", "roster")
        assert "dave=?" in await scene.is_told("al", "alice=")


async def test_a_fellow_s_line_is_known_as_its_own_after_it_has_changed_its_nick(
    tmp_path: Path,
) -> None:
    """FOLLOWING: "no line of the claimant in the lobby" -> mute. It may get its nick back from a
    ghost while the mesh is cut, and so cannot tell."""
    async with open_scene(tmp_path) as scene:

        def seen() -> list[str]:
            return [one.agent for one in scene.agent.conduct.state.speakers[0].seen]

        scene.agent.reception.fellows.told("hel", {"pub": "fb-hel_"})
        await scene.ircd.says(":fb-hel_!f@h NICK fb-hel")
        await scene.says("eve", "[fallback k7] Primary unreachable", to="#lobby")
        await scene.ircd.says(":fb-hel!f@h PRIVMSG #lobby :[fallback k7] Primary unreachable")
        await until(lambda: seen() == ["hel"])


async def test_a_fellow_that_does_not_come_in_is_invited_now_and_then(tmp_path: Path) -> None:
    """It claims each second; invitations would take the turns of people's."""
    async with open_scene(tmp_path) as scene:
        for _ in range(20):
            scene.agent.reception.fellows.told("hel", {"pub": "fb-hel"})
        await scene.says("dave", "help")
        await scene.is_told("dave")
        assert scene.ircd.heard.count("INVITE fb-hel #room") == 1


async def test_many_nicks_of_one_host_take_one_turn_also_outside_our_channels(
    tmp_path: Path,
) -> None:
    """FALLBACK: "replies round-robin by source"."""
    async with open_scene(tmp_path) as scene:
        outgoing = scene.agent.announcers["pub"].outgoing
        outgoing.every_s = 3600.0
        await scene.ircd.says("PING :now")
        for number in range(3):
            await scene.ircd.says(f":m{number}!m@one.example PRIVMSG fb-fra :help")
        await scene.says("dave", "help")
        await until(lambda: "dave.example" in outgoing._replies)
        assert outgoing._replies.keys() <= {"one.example", "dave.example"}


def test_a_person_of_another_agent_is_shown_no_longer_than_a_proof_is_good() -> None:
    """L4: "claims expire", also where the agent that would say so is gone."""
    desk, _ = claims.step(claims.Desk(), IncidentBegan("i"), 0.0)
    for handle, proof in (("alice", Proof.SSH), ("bob", Proof.VOUCH)):
        told = PeerVerified("hel", f"c-{handle}", handle, "oftc", handle, proof, "")
        desk, _ = claims.step(desk, told, 0.0)
    for now, shown in ((VOUCH_S - 1, 2), (VOUCH_S, 1), (EXPIRE_S - 1, 1), (EXPIRE_S, 0)):
        desk, _ = claims.step(desk, Tick(), now)
        assert len(claims.standing(desk)) == shown


async def test_a_disk_that_hangs_silences_no_announcement(tmp_path: Path) -> None:
    """ "Silence is the failure": what is not kept in time is said all the same, and kept later."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.pairs("hel", role="witness")  # dead
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        await until(lambda: agent.roster and agent.landmarks.state().fresh)
        answers = threading.Event()
        put_facts = agent.incidents.put_facts

        def hang(changes: dict[str, bytes | None]) -> None:
            answers.wait()
            put_facts(changes)

        agent.incidents.put_facts = hang  # type: ignore[method-assign]
        try:
            site.is_cut()
            assert "unreachable" in await ircd.hears("PRIVMSG #lobby", within_s=25)
            assert agent.journal.remember(("pub",)).kept.opened is None
            assert "cannot write" in agent.hearing.notes.last
        finally:
            answers.set()
        await until(lambda: agent.journal.remember(("pub",)).kept.lines)
        opened = agent.journal.remember(("pub",)).kept.opened
        assert opened is not None
        assert (opened.id, opened.spoken) == (agent.conduct.incident_id, True)


async def test_a_port_for_metrics_that_is_taken_ends_no_watch(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, trio.open_nursery() as nursery:
        [taken] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, trio.aclose_forcefully, [taken])
        address = Address("127.0.0.1", taken.socket.getsockname()[1])
        config = await site.pairs("hel", role="witness")
        voter = await site.starts(config.model_copy(update={"metrics": address}))
        await site.beats()
        await until(lambda: voter.conduct.state.watch.phase is watch.Phase.WATCHING)
        nursery.cancel_scope.cancel()


async def test_a_fault_in_what_the_status_says_ends_no_watch(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        voter = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await until(lambda: voter.conduct.state.watch.phase is watch.Phase.WATCHING)
        own = voter.conduct.state.watch
        voter.conduct.state = replace(
            voter.conduct.state, watch=replace(own, home_from=1e300, home_told=True)
        )
        await until(voter.config.socket.exists)
        with trio.fail_after(10), capture_logs() as logged:
            async with await trio.open_unix_socket(voter.config.socket) as stream:
                await stream.send_all(b"status\n")
                assert await stream.receive_some(1) == b"", "the fault is real"
            await until(lambda: [each for each in logged if each.get("task") == "status"])
        assert not voter.stopped.is_set()


def test_nobody_else_reads_what_a_voter_keeps(tmp_path: Path) -> None:
    """Whatever the mask it was started with: the room's talk is in its file."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    subprocess.run(
        [sys.executable, "-m", "fallback.cli", "key", "--data-dir", str(folder)],
        check=True, capture_output=True,
    )  # fmt: skip
    key = subprocess.run(
        [sys.executable, "-m", "fallback.cli", "key", "--data-dir", str(tmp_path / "site")],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    file = tmp_path / "fallback.toml"
    file.write_text(
        f"""
        name = "hel"
        role = "witness"
        data_dir = "{folder}"
        primary = ["irc+insecure://127.0.0.1:1"]
        primary_key = "{key}"
        mesh = "127.0.0.1:0"
        landmarks = 1
        landmark = [{{ kind = "tcp", address = "127.0.0.1:1" }}]
        """
    )
    with subprocess.Popen([sys.executable, "-c", VOTER, str(file)]) as voter:
        for _ in range(300):
            if (folder / "fallback.sock").exists() or voter.poll() is not None:
                break
            time.sleep(0.1)
        modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
        voter.send_signal(signal.SIGTERM)
    assert "fallback.db-wal" in modes
    assert {name for name, mode in modes.items() if mode} == set()
