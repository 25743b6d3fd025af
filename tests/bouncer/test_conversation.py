"""Several clients of one user see one conversation, whatever becomes of their connections.

Hypothesis plays: clients of different dialects come, go, break, stall, wake and are dropped, while
they and the network speak. All of it goes through a whole bouncer with a real store; `conversation`
has the model. "A repeat happens only for what was unconfirmed at an unclean end".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.bouncer.conversation import (
    DIALECTS,
    OUTBOX_OCTETS,
    EchoingNetwork,
    LabellingNetwork,
    Person,
    World,
)
from tests.complaints.venue import FakeNetwork, running_bouncer

NETWORKS = {
    "a network with nothing": FakeNetwork,
    "one with echoes": EchoingNetwork,
    "one with labels alone": LabellingNetwork,
}
who = st.integers(0, 3)
counts = st.integers(1, 3)


class Conversation(RuleBasedStateMachine):
    """Rules run in a thread of Hypothesis; what they do happens in the bouncer's loop."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.play = self.world.play()
        self.run(self.play.begin)

    def run(self, step: Callable[..., Awaitable[Any]], *args: Any) -> None:
        trio.from_thread.run(step, *args)

    def live(self, number: int) -> Person | None:
        person = self.play.person(number)
        return person if person.visit is not None and not person.visit.stalled else None

    @rule(number=who, caps=st.sampled_from(DIALECTS))
    def comes_or_wakes(self, number: int, caps: frozenset[str]) -> None:
        person = self.play.person(number)
        if person.visit is None:
            self.run(person.comes, caps)
        elif person.visit.stalled:
            self.run(person.wakes)

    @rule(number=who, by_quit=st.booleans())
    def leaves(self, number: int, by_quit: bool) -> None:
        if person := self.live(number):
            self.run(partial(person.leaves, by_quit=by_quit))

    @rule(number=who)
    def stalls(self, number: int) -> None:
        if person := self.live(number):
            self.run(person.stalls)

    @rule(number=who)
    def vanishes(self, number: int) -> None:
        person = self.play.person(number)
        if person.visit is not None:
            self.run(person.vanishes)

    @rule(reads=st.booleans())
    def stalled_ones_are_dropped(self, reads: bool) -> None:
        if any(person.visit and person.visit.stalled for person in self.play.clients.values()):
            self.run(partial(self.play.flood, reads=reads))

    @rule(count=counts)
    def network_says(self, count: int) -> None:
        self.run(self.play.said_by, None, count)

    @rule(number=who, count=counts)
    def client_says(self, number: int, count: int) -> None:
        if person := self.live(number):
            self.run(self.play.said_by, person, count)

    @rule(number=who, count=counts)
    def both_speak(self, number: int, count: int) -> None:
        if person := self.live(number):
            self.run(self.play.said_at_once, person, count)

    def teardown(self) -> None:
        self.run(self.play.end)


@asynccontextmanager
async def open_world(folder: Path, network_of: type[FakeNetwork]) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        network = network_of()
        listeners = await nursery.start(partial(trio.serve_tcp, network.serve, 0, host="127.0.0.1"))
        network.port = listeners[0].socket.getsockname()[1]
        async with running_bouncer(folder, network) as muster:
            muster.door = replace(muster.door, outbox_octets=OUTBOX_OCTETS)
            yield World(muster, network, nursery)
        nursery.cancel_scope.cancel()


async def plays(folder: Path, network_of: type[FakeNetwork], examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    async with open_world(folder, network_of) as world:
        machine = type("Played", (Conversation,), {"world": world})
        test = partial(run_state_machine_as_test, machine, settings=chosen)
        await trio.to_thread.run_sync(test)


@pytest.mark.parametrize("reads", [False, True])
async def test_who_stalls_is_dropped_and_goes_on_from_there(tmp_path: Path, reads: bool) -> None:
    """A play that every run must see: "A client whose outbox overflows is disconnected with a clear
    ERROR and catches up from history"."""
    async with open_world(tmp_path, FakeNetwork) as world:
        play = world.play()
        await play.begin()
        person = play.person(0)
        await person.comes(DIALECTS[0])
        await play.said_by(None, 3)
        await person.stalls()
        await play.flood(reads=reads)
        assert person.visit is None
        await person.comes(DIALECTS[1])
        await play.said_by(person, 2)
        await play.end()


async def test_who_comes_first_after_a_flood_gets_the_newest(tmp_path: Path) -> None:
    """Another that every run must see: more than a client is given at first sight, and a stall and
    a break on top."""
    async with open_world(tmp_path, FakeNetwork) as world:
        play = world.play()
        await play.begin()
        for _ in range(3):
            await play.said_by(None, 100, 400)
        person = play.person(0)
        await person.comes(DIALECTS[0])
        await play.said_by(person, 2)
        await person.vanishes()
        await person.comes(DIALECTS[3])
        await play.said_by(None, 2)
        await play.end()


@pytest.mark.parametrize("network", NETWORKS)
async def test_all_clients_see_the_same_conversation(network: str, tmp_path: Path) -> None:
    await plays(tmp_path, NETWORKS[network], examples=10, steps=20)


@pytest.mark.outage
@pytest.mark.timeout(600)
@pytest.mark.parametrize("network", NETWORKS)
async def test_they_do_over_long_and_many_plays(network: str, tmp_path: Path) -> None:
    await plays(tmp_path, NETWORKS[network], examples=60, steps=50)
