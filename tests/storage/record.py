"""What a release says to its database: `python -m tests.storage.record URL > frozen/X.jsonl`.

Run with the code of that release on a database loaded from its file in `frozen/`; it prints a line
of JSON for each statement: which connection says it, the statement, the sets of its values. By it
test_migrations.py shows that the release goes on serving while a later one migrates, and after.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

import trio
from sqlalchemy import Connection, Engine, event

from storage import accounts, belongings, messages, opening
from storage.appender import Appender
from storage.engine import Engines, make_engines
from storage.records import Certificate, Channel, Network, User
from storage.retention import Keep
from storage.search import search
from storage.store import Store, open_store

_OURS = ("BEGIN", "PRAGMA", "SET ", "SAVEPOINT", "RELEASE")  # what the engine says of itself


class Recorder:
    """Prints what goes over the connections of one store."""

    def __init__(self) -> None:
        self._names: dict[Engine, str] = {}
        self._lock = threading.Lock()
        self.serving = False  # what is said to open and close it is another's business

    def engines(self, *args: Any) -> Engines:
        made = make_engines(*args)
        for name in ("writing", "reading", "indexing"):
            engine = getattr(made, name)
            self._names[engine] = name
            event.listen(engine, "before_cursor_execute", self._executed)
        return made

    def _executed(
        self,
        connection: Connection,
        _cursor: Any,
        statement: str,
        values: Any,
        _context: Any,
        executemany: bool,
    ) -> None:
        if self.serving and not statement.startswith(_OURS):
            self.say(connection, statement, values if executemany else [values])

    def say(self, connection: Connection, statement: str, values: Sequence[Any]) -> None:
        line = [self._names[connection.engine], statement, values]
        with self._lock:  # the indexer has a thread of its own
            print(json.dumps(line, default=list), flush=True)

    def appends(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """The fast path past SQLAlchemy, as the INSERT that it amounts to."""
        sign = "?" if connection.dialect.name == "sqlite" else "%s"
        names = "id, network_id, buffer_id, source_id, time_ms, msgid, command, tags, addressee"
        marks = ", ".join([sign] * 10)
        for row in rows:
            self.say(connection, f"INSERT INTO messages ({names}, text) VALUES ({marks})", [row])


def record(appender: type[Appender], recorder: Recorder) -> None:
    tuples = appender._tuples

    def told(self: Appender, rows: Any) -> Any:
        values = tuples(self, rows)
        recorder.appends(self._connection, values)
        return values

    appender._tuples = told  # type: ignore[method-assign]  # in a process of its own


async def serve(store: Store) -> None:
    """A short life of a bouncer, with everything that it does to its tables."""
    (alice,) = await store.read(accounts.list_users)
    (network,) = await store.read(accounts.list_networks, alice.id)
    await store.read(accounts.list_channels, network.id)
    await store.read(belongings.of_everybody)
    await store.read(accounts.list_marks, network.id)
    bob = await store.run(accounts.add_user, User("bob", password_hash="h"))
    await store.run(lambda c: accounts.change_user(c, bob.id, nick="bobby", keep_age_s=5))
    await store.run(accounts.add_certificate, Certificate(bob.id, "cd" * 32))
    await store.read(accounts.user_by_certificate, "cd" * 32)
    other = await store.run(accounts.add_network, Network(bob.id, "oftc", "ircs://x", password="p"))
    await store.run(lambda c: accounts.change_network(c, other.id, nick="b", keep_bytes=1 << 20))
    await store.run(accounts.put_channel, Channel(other.id, "#dev", key="k"))
    await store.run(lambda c: accounts.change_channel(c, other.id, "#dev", detached=True))
    client = await store.run(accounts.put_client, other.id, "phone", 0)
    for at in (5, 6):
        await store.run(accounts.put_marker, other.id, "#dev", at)
    await store.run(accounts.put_mark, other.id, "#dev", "pinned", "1")
    for text in ("first words", "second words", "third"):
        row = messages.Row(
            store.next_id(), other.id, "#dev", "#Dev", 5_000, text, "PRIVMSG", "b!b@h", "", "", text
        )
        await store.append([row])
    await store.run(accounts.put_delivered, [(client.id, row.id, 1)])
    await store.catch_up()
    place = messages.Position(5_000, row.id)
    await store.read(messages.since, other.id, 0, 10)
    await store.read(messages.newest, other.id, 10)
    await store.read(messages.latest, other.id, "#dev", 10)
    await store.read(messages.after, other.id, "#dev", messages.FIRST_POSITION, 10)
    await store.read(messages.around, other.id, "#dev", place, 10)
    await store.read(messages.targets, other.id, 0, 10_000, 10)
    await store.read(messages.find_msgid, other.id, "#dev", "third")
    await store.read(search, other.id, "words", "b", "#dev", 1, 10_000)
    await store.prune(Keep(age_s=1), now_ms=5_500)
    await store.redact(other.id, "#dev", "third")
    await store.run(accounts.remove_channel, other.id, "#dev")
    await store.run(accounts.remove_client, other.id, "phone")
    await store.run(accounts.remove_certificate, bob.id, "cd" * 32)


async def main(url: str) -> None:
    recorder = Recorder()
    record(Appender, recorder)
    opening.make_engines = recorder.engines
    async with open_store(url) as store:
        recorder.serving = True
        await serve(store)
        recorder.serving = False


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
