"""Readers: in parallel, within a bound, and nobody waits for a search that is wanted no more."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import trio
from outcome import Outcome, Value
from sqlalchemy import Connection, select

from storage import messages, schema
from storage.errors import StorageError
from storage.readers import READERS
from storage.store import Store, open_store
from tests.real.process import until
from tests.storage.model import add_network, said


class Slow:
    """A question that takes until it is let go."""

    def __init__(self) -> None:
        self.running = 0
        self._go = threading.Event()

    def __call__(self, _: Connection) -> str:
        self.running += 1
        assert self._go.wait(60)
        return "done"

    def let_go(self) -> None:
        self._go.set()


@contextmanager
def slow() -> Iterator[Slow]:
    question = Slow()
    try:
        yield question
    finally:
        question.let_go()


async def occupy(store: Store, nursery: trio.Nursery, question: Slow) -> None:
    """Have all readers work at it."""
    for _ in range(READERS):
        nursery.start_soon(store.read, question)
    await until(lambda: question.running == READERS, 30, "all readers are at work")


async def test_who_is_cancelled_does_not_wait_for_the_thread(store: Store) -> None:
    with slow() as question:
        async with trio.open_nursery() as nursery:
            await occupy(store, nursery, question)
            nursery.cancel_scope.cancel()
        assert question.running == READERS


async def test_closing_does_not_wait_for_what_is_read(url: str) -> None:
    heard: list[Outcome[str]] = []
    with slow() as question:
        async with open_store(url) as store:
            store.ask(heard.append, question)
            await until(lambda: question.running == 1, 30, "it is at work")
        with pytest.raises(StorageError, match="closed"):
            await store.read(messages.by_id, 1)
        assert heard == []
    await until(lambda: heard == [Value("done")], 30, "the thread has ended")


async def test_one_more_question_waits_and_one_that_nobody_waits_for_is_not_asked(
    store: Store,
) -> None:
    asked: list[str] = []

    def note(_: Connection, name: str) -> str:
        asked.append(name)
        return name

    heard: list[Outcome[str]] = []
    with slow() as question:
        async with trio.open_nursery() as nursery:
            await occupy(store, nursery, question)
            async with trio.open_nursery() as impatient:
                impatient.start_soon(store.read, note, "given up")
                await trio.testing.wait_all_tasks_blocked()
                store.ask(heard.append, note, "waits")
                impatient.cancel_scope.cancel()
            assert asked == []
            question.let_go()
    await until(lambda: heard == [Value("waits")], 30, "it was answered")
    assert asked == ["waits"]


async def test_a_read_sees_one_moment_and_the_next_read_a_later_one(store: Store) -> None:
    network = await add_network(store)
    count = select(schema.messages.c.id).where(schema.messages.c.network_id == network)
    began, go_on = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        first = len(messages.since(connection, network, 0, 100))
        began.set()
        assert go_on.wait(60)
        return first, len(connection.execute(count).all())

    seen: list[Outcome[tuple[int, int]]] = []
    store.ask(seen.append, twice)
    assert await trio.to_thread.run_sync(began.wait, 30)
    await store.append([said(store, network, "later", 1)])
    go_on.set()
    await until(lambda: bool(seen), 30, "both were read")
    moment = (0, 0) if store.url.startswith("sqlite") else (0, 1)  # READ COMMITTED there
    assert seen[0].unwrap() == moment
    assert [row.text for row in await store.read(messages.since, network, 0, 100)] == ["later"]


async def test_a_fault_ends_with_the_question(store: Store) -> None:
    def broken(connection: Connection) -> None:
        messages.since(connection, 1, 0, 1)
        raise ZeroDivisionError

    for _ in range(READERS + 1):
        with pytest.raises(ZeroDivisionError):
            await store.read(broken)
    network = await add_network(store)
    await store.append([said(store, network, "kept", 1)])
    assert len(await store.read(messages.since, network, 0, 100)) == 1


async def test_reading_goes_on_after_the_server_has_ended_the_connection(
    postgresql_url: str,
) -> None:
    async with open_store(postgresql_url) as store:
        assert await store.read(messages.by_id, 1) is None
        plain = postgresql_url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        assert await store.read(messages.by_id, 1) is None


async def test_a_reader_at_rest_keeps_nothing_of_its_last_answer(store: Store) -> None:
    """The traceback of an error holds all that the asker had at hand: a whole user's hub, once."""

    class Told(Exception):
        pass

    def fail(_: Connection) -> None:
        raise Told

    async def ask() -> weakref.ref[Told]:
        with pytest.raises(Told) as caught:
            await store.read(fail)
        return weakref.ref(caught.value)

    def is_gone() -> bool:
        gc.collect()  # it is in a cycle with `ask`
        return told() is None

    told = await ask()
    await until(is_gone, 10, "nobody holds the error")
