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
    precondition,
    rule,
    run_state_machine_as_test,
)

from bouncer.irc.registration.attempts import Attempt
from bouncer.login.auth import Authenticator
from storage import accounts
from storage.records import User
from tests.bouncer.conversation import OUTBOX_OCTETS, Words, World
from tests.bouncer.networks import SlowNetwork
from tests.bouncer.people import DIALECTS, Person
from tests.complaints.venue import running_bouncer

NETWORKS: dict[str, Callable[[], SlowNetwork]] = {
    "a network with nothing": partial(SlowNetwork, labels=False, echoes=False),
    "one with echoes": partial(SlowNetwork, labels=False, echoes=True),
    "one with labels": partial(SlowNetwork, labels=True, echoes=False),
    "one with both": partial(SlowNetwork, labels=True, echoes=True),
}
PHASES = (Phase.generate, Phase.shrink)  # every play is a new one
who = st.integers(0, 3)
refused = st.lists(st.sampled_from((False, False, True)), min_size=1, max_size=4)
words = st.builds(Words, refused, as_one=st.sampled_from((True, True, False)))
turns = st.lists(st.booleans(), max_size=5)
dialects = st.sampled_from(DIALECTS)
labels = st.sampled_from([caps for caps in DIALECTS if "labeled-response" in caps])


def one_of(people: list[Person], number: int) -> Person:
    return people[number % len(people)]


class Conversation(RuleBasedStateMachine):
    """Rules run in a thread of Hypothesis; what they do happens in the bouncer's loop."""

    world: World

    @initialize(labels=labels, dialects=st.lists(dialects, min_size=1, max_size=3))
    def begin(self, labels: frozenset[str], dialects: list[frozenset[str]]) -> None:
        """One of those that are there at first has labels."""
        self.play = self.world.play()
        self.run(self.play.begin)
        for number, caps in enumerate([labels, *dialects]):
            self.run(self.play.person(number).comes, caps)

    def run(self, step: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self.play.is_broken = True
        trio.from_thread.run(step, *args)
        self.play.is_broken = False

    @property
    def live(self) -> list[Person]:
        people = self.play.clients.values()
        return [person for person in people if person.visit and not person.visit.stalled]

    @property
    def stalled(self) -> list[Person]:
        people = self.play.clients.values()
        return [person for person in people if person.visit and person.visit.stalled]

    # --- connections ---

    @rule(number=who, caps=dialects)
    def comes_or_wakes(self, number: int, caps: frozenset[str]) -> None:
        person = self.play.person(number)
        if person.visit is None:
            self.run(person.comes, caps)
        elif person.visit.stalled:
            self.run(person.wakes)

    @precondition(lambda self: self.live)
    @rule(number=who, by_quit=st.booleans())
    def leaves(self, number: int, by_quit: bool) -> None:
        self.run(partial(one_of(self.live, number).leaves, by_quit=by_quit))

    @precondition(lambda self: self.live)
    @rule(number=who)
    def stalls(self, number: int) -> None:
        self.run(one_of(self.live, number).stalls)

    @precondition(lambda self: self.live or self.stalled)
    @rule(number=who)
    def vanishes(self, number: int) -> None:
        self.run(one_of(self.live + self.stalled, number).vanishes)

    @precondition(lambda self: self.stalled)
    @rule(reads=st.booleans())
    def stalled_ones_are_dropped(self, reads: bool) -> None:
        self.run(partial(self.play.flood, reads=reads))

    # --- what is said ---

    @precondition(lambda self: self.live)
    @rule(number=who, words=words, turns=turns)
    def one_speaks(self, number: int, words: Words, turns: list[bool]) -> None:
        self.run(self.play.speak, [(one_of(self.live, number), words)], turns)

    @precondition(lambda self: self.live)
    @rule(words=st.lists(words, min_size=2, max_size=4), turns=turns)
    def all_speak(self, words: list[Words], turns: list[bool]) -> None:
        self.run(self.play.speak, list(zip(self.live, words, strict=False)), turns)

    @rule(turns=turns)
    def network_goes_on(self, turns: list[bool]) -> None:
        """With no turns it comes to all that waits."""
        self.run(self.play.network_goes_on, turns or [False] * self.world.network.waiting)

    def teardown(self) -> None:
        trio.from_thread.run(self.play.end)


class LetsIn(Authenticator):
    """Without a hash, which would take as long as all else that is played."""

    def __init__(self, user: User) -> None:
        self._user_let_in = user

    async def attempt(self, attempt: Attempt, peer: str) -> User:  # noqa: ARG002
        return self._user_let_in


@asynccontextmanager
async def open_world(folder: Path, network_of: Callable[[], SlowNetwork]) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        network = network_of()
        listeners = await nursery.start(partial(trio.serve_tcp, network.serve, 0, host="127.0.0.1"))
        network.port = listeners[0].socket.getsockname()[1]
        async with running_bouncer(folder, network) as muster:
            alice = await muster.store.read(accounts.get_user, "alice")
            muster.door = replace(
                muster.door, outbox_octets=OUTBOX_OCTETS, authenticator=LetsIn(alice)
            )
            yield World(muster, network, nursery)
        nursery.cancel_scope.cancel()


async def plays(
    folder: Path, network_of: Callable[[], SlowNetwork], examples: int, steps: int
) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in settings.default.phases if phase in PHASES],
    )
    async with open_world(folder, network_of) as world:
        machine = type("Played", (Conversation,), {"world": world})
        test = partial(run_state_machine_as_test, machine, settings=chosen)
        await trio.to_thread.run_sync(test)


@pytest.mark.parametrize("reads", [False, True])
async def test_who_stalls_is_dropped_and_goes_on_from_there(tmp_path: Path, reads: bool) -> None:
    """A play that every run must see: "A client whose outbox overflows is disconnected with a clear
    ERROR and catches up from history"."""
    async with open_world(tmp_path, NETWORKS["a network with nothing"]) as world:
        play = world.play()
        await play.begin()
        person = play.person(0)
        await person.comes(DIALECTS[0])
        await play.network_says(3)
        await person.stalls()
        await play.flood(reads=reads)
        assert person.visit is None
        await person.comes(DIALECTS[1])
        await play.client_says(person, 2)
        await play.end()


async def test_who_comes_first_after_a_flood_gets_the_newest(tmp_path: Path) -> None:
    """Another that every run must see: more than a client is given at first sight, and a stall and
    a break on top."""
    async with open_world(tmp_path, NETWORKS["a network with nothing"]) as world:
        play = world.play()
        await play.begin()
        for _ in range(3):
            await play.network_says(100, 400)
        person = play.person(0)
        await person.comes(DIALECTS[0])
        await play.client_says(person, 2)
        await person.vanishes()
        await person.comes(DIALECTS[3])
        await play.network_says(2)
        await play.end()


@pytest.mark.parametrize("network", NETWORKS)
async def test_what_has_no_answer_when_the_network_is_lost_stands_at_the_end(
    network: str, tmp_path: Path
) -> None:
    """A play with an end of its own, for a network comes back only after a while."""
    async with open_world(tmp_path, NETWORKS[network]) as world:
        play = world.play()
        await play.begin()
        people = [play.person(number) for number in range(len(DIALECTS))]
        for person, caps in zip(people, DIALECTS, strict=True):
            await person.comes(caps)
        for turns in ([True, False, True], [False, True], []):
            both = Words([False, False], as_one=True)
            await play.speak([(person, both) for person in people], turns)
        await play.network_is_lost()
        await play.end()


@pytest.mark.parametrize("network", NETWORKS)
async def test_p1_all_clients_see_the_same_conversation(network: str, tmp_path: Path) -> None:
    await plays(tmp_path, NETWORKS[network], examples=6, steps=20)


@pytest.mark.outage
@pytest.mark.timeout(600)
@pytest.mark.parametrize("network", NETWORKS)
async def test_they_do_over_long_and_many_plays(network: str, tmp_path: Path) -> None:
    await plays(tmp_path, NETWORKS[network], examples=60, steps=50)
