"""What a hub reads and writes of its user: each function one transaction, called by the store.

A database that cannot be written keeps nobody out: what could not be kept is logged, and said. Nor
does a network that was removed while its clients still wished something of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from bouncer.irc.casemap import CaseMapping
from bouncer.session.marks import NOTHING_NOTED, Noted
from storage import accounts, belongings, messages, renaming, subscriptions
from storage.accounts import MAX_CLIENT_NAMES
from storage.belongings import Belongings
from storage.errors import NotFound, NotWritten, StorageError
from storage.records import Channel, Client, Network, Subscription, User
from storage.store import Store

log = structlog.get_logger("keeping")

FIRST_SIGHT_ROWS = 200  # what a client never seen before is shown of a network

ChannelPairs = tuple[tuple[str, str], ...]  # (name, key)


class Wanted(NamedTuple):
    """A network as it is to be: with the channels to be in, all their settings, whom to ignore; and
    what the user's clients have noted of its conversations."""

    network: Network
    channels: ChannelPairs
    settings: tuple[Channel, ...]
    ignored: tuple[str, ...]
    noted: Noted = NOTHING_NOTED


Found = Sequence[Belongings]  # what the store has for a user's networks


async def everybody(store: Store) -> list[tuple[User, Found]]:
    """All users, and what each one's hub begins with."""
    return list(await store.read(belongings.of_everybody))


async def belongings_of(store: Store, user: User) -> Found:
    return await store.read(belongings.of_user, user.id)


def networks_of(user: User, found: Found, *, auto_away: bool) -> list[Wanted]:
    """The user's networks. What a network leaves open is filled in from the user, and where they
    leave it open, too, with the default given."""
    if user.auto_away is not None:
        auto_away = user.auto_away
    return [_wanted(each, _filled_in(each.network, user, auto_away)) for each in found]


def _wanted(found: Belongings, network: Network) -> Wanted:
    pairs = tuple((channel.name, channel.key) for channel in found.channels if channel.enabled)
    noted = Noted(found.markers, found.marks, found.subscriptions)
    return Wanted(network, pairs, found.channels, found.ignored, noted)


def _filled_in(network: Network, user: User, auto_away: bool) -> Network:
    return replace(
        network,
        nick=network.nick or user.nick or user.name,
        realname=network.realname or user.realname,
        auto_away=auto_away if network.auto_away is None else network.auto_away,
    )


async def client_record(store: Store, network_id: int, name: str) -> Client:
    """The cursor of a client; made at its first sight, FIRST_SIGHT_ROWS before the newest message.

    With an id of 0 it could not be kept.
    """
    try:
        return await store.run(_client_record, network_id, name)
    except NotWritten:
        known = await store.read(accounts.get_client, network_id, name)
        return known or Client(network_id, name, delivered_id=store.last_id)


async def remember_channel(store: Store, channel: Channel) -> None:
    try:
        await store.run(_remember_channel, channel)
    except (NotWritten, NotFound) as error:
        log.error("channel not remembered", channel=channel.name, reason=str(error))


async def forget_channel(store: Store, network_id: int, name: str) -> None:
    try:
        await store.run(_forget_channel, network_id, name)
    except NotWritten as error:
        log.error("channel not forgotten", channel=name, reason=str(error))


async def rename_channel(store: Store, network_id: int, name: str, new: str) -> None:
    """Keep a channel with its settings under its new name."""
    try:
        await store.run(_rename_channel, network_id, name, new)
    except (NotWritten, NotFound) as error:
        log.error("channel not renamed", channel=name, reason=str(error))


async def change_channel(store: Store, network_id: int, name: str, **changes: Any) -> None:
    """Keep that a channel was detached or attached."""
    try:
        await store.run(partial(accounts.change_channel, **changes), network_id, name)
    except (NotWritten, NotFound) as error:
        log.error("channel not changed", channel=name, reason=str(error))


async def change_network(store: Store, network_id: int, **changes: Any) -> None:
    """Keep what a session has learnt of its user's wishes: a nick, a login."""
    try:
        await store.run(partial(accounts.change_network, **changes), network_id)
    except (NotWritten, NotFound) as error:
        log.error("network not changed", what=sorted(changes), reason=str(error))


async def remember_casemapping(store: Store, network_id: int, token: str) -> None:
    """Keep how the network folds names, and all that was said under the names as they are then."""
    await change_network(store, network_id, casemapping=token)
    fold = CaseMapping.named(token or None).fold
    try:
        renames = await store.read(renaming.refolded, network_id, fold)
    except StorageError as error:
        log.error("conversations not renamed", reason=str(error))
    else:
        await store.append(renames)


async def keep_mark(store: Store, network_id: int, target: str, key: str, value: str) -> None:
    """Keep what the user has noted of a conversation."""
    try:
        await store.run(accounts.put_mark, network_id, target, key, value)
    except (NotWritten, NotFound) as error:
        log.error("note not kept", reason=str(error))


async def redact(store: Store, network_id: int, target: str, msgid: str) -> None:
    """Delete a message that its network has deleted."""
    try:
        await store.redact(network_id, target, msgid)
    except StorageError as error:  # it may not be readable either
        log.error("message not redacted", reason=str(error))


async def expire(store: Store, subscription: Subscription) -> None:
    """Remove a subscription that its push service knows no more."""
    try:
        await store.run(subscriptions.expire, subscription)
    except NotWritten as error:
        log.error("subscription not removed", reason=str(error))


class Cursors:
    """What all clients have confirmed, and when they were seen, ahead of the database."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall  # seconds since the epoch
        # A client's record -> message id. The save after the one that has written it forgets it:
        # who has read the record before that has looked here by then.
        self._confirmed: dict[int, int] = {}
        self._written: set[int] = set()
        self._unsaved: dict[int, int] = {}  # a client's record -> when it was seen, milliseconds

    def move(self, record_id: int, message_id: int) -> None:
        """The client has everything up to `message_id`; a cursor never goes back."""
        if message_id > self._confirmed.get(record_id, 0):
            self._confirmed[record_id] = message_id
            self.see(record_id)

    def see(self, record_id: int) -> None:
        """The client is there at this moment; one whose cursor is not kept has the number 0."""
        if record_id:
            self._unsaved[record_id] = int(self._wall() * 1000)

    def of(self, record: Client) -> int:
        """The last message that the client is known to have."""
        return max(record.delivered_id, self._confirmed.get(record.id, 0))

    async def save(self) -> None:
        """Write what has moved; what could not be written is tried again with the next call."""
        unsaved, self._unsaved = self._unsaved, {}
        for written in self._written - unsaved.keys():
            self._confirmed.pop(written, None)
        self._written = set()
        if not unsaved:
            return
        try:
            cursors = [(each, self._confirmed.get(each, 0), at) for each, at in unsaved.items()]
            await self._store.run(accounts.put_delivered, cursors)
        except NotWritten:
            self._unsaved = unsaved | self._unsaved
        else:
            self._written = set(unsaved)


def _client_record(connection: Connection, network_id: int, name: str) -> Client:
    known = accounts.get_client(connection, network_id, name)
    if known is not None:
        return known
    others = [each for each in accounts.list_clients(connection, network_id) if each.name]
    for _ in range(len(others) - MAX_CLIENT_NAMES + 1):  # the stalest was not here for longest
        stalest = min(others, key=lambda each: each.delivered_id)
        others.remove(stalest)
        accounts.remove_client(connection, network_id, stalest.name)
    newest = messages.newest(connection, network_id, FIRST_SIGHT_ROWS)
    return accounts.put_client(connection, network_id, name, newest[0].id - 1 if newest else 0)


def _remember_channel(connection: Connection, channel: Channel) -> None:
    """Add it, or change the key of a known one: its other settings stay."""
    try:
        accounts.change_channel(connection, channel.network_id, channel.name, key=channel.key)
    except NotFound:
        accounts.put_channel(connection, channel)


def _rename_channel(connection: Connection, network_id: int, name: str, new: str) -> None:
    known = accounts.get_channel(connection, network_id, name)
    _forget_channel(connection, network_id, name)
    _forget_channel(connection, network_id, new)  # what was called so is so no more
    accounts.put_channel(connection, replace(known, name=new, id=0))


def _forget_channel(connection: Connection, network_id: int, name: str) -> None:
    with suppress(NotFound):  # it was never remembered, or a command has removed it
        accounts.remove_channel(connection, network_id, name)
