"""A dialogue whose history is a real store: lookups are answered by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from outcome import Outcome

from bouncer.hub import history, keeping
from bouncer.session.effects import Lookup, Redact
from bouncer.session.events import Found
from bouncer.session.lookups import Answer, Question
from storage import accounts
from storage.records import Network, User
from storage.store import Store, open_store
from tests.bouncer.session.dialogue import Dialogue
from tests.storage.ready import ready


async def answer(store: Store, network_id: int, question: Question) -> Answer:
    """What the store answers to one question."""
    answered, answers = trio.open_memory_channel[Outcome[Answer]](1)
    history.ask(store, network_id, question, answered.send_nowait)
    return (await answers.receive()).unwrap()


class Stored(Dialogue):
    """`ask` and `settle` do what the hub does with a session's questions."""

    def __init__(self, store: Store, network: Network) -> None:
        super().__init__(network=network)
        self.store = store
        self._appended = 0

    async def settle(self) -> None:
        """Keep what is to be kept, answer what was asked."""
        rows = sorted([*self.kept, *self.events])[self._appended :]
        self._appended += len(rows)
        if rows:
            await self.store.append(rows)
        others, self.others = self.others, []
        for other in others:
            if isinstance(other, Lookup):
                found = await answer(self.store, self.network.id, other.question)
                self.event(Found(other.client, other.question, found, other.label))
            elif isinstance(other, Redact):
                await keeping.redact(self.store, self.network.id, other.target, other.msgid)

    async def ask(self, client: int, line: str) -> list[str]:
        """What the client is told after it typed `line`."""
        await self.settle()
        self.seen(client)
        self.types(client, line)
        await self.settle()
        return self.seen(client)


@asynccontextmanager
async def stored(path: Path) -> AsyncIterator[Stored]:
    async with open_store(await ready(path)) as store:
        user = await store.run(accounts.add_user, User(name="alice"))
        network = Network(user.id, "net", "irc+insecure://irc.test", nick="me")
        yield Stored(store, await store.run(accounts.add_network, network))
