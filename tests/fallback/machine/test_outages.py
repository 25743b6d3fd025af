"""Voters and mesh under drop, duplicate, reorder, delay, skew, pause and restart.

Hypothesis plays: two agents and a witness (2 of 3) run the real deciders through `voter.step`.
After every step S1 to S5, S7 and S8 are checked (`world`); from any state it got into, the `story`
rule lets the weather clear and then asks for L1 to L3 and more (`stories`). S6, S9 and L4 are
`test_people`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bouncer.mesh.roster import Roster
from fallback import incident, speaker, watch
from tests.fallback.machine.stories import STORIES, stand_down
from tests.fallback.machine.world import World

EXAMPLES = int(os.environ.get("MUSTER_PLAYS", "25"))
MANY = 300
who = st.integers(0, 2)
skew = st.sampled_from([-3.0, 0.0, 2.5])


class Outages(RuleBasedStateMachine):
    """What may happen to voters, and what must come of it in the end."""

    @initialize(seed=st.integers(0, 2**32), skews=st.tuples(skew, skew, skew))
    def begin(self, seed: int, skews: tuple[float, float, float]) -> None:
        self.world = World(seed, skews)

    @rule(seconds=st.sampled_from([1, 5, 15, 40, 80]))
    def time_passes(self, seconds: int) -> None:
        self.world.run(seconds)

    @rule(drop=st.sampled_from([0.0, 0.2, 0.6]), twice=st.sampled_from([0.0, 0.3]),
          delay=st.sampled_from([0.2, 3.0]))  # fmt: skip
    def weather(self, drop: float, twice: float, delay: float) -> None:
        self.world.drop, self.world.twice, self.world.delay = drop, twice, delay

    @rule(up=st.booleans(), seconds=st.sampled_from([0, 25, 90]))
    def site(self, up: bool, seconds: int) -> None:
        self.world.up = up
        self.world.run(seconds)

    @rule(index=who, up=st.booleans(), seconds=st.sampled_from([0, 30]))
    def uplink(self, index: int, up: bool, seconds: int) -> None:
        self.world.nodes[index].uplink = up
        self.world.run(seconds)

    @rule(index=who, seconds=st.sampled_from([3, 20, 90]))
    def pause(self, index: int, seconds: int) -> None:
        self.world.pause(self.world.nodes[index], seconds)

    @rule(index=who)
    def kill(self, index: int) -> None:
        self.world.nodes[index].alive = False

    @rule(index=who, deeds=st.integers(0, 5))
    def kill_between_deeds(self, index: int, deeds: int) -> None:
        """ "Persisted before acted on": also whoever dies between the two goes on as it should."""
        self.world.nodes[index].deeds_left = deeds

    @rule(index=who)
    def restart(self, index: int) -> None:
        self.world.restart(self.world.nodes[index])

    @rule(seconds=st.sampled_from([30, 300]))
    def maintenance(self, seconds: int) -> None:
        t = self.world.t
        self.world.notice = watch.Notice(f"m{t}", t - 5, t + seconds)

    @rule(index=st.integers(0, 1))
    def declare(self, index: int) -> None:
        node = self.world.nodes[index]
        if self.world.awake(node):
            self.world.feed(node, incident.Declared("alice"))

    @rule(index=st.integers(0, 1))
    def standdown(self, index: int) -> None:
        node = self.world.nodes[index]
        if self.world.awake(node):
            stand_down(self.world, node)

    @rule(apart=st.booleans())
    def partition(self, apart: bool) -> None:
        self.world.apart = apart

    @rule(story=st.sampled_from(STORIES))
    def story(self, story: Callable[[World], None]) -> None:
        story(self.world)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story_from_fair_weather(story: Callable[[World], None]) -> None:
    story(World(7, (-3.0, 0.0, 2.5)))


def plays(count: int, steps: int = 10) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,  # the same plays in every run of the tests; MUSTER_PLAYS gives more
        phases=[Phase.generate],  # a play takes a second: a failing one is not shrunk
        suppress_health_check=list(HealthCheck),
    )


class ManyOutages(Outages):
    """The same, longer."""


Outages.TestCase.settings = plays(EXAMPLES)
ManyOutages.TestCase.settings = plays(MANY)
TestOutages = Outages.TestCase
TestManyOutages = pytest.mark.outage(pytest.mark.timeout(900)(ManyOutages.TestCase))


def test_no_place_travels() -> None:
    """S4, by construction: "An announcement always names the same, pre-agreed place
    (configuration, never part of the roster)", so neither roster nor incident can change it."""
    assert {field.name for field in fields(speaker.Announce)} == {"network", "incident_id"}
    carried = {f.name for form in (Roster, incident.PeerIncident) for f in fields(form)}
    assert not carried & {"lobby", "room", "place", "channel", "networks"}
