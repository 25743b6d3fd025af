"""The model that history is held against: a plain list of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from storage import accounts, messages
from storage.messages import Position, Row
from storage.records import Network, User
from storage.store import Store
from storage.words import words
from tests.real.process import until

place = itemgetter(4, 0)  # (time_ms, id)


async def add_network(store: Store, name: str = "libera", user: str = "alice") -> int:
    """A network to say things on, and its user where there is none yet."""
    owners = {u.name: u for u in await store.read(accounts.list_users)}
    owner = owners.get(user) or await store.run(accounts.add_user, User(name=user))
    network = Network(owner.id, name, "ircs://irc.example.net")
    return (await store.run(accounts.add_network, network)).id


def said(
    store: Store,
    network_id: int,
    text: str,
    time_ms: int,
    target: str = "#ops",
    *,
    source: str = "bob!b@example.net",
    command: str = "PRIVMSG",
    msgid: str = "",
) -> Row:
    number = store.next_id()
    return Row(number, network_id, target, target, time_ms, msgid, command, source, "", "", text)


def before(rows: Iterable[Row], target: str, position: Position, limit: int) -> list[Row]:
    found = sorted((r for r in rows if r.target == target and place(r) < position), key=place)
    return found[-limit:]


def after(rows: Iterable[Row], target: str, position: Position, limit: int) -> list[Row]:
    found = sorted((r for r in rows if r.target == target and place(r) > position), key=place)
    return found[:limit]


def search(
    rows: Iterable[Row],
    text: str,
    sender: str = "",
    target: str = "",
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int = 100,
) -> Sequence[Row]:
    wanted = set(words(text))
    found = [
        row
        for row in rows
        if row.command in ("PRIVMSG", "NOTICE")
        and wanted <= set(words(row.text))
        and (not sender or row.source.partition("!")[0] == sender)
        and (not target or row.target == target)
        and (from_ms is None or row.time_ms > from_ms)
        and (to_ms is None or row.time_ms < to_ms)
    ]
    return sorted(found, key=place)[-limit:]


async def kept(store: Store, network: int) -> list[Row]:
    """All that the network's history holds."""
    return await store.read(messages.since, network, 0, 1_000_000)


async def until_well(store: Store) -> None:
    await until(lambda: store.trouble is None, 60, "the store is well again")
