"""The properties of the voters by name, one short play each of two agents and a witness.

Where each is asserted besides, after every step of random plays or in every reachable state:

    S1  world `_check_grounds`, stories `alone`; search
    S2  world `_check_line`, stories `announced_maintenance`
    S3  world `_check` (Vote), stories `own_trouble`
    S4  world `_check_agreement`, `test_no_place_travels`; search
    S5  world `_check_agreement`, stories `outage`; search
    S6  desks `_check`, attacks; tests/fallback/test_claims_proofs.py
    S7  world `_check_closing`, stories `outage`
    S8  world `_check` (closed incidents), desks (datagrams, nonces, codes, rosters), attacks;
        stories `closed_by_hand`; tests/fallback/test_claims_ends.py
    S9  test_people `_known_like_unknown`; tests/fallback/test_claims_proofs.py, test_reception.py
    L1  stories `outage`; search; the simulator
    L2  stories `outage`; search
    L3  stories `settle`, `outage`
    L4  desks `close_and_open`, attacks; tests/fallback/test_claims_ends.py

`tests/mutants` undoes a guard of each, and the test of that name must notice.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fallback import incident, watch
from fallback.timings import DEFAULTS
from tests.fallback.machine.stories import (
    AGAIN_S,
    ANNOUNCED_S,
    RECOVERED_S,
    SUCCESSOR_S,
    alone,
    announced_maintenance,
    closed_by_hand,
    own_trouble,
)
from tests.fallback.machine.world import World
from tests.mutants.__main__ import PATCHES, marker

PROPERTIES = [*(f"s{number}" for number in range(1, 10)), *(f"l{number}" for number in range(1, 5))]


def fair() -> World:
    return World(7, (-3.0, 0.0, 2.5))


def announced() -> World:
    world = fair()
    world.up = False
    world.run(ANNOUNCED_S)
    assert len(world.lines) == 1, "L1: not announced within 30 s"
    return world


def test_s1_one_voter_s_word_announces_nothing_before_the_solo_rule() -> None:
    """ "announce => k fresh votes, the solo rule, or an operator"."""
    alone(fair())


def test_s2_nothing_is_announced_inside_valid_maintenance() -> None:
    """ "none inside valid maintenance, but by an operator"."""
    world = fair()
    announced_maintenance(world)
    said = len(world.lines)
    world.feed(world.agents[0], incident.Declared("alice"))
    world.run(ANNOUNCED_S)
    assert len(world.lines) == said + 1, "but by an operator"


def test_s3_isolated_never_votes() -> None:
    world = fair()
    own_trouble(world)
    for node in world.nodes:
        node.uplink = False
        world.run(60)
        assert node.state.watch.phase is watch.Phase.ISOLATED
        node.uplink = True
        world.run(15)
    world.up = False
    world.run(ANNOUNCED_S)
    for node in world.nodes:  # also who votes already stops, at once
        node.uplink = False
        world.run(10)
        assert node.state.watch.phase is watch.Phase.ISOLATED


def test_s4_what_two_declare_at_once_becomes_one_incident() -> None:
    """ "one place per incident", and one incident: the smaller id wins."""
    world = fair()
    world.apart = True
    for node in world.agents:
        world.feed(node, incident.Declared("alice"))
        world.run(2)
    first, second = world.agents
    assert first.own.id != second.own.id
    smaller = min(first.own.id, second.own.id)
    world.apart = False
    world.run(AGAIN_S)
    assert first.own.id == second.own.id == smaller


def test_s5_two_who_found_each_other_again_do_not_both_speak() -> None:
    """ "at most one speaker per network and connected component after two lease periods"."""
    world = announced()
    world.apart = True
    world.run(SUCCESSOR_S)
    assert len(world.speaking()) == 2, "apart they know nothing of each other"
    world.apart = False
    world.run(AGAIN_S)
    assert len(world.speaking()) == 1


def test_s7_no_stand_down_before_300_s_of_a() -> None:
    world = announced()
    world.up = True
    world.run(int(DEFAULTS.auto_standdown_s) - 5)
    assert all(node.own.id for node in world.agents)
    world.up = False  # a gap begins them anew
    world.run(25)
    world.up = True
    world.run(int(DEFAULTS.auto_standdown_s) - 5)
    assert all(node.own.id for node in world.agents)


def test_s8_an_incident_never_reopens_at_an_agent_that_has_heard_of_its_closing() -> None:
    world = fair()
    closed_by_hand(world)
    first, second = world.agents
    over = first.own.tombstones[-1].id
    for kind in incident.Kind:
        said = incident.PeerIncident(second.name, over, kind, True, False, watch.Verdict.SITE, 0.0)
        world.feed(first, said)
        assert first.own.id != over


def test_l1_a_cut_is_announced_within_30_s() -> None:
    """ "cut and k healthy connected voters and a joined network => announced <= 30 s"."""
    announced()


def test_l2_a_dead_speaker_has_a_successor_in_time() -> None:
    """ "speaker dead or mute => successor <= 6 s + 2 s per rank"."""
    world = announced()
    (first,) = world.speaking()
    first.alive = False
    world.run(SUCCESSOR_S)
    (second,) = world.speaking()
    assert second is not first


def test_l3_recovery_ends_in_a_stand_down() -> None:
    world = announced()
    world.up = True
    world.run(RECOVERED_S)
    assert not any(node.own.id for node in world.agents)


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_has_its_test_its_assertions_and_its_mutant(name: str) -> None:
    folder = Path(__file__).parents[1]
    named = [p for p in folder.rglob("test_*.py") if f"def test_{name}_" in p.read_text("utf-8")]
    assert named, "no test of that name"
    assert [patch for patch in PATCHES.glob("*.patch") if marker(patch) == f"test_{name}_"]
    machine = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    asserted = re.findall(r'assert .*?"([^"]+)"', machine) + re.findall(
        r'AssertionError\("([^"]+)"', machine
    )
    assert any(name.upper() in text for text in asserted), "the random plays do not assert it"
