"""A drill's lines: "the same code with `kind=drill`, every line prefixed `[DRILL]`"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fallback import incident, voter
from fallback.networks.wording import drilled
from tests.fallback.desk.test_reception import open_scene
from tests.fallback.voters import until

DRILL_S = 600.0


async def test_every_line_of_a_drill_says_that_it_is_one_and_none_once_it_is_real(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, opened=False) as scene:
        agent, ircd = scene.agent, scene.ircd
        assert agent.roster
        on_call = tuple(replace(one, oncall=1) for one in agent.roster.staff)
        agent.rosters.held = replace(agent.roster, staff=on_call)
        begun = agent.pulse.now()
        agent.conduct.put(incident.DrillOrdered(f"{int(begun * 1000):012x}.fra", begun + DRILL_S))
        await ircd.hears("PRIVMSG #lobby", within_s=15)
        await ircd.hears("PRIVMSG #room :[DRILL] on call, by temporary nick: ")
        await scene.joins("al")
        await scene.says("al", "help")
        await scene.proves_by_code("al", "alice")
        await scene.joins("al", "#room")
        await ircd.hears("MODE #room +v al")
        await scene.joins("bo")
        await scene.says("bo", "claim bob")
        await scene.is_told("bo", drilled("challenge fallback1"))
        await scene.says("bo", "proof QUJD")
        await scene.is_told("bo", drilled("NOT VERIFIED"))
        await scene.proves_by_code("bo", "bob")
        await ircd.says(":bo!bo@bo.example NICK bo_")
        await ircd.hears("PRIVMSG #room :[DRILL] bob is bo_ now")
        await scene.says("al", "!roster", to="#room")
        await scene.is_told("al", drilled("alice=al (code)"))
        agent.reception.took_over("pub")
        await ircd.hears("PRIVMSG #room :[DRILL] found so far")
        await scene.says("carol", "status", tags="@account=carolacct ")
        await ircd.hears("PRIVMSG #room :[DRILL] carol is carol (account)")
        await scene.joins("carol", "#room")
        await scene.says("carol", "!revoke bo_", to="#room")
        await ircd.hears("KICK #room bo_ :[DRILL] ")
        said = [line for line in ircd.heard if line.startswith(("PRIVMSG", "NOTICE"))]
        unmarked = [line for line in said if " :[DRILL] " not in line]
        assert [line for line in unmarked if "ChanServ" not in line] == []
        agent.conduct.put(incident.Declared("alice"))
        await until(lambda: kind(agent.conduct.state) is incident.Kind.OPERATOR)
        await scene.says("al", "!verify al", to="#room")
        await scene.is_told("al", "al = alice")


def kind(state: voter.VoterState) -> incident.Kind | None:
    return state.incident.kind if state.incident else None
