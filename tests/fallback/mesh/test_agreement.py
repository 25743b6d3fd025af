"""Settings that must be equal at all voters: told in greetings, and what differs is found."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.mesh.heartbeat import MAX_BODY, DatagramFault, read_body, write_body
from bouncer.mesh.keys import MeshKey
from fallback import check, watch
from fallback.config import Config, NetworkConfig, parse
from fallback.findings import Level
from fallback.mesh.agreement import (
    OF_AGENTS,
    OF_VOTERS,
    OWN,
    about_settings,
    our_settings,
    place_digest,
)
from fallback.mesh.gossip import SettingsSaid
from fallback.timings import NAMES
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until


def network(name: str, lobby: str = "#lobby", room: str = "#room") -> NetworkConfig:
    return NetworkConfig.model_validate(
        {"name": name, "addresses": ["192.0.2.1"], "nick": "fb", "lobby": lobby, "room": room}
    )


OURS = SettingsSaid(
    2,
    {"one": place_digest(network("one")), "two": "22"},
    {"declare": "20s", "solo": "ask", "announce_home": "false"},
)


def set_to(**settings: str) -> SettingsSaid:
    return replace(OURS, settings=OURS.settings | settings)


def config(text: str = "", role: str = "agent") -> Config:
    return parse(
        tomllib.loads(
            f"""
            name = "fra"
            role = "{role}"
            primary = ["192.0.2.1"]
            primary_key = "{MeshKey.generate().public}"
            mesh = "[::]:6698"
            {text}
            """
        ),
        Path("fallback.toml"),
    )


@pytest.mark.parametrize(
    ("theirs", "level", "what"),
    [
        (set_to(announce_home="true"), Level.FAIL, "announce_home is false here and true at hel"),
        (set_to(declare="60s"), Level.FAIL, "declare is 20s here and 60s at hel"),
        (set_to(solo="announce"), Level.FAIL, "solo is ask here and announce at hel"),
        (replace(OURS, k=3), Level.WARN, "quorum 2 here and 3 at hel"),
        (replace(OURS, places={"two": "23"}), Level.FAIL, "hel meets elsewhere on two"),
        (replace(OURS, places={"Two": "22"}), Level.WARN, "hel and we have no network in common"),
    ],
)
def test_what_differs_is_told(theirs: SettingsSaid, level: Level, what: str) -> None:
    [finding] = about_settings(OURS, {"hel": theirs})
    assert finding.level is level
    assert finding.what.startswith(what)
    assert finding.todo


def test_every_setting_is_compared_or_a_voters_own() -> None:
    """A wait that is added must be thought about; what is compared stands in the file so named."""
    assert NAMES.keys() == (OF_VOTERS.keys() | OF_AGENTS.keys() | OWN) - {
        "announce_home",
        "announce_nicks",
    }
    witness, agent = our_settings(config(role="witness"), 2), our_settings(config(), 2)
    assert witness.settings.keys() == OF_VOTERS.keys()
    assert agent.settings.keys() == OF_VOTERS.keys() | OF_AGENTS.keys()
    assert not list(about_settings(agent, {"hel": witness}))


@pytest.mark.parametrize("setting", sorted((OF_VOTERS | OF_AGENTS).keys()))
def test_each_setting_that_differs_is_told_with_both_values_and_what_to_do(setting: str) -> None:
    of_file = {"announce_home": "true", "announce_nicks": '"lobby"'}
    of_timings = {"solo": '"ask"', "suspect": "15"}
    value = (of_file | of_timings).get(setting, '"10min"')
    table = "" if setting in of_file else "[timings]\n"
    ours, theirs = config(), config(f"{table}{setting} = {value}")
    here, there = (our_settings(one, 2) for one in (ours, theirs))
    [finding] = about_settings(here, {"hel": there})
    assert finding.level is Level.FAIL
    values = f"{here.settings[setting]} here and {there.settings[setting]} at hel"
    assert finding.what == f"{setting} is {values}"
    assert ("[timings]" in finding.todo) == (setting not in of_file)
    assert "restart" in finding.todo
    assert read_body(SettingsSaid, write_body(there)) == there


def test_values_are_compared_not_how_they_are_written() -> None:
    written = config('[timings]\nauto_standdown = "5min"\nprofile = "fast"\nself_stall = 9')
    same = config("[timings]\nauto_standdown = 300\nsuspect = 6\ndeclare = 12.0")
    assert not list(about_settings(our_settings(written, 2), {"hel": our_settings(same, 2)}))
    found = list(about_settings(our_settings(written, 2), {"hel": our_settings(config(), 2)}))
    assert [one.what.split()[0] for one in found] == ["suspect", "declare"]
    assert all("profile" in one.todo for one in found)


@pytest.mark.parametrize("value", ["", "60s\nok", "\x02loud", "x" * 25])
def test_what_a_voter_says_of_itself_cannot_break_the_line(value: str) -> None:
    with pytest.raises(DatagramFault):
        read_body(SettingsSaid, write_body(set_to(declare=value)))


@pytest.mark.parametrize("places", [OURS.places, {}, {"two": "22"}])
def test_a_witness_or_an_agent_on_fewer_networks_is_as_it_may_be(places: dict[str, str]) -> None:
    assert not list(about_settings(OURS, {"hel": replace(OURS, places=places)}))


def test_a_place_is_lobby_and_room_in_whatever_case() -> None:
    place = place_digest(network("one", "#Lobby", "#Room"))
    assert place == OURS.places["one"]
    assert place != place_digest(network("one", "#room", "#lobby"))
    assert "room" not in place


async def test_unequal_voters_find_it_by_their_greetings(tmp_path: Path) -> None:
    """Where one voter is set otherwise, silence of the home server is announced by none."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        here = await site.pairs("fra", ircd=ircd)
        there = await site.pairs("hel", role="witness")
        many = tuple(network(f"n{number}" + "x" * 29) for number in range(12))
        told = write_body(our_settings(here.model_copy(update={"network": many}), 2))
        assert read_body(SettingsSaid, told).places
        assert len(told) < MAX_BODY
        agent = await site.starts(here)
        timings = {**there.timings, "declare": 5}
        unlike = {"announce_home": True, "timings": timings}
        witness = await site.starts(there.model_copy(update=unlike))
        await site.beats()
        await until(lambda: agent.hearing.settings and witness.hearing.settings)
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        for voter, text in (
            (agent, "announce_home is false here and true at hel"),
            (witness, "announce_home is true here and false at fra"),
            (agent, "declare is 4s here and 5s at hel: make it equal under [timings]"),
            (witness, "declare is 5s here and 4s at fra: make it equal under [timings]"),
        ):
            assert [line for line in check.running_findings(voter) if text in line]
            assert [line for line in voter.status() if line.startswith(text)]
            worries = [f"{finding.what}: {finding.todo}" for finding in voter.worries()]
            assert [line for line in worries if line.startswith(text)]
