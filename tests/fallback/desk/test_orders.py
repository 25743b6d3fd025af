"""An admin's words at night: what is answered is what has happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from fallback import claims
from fallback.desk.turns import ALL_BURST, MAX_SOURCES, SOURCE_BURST, Turns
from fallback.incident import IncidentState
from fallback.mesh.gossip import JournalSaid
from fallback.networks import wording
from fallback.speaker import NetworkJoined, NetworkLost
from fallback.voter import ForNetwork
from fallback.watch import NEVER
from tests.fallback.desk.test_reception import CERTFP, Scene, open_scene
from tests.fallback.voters import until


def own(scene: Scene) -> IncidentState:
    state = scene.agent.conduct.state.incident
    assert state is not None
    return state


async def comes_alice(scene: Scene) -> None:
    """By her account, as an admin."""
    await scene.ircd.says(":al!a@h JOIN #room AliceAcct :A")
    await scene.ircd.hears("PRIVMSG #room :alice is al")


async def test_a_standdown_that_is_held_is_not_said_to_close(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await comes_alice(scene)
        await scene.says("al", "!hold 10 min", to="#room")
        await scene.is_told("al", "held until")
        await until(lambda: own(scene).held_until > scene.agent.pulse.now() + 500)
        await scene.says("al", "!standdown", to="#room")
        assert "say it again when that is over" in await scene.is_told("al", "held until")
        await scene.says("al", "!verify al", to="#room")
        await scene.is_told("al", "al = alice")
        assert not any("stands down" in line for line in scene.ircd.heard)
        assert own(scene).order_at == NEVER


@pytest.mark.parametrize("word", ["!hold 30", "!hold 10s", "!hold 720.5min"])
async def test_a_hold_too_short_to_hold_anything_is_refused(word: str, tmp_path: Path) -> None:
    """A bare number is seconds."""
    async with open_scene(tmp_path) as scene:
        await comes_alice(scene)
        await scene.says("al", word, to="#room")
        await scene.ircd.hears("NOTICE al :verified")
        assert "is no time to hold" in await scene.is_told("al")
        assert own(scene).held_until == NEVER


async def test_without_an_incident_nothing_is_held(tmp_path: Path) -> None:
    async with open_scene(tmp_path, opened=False) as scene:
        await scene.ircd.says(":al!a@h JOIN #room AliceAcct :A")
        for word in ("hold 10min", "standdown"):
            await scene.says("al", word)
            assert "no incident is open" in await scene.is_told("al")


async def test_declaring_what_is_open_is_not_said_to_open_it(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await comes_alice(scene)
        await scene.says("al", "!declare the switch", to="#room")
        assert "noted" in await scene.is_told("al", "an incident is open")


async def test_an_admin_known_by_a_certificate_alone_gives_orders(tmp_path: Path) -> None:
    """FALLBACK: OFTC has CertFP and its WHOIS tells it: as good as an account."""
    async with open_scene(tmp_path) as scene:
        await scene.joins("da")
        await scene.says("da", "claim dave")
        await scene.ircd.hears("WHOIS da")
        shown = ":".join(CERTFP[n : n + 2] for n in range(0, len(CERTFP), 2)).upper()
        words = f"has client certificate fingerprint {shown}"
        await scene.ircd.says(f":irc.test 276 fb-fra da :{words}")
        await scene.ircd.hears("INVITE da #room")
        await scene.says("da", "standdown")
        await scene.ircd.hears("PRIVMSG #room :[fallback")  # whoever the room is told by
        told = [line for line in scene.ircd.heard if "An admin stands down" in line]
        assert [line.partition(" :")[0] for line in told] == ["PRIVMSG #room"]
        await scene.says("da", "hold 1min")
        assert "Not closing: held" in await scene.ircd.hears("PRIVMSG #room :[fallback")
        assert "refused" not in scene.agent.hearing.notes.last
        assert own(scene).held_until > scene.agent.pulse.now()


async def test_in_private_a_word_may_begin_as_in_the_room(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("bo")
        await scene.says("bo", f"!claim bob {scene.codes['bob'].pop()}")
        await scene.ircd.hears("INVITE bo #room")


async def test_who_speaks_again_finds_by_account_who_came_meanwhile(tmp_path: Path) -> None:
    """Its line stands since before: it announces nothing anew."""
    async with open_scene(tmp_path) as scene:
        conduct = scene.agent.conduct
        conduct.put(ForNetwork("pub", NetworkLost()))
        await until(lambda: not conduct.performer.speaks("pub"))
        await scene.ircd.says(":bo!b@host JOIN #lobby bobacct :Bob")
        await until(lambda: scene.agent.announcers["pub"].state.user_named("bo"))
        assert not scene.verified()
        conduct.put(ForNetwork("pub", NetworkJoined()))
        await scene.ircd.hears("INVITE bo #room", within_s=10)


async def test_who_floods_in_private_keeps_nobody_else_from_being_heard(tmp_path: Path) -> None:
    """FALLBACK: "Limits are per source and per connection, … so an impostor can't lock anyone
    out"."""
    async with open_scene(tmp_path) as scene:
        flood = [f":n{n}!x@one.example PRIVMSG fb-fra :claim bob aaaa-bbbb" for n in range(500)]
        await scene.joins("bo")
        await scene.ircd.says(*flood)
        await scene.proves_by_code("bo", "bob")


def test_turns_are_few_for_each_host_and_for_all() -> None:
    turns = Turns()
    assert sum(turns.take("one", 0.0) for _ in range(99)) == SOURCE_BURST
    assert sum(turns.take("one", 5.0) for _ in range(99)) == 5
    assert sum(turns.take(f"h{n}", 5.0) for n in range(9999)) == ALL_BURST - 5
    assert len(turns._sources) == MAX_SOURCES


async def test_two_people_of_an_agent_with_a_long_name_are_two_at_the_others(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path) as scene:
        front, said = scene.agent.reception.front, list[JournalSaid]()
        front._me = "f" * 32
        front._tell_agents = said.append  # type: ignore[method-assign]
        for number in (100001, 100002):
            connection = claims.Connection("n" * 32, number)
            front._do(claims.Replicate(claims.Claim(connection, "al", handle="alice")))
        assert len({each.claim_id for each in said}) == 2


async def test_an_answer_too_long_to_be_said_says_so(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await comes_alice(scene)
        await scene.ircd.hears("NOTICE al :verified")
        scene.agent.reception.full_status = lambda: ["ж" * 150] * 9  # one to a line: 300 octets
        await scene.says("al", "!status full", to="#room")
        for _ in range(3):
            assert await scene.ircd.hears("NOTICE al ж") == f"NOTICE al {'ж' * 150}"
        assert "and 6 lines more" in await scene.is_told("al")


def test_lines_are_measured_as_networks_do() -> None:
    assert wording.wrap(["ж" * 100, "ж" * 100, "ж"]) == ["ж" * 100, "ж" * 100 + "; ж"]
    assert wording.cut("ж" * 300) == "ж" * 200
    assert wording.cut("aж" * 200) == "aж" * 133 + "a"
