"""Several clients of one user, each in its own dialect, against the plain list of what was said.

On a network that answers to what one says that list is its own: own messages stand where it has
answered, and what it has refused is not said. One that does not answer leaves the order to the
bouncer, which has one for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import trio

from tests.bouncer.networks import REFUSED, Happened, SlowNetwork
from tests.bouncer.people import DIALECTS, Person, Said, Visit
from tests.complaints.venue import Muster, until

OUTBOX_OCTETS = 300_000  # of each client: a page of the backlog fits
FLOOD_LINES, FLOOD_OCTETS = 100, 400  # one part of a flood


class World:
    """The bouncer, its network, the clients, and the model: `said`."""

    def __init__(self, muster: Muster, network: SlowNetwork, nursery: trio.Nursery) -> None:
        self.muster = muster
        self.network = network
        self.nursery = nursery
        self.plays = 0
        self.said: list[Said] = []
        self.msgids: dict[str, str] = {}

    def play(self) -> Play:
        self.plays += 1
        self.said, self.msgids = [], {}
        return Play(self, f"p{self.plays}")


class Words(NamedTuple):
    """What one says in one go: a line for each, and whether the network refuses it."""

    refused: Sequence[bool]
    as_one: bool = False  # as one message of several lines, by who knows these


class Play:
    """One example: clients with names of its own, so that nothing before it counts."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.clients: dict[int, Person] = {}
        self.witness = Person(self, "witness")
        self.is_broken = False  # something was wrong: nothing more is to be looked at
        self._numbers = count(1)
        self._unanswered: dict[str, Visit] = {}  # who said it

    async def begin(self) -> None:
        await self.witness.comes(DIALECTS[4])

    async def end(self) -> None:
        """Whatever has become of them: those who are there speak once more, others between all that
        they say, and they go."""
        network = self.world.network
        if self.is_broken:
            await network.goes_on([None] * network.waiting)
        else:
            live = [each for each in self.clients.values() if each.visit and not each.visit.stalled]
            await self.speak(
                [(person, Words([False, True, False], as_one=True)) for person in live]
            )
            await self.speak([], [True, False] * network.waiting)
        network.happened.clear()
        for person in (*self.clients.values(), self.witness):
            if person.visit is not None:
                await person.is_gone()

    def person(self, number: int) -> Person:
        return self.clients.setdefault(number, Person(self, f"c{number}"))

    def _text(self, octets: int = 0, *, refused: bool = False) -> str:
        text = f"{self.name}-{next(self._numbers)} words"
        return text + REFUSED if refused else text.ljust(octets, ".")

    async def client_says(self, person: Person, lines: int) -> None:
        await self.speak([(person, Words([False] * lines))], [False] * lines)

    async def network_says(self, lines: int, octets: int = 0) -> None:
        await self.network_goes_on([True] * lines, octets)

    async def network_goes_on(self, turns: Sequence[bool], octets: int = 0) -> None:
        await self.speak([], turns, octets)

    async def speak(
        self,
        speakers: Sequence[tuple[Person, Words]],
        turns: Sequence[bool] = (),
        octets: int = 0,
    ) -> None:
        """Clients speak, all at once. Meanwhile the network has others speak (True), and comes to
        what has waited longest (False)."""
        network = self.world.network
        heard, now = network.heard_of_us, dict[str, Visit]()
        async with trio.open_nursery() as nursery:
            for person, words in speakers:
                visit = person.visit
                assert visit is not None
                texts = [self._text(refused=refused) for refused in words.refused]
                now |= dict.fromkeys(texts, visit)
                nursery.start_soon(visit.send, *visit.to_say(texts, as_one=words.as_one))
            told = [self._text(octets) if by_others else None for by_others in turns]
            nursery.start_soon(network.goes_on, told)
        await until(lambda: network.heard_of_us == heard + len(now))
        self._unanswered |= now
        happened, network.happened = network.happened, []
        if network.answers_all:
            self._is_answered(happened)
        else:
            await self._stands_as_seen(now, [each.text for each in happened if not each.ours])
        await self.all_see()

    def _is_answered(self, happened: list[Happened]) -> None:
        """By the network: so it stands."""
        for each in happened:
            visit = self._unanswered.pop(each.text) if each.ours else None
            if visit is not None:
                visit.is_answered(each.text, refused=each.is_refused)
            if visit is None or not each.is_refused:
                self.world.said.append(Said(each.text, visit))

    async def _stands_as_seen(self, ours: dict[str, Visit], others: list[str]) -> None:
        """Which comes first is the bouncer's choice, one and the same for all."""
        witness = self.witness.visit
        assert witness is not None
        new = {*ours, *others}
        await until(lambda: new <= set(witness.seen))
        order = [text for text in witness.seen if text in new]
        for visit in {*ours.values(), None}:
            said = [text for text in (ours if visit else others) if ours.get(text) is visit]
            assert [text for text in order if text in said] == said
        self.world.said += [Said(text, ours.get(text)) for text in order]
        for text, visit in ours.items():
            visit.is_answered(text)

    async def flood(self, *, reads: bool) -> None:
        """More is said than may wait for those that have stalled."""
        people = [p for p in self.clients.values() if p.visit is not None and p.visit.stalled]
        clients = self.world.muster.hub.clients
        left = len(clients) - len(people)
        while len(clients) > left:  # in parts, so that those who read keep up
            await self.network_says(FLOOD_LINES, FLOOD_OCTETS)
        for person in people:
            await person.was_dropped(reads=reads)

    async def network_is_lost(self) -> None:
        """What it had not answered may have been heard: it stands behind the rest."""
        texts = await self.world.network.closes()
        await until(lambda: not self.world.muster.session.ready)
        if self.world.network.answers_all:
            self._is_answered([Happened(text, ours=True) for text in texts])
        self.is_broken = True  # nobody is heard any more
        await self._all_see()

    async def all_see(self) -> None:
        """What was said, and nothing else."""
        await self.world.network.is_heard()
        await self._all_see()

    async def _all_see(self) -> None:
        everybody = (self.witness, *self.clients.values())
        people = [each for each in everybody if each.visit is not None and not each.visit.stalled]
        live = [person for person in people if person.is_live()]
        for person in live:
            await person.asks()
        await until(lambda: all(person.has_answer for person in live))
        for person in live:
            person.must_be_right()
        for person in people:
            if person not in live:
                await person.sees_all()
