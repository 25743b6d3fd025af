"""Settings that must be equal at all voters: told in greetings, and what differs is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.heartbeat import MAX_BODY, read_body, write_body
from fallback import check, watch
from fallback.agreement import about_settings, our_settings, place_digest
from fallback.config import NetworkConfig
from fallback.findings import Level
from fallback.gossip import SettingsSaid
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until


def network(name: str, lobby: str = "#lobby", room: str = "#room") -> NetworkConfig:
    return NetworkConfig.model_validate(
        {"name": name, "addresses": ["192.0.2.1"], "nick": "fb", "lobby": lobby, "room": room}
    )


OURS = SettingsSaid(2, False, {"one": place_digest(network("one")), "two": "22"})


@pytest.mark.parametrize(
    ("theirs", "level", "what"),
    [
        (replace(OURS, announce_home=True), Level.FAIL, "announce_home is false here and true at"),
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
        witness = await site.starts(there.model_copy(update={"announce_home": True}))
        await site.beats()
        await until(lambda: agent.hearing.settings and witness.hearing.settings)
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        for voter, text in (
            (agent, "announce_home is false here and true at hel"),
            (witness, "announce_home is true here and false at fra"),
        ):
            assert [line for line in check.running_findings(voter) if text in line]
            assert [line for line in voter.status() if line.startswith(text)]
            assert text in " ".join(finding.what for finding in voter.worries())
