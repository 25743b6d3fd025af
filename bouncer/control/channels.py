"""The channels that a network's connection is to be in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from bouncer.control import keep, readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request, nothing_to_change
from bouncer.irc.known import MAX_CHANNELS
from storage import accounts
from storage.errors import NotFound
from storage.records import Channel, Network

_WHICH = readers.one_of("none", "highlight", "message", "default")


def _what(text: str) -> str:
    """Which messages count; '' for the default."""
    chosen: str = _WHICH(text)
    return "" if chosen == "default" else chosen


_OPTIONS = (
    Option("--key", ("KEY",), "the channel's key; '' for none", readers.key, "key"),
    Option("--enabled", ("true|false",), "whether to be in it", readers.yes_no, "enabled"),
    Option(
        "--detached",
        ("true|false",),
        "stay in it without showing it to clients",
        readers.yes_no,
        "detached",
    ),
    Option(
        "--relay-detached",
        ("none|highlight|message|default",),
        "what the service tells of it while it is detached (default: highlight)",
        _what,
        "relay_detached",
    ),
    Option(
        "--reattach-on",
        ("none|highlight|message|default",),
        "what attaches it again (default: none)",
        _what,
        "reattach_on",
    ),
    Option(
        "--detach-after",
        ("DURATION",),
        "detach it when it has been quiet for so long, as 6h; 0 for never",
        readers.duration,
        "detach_after_s",
    ),
    Option(
        "--detach-on",
        ("none|highlight|message|default",),
        "what keeps it from being quiet (default: message)",
        _what,
        "detach_on",
    ),
    Option(
        "--always-notify",
        ("true|false",),
        "treat everything said in it as if it named you",
        readers.yes_no,
        "always_notify",
    ),
    *keep.OPTIONS,
)


def _network(connection: Connection, request: Request) -> Network:
    user = accounts.get_user(connection, request.owner)
    return accounts.get_network(connection, user.id, request["NETWORK"])


def join(connection: Connection, network: Network, name: str, changes: Mapping[str, Any]) -> None:
    """Be in a channel from now on; a known one keeps the settings that `changes` does not name."""
    changes = {"enabled": True, **changes}
    try:
        accounts.change_channel(connection, network.id, name, **changes)
    except NotFound:
        if len(accounts.list_channels(connection, network.id)) >= MAX_CHANNELS:
            raise ControlError(
                f"{network.name} has {MAX_CHANNELS} channels already; `channel remove` makes room"
            ) from None
        accounts.put_channel(connection, Channel(network.id, name, **changes))


async def add(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        join(connection, network, request["CHANNEL"], request.changes)
        return network

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return [f"channel {request['CHANNEL']} added on {network.name}"]


async def change(desk: Desk, request: Request) -> list[str]:
    if not request.changes:
        raise nothing_to_change("channel set")

    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        accounts.change_channel(connection, network.id, request["CHANNEL"], **request.changes)
        return network

    network = await desk.change(write)
    await desk.refresh(request.owner)
    what = ", ".join(request.given)
    return [f"channel {request['CHANNEL']} on {network.name} changed: {what}"]


async def listing(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> list[Channel]:
        return accounts.list_channels(connection, _network(connection, request).id)

    lines = []
    for channel in await desk.store.read(read):
        marks = ["key"] if channel.key else []
        marks += [] if channel.enabled else ["disabled"]
        marks += ["detached"] if channel.detached else []
        marks += ["always notify"] if channel.always_notify else []
        marks += keep.limits(channel)
        lines.append(f"{channel.name}{': ' if marks else ''}{', '.join(marks)}")
    return lines or [f"no channels on {request['NETWORK']}; `channel add` adds one"]


async def remove(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        accounts.remove_channel(connection, network.id, request["CHANNEL"])
        return network

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return [f"channel {request['CHANNEL']} on {network.name} removed"]


_WHERE = (Argument("NETWORK", readers.name, here=True), Argument("CHANNEL", readers.channel))

COMMANDS = (
    Command(
        ("channel", "add"),
        Permission.USER,
        "join a channel, now and after every reconnect",
        add,
        _WHERE,
        _OPTIONS,
        owned=True,
        also=("create",),
    ),
    Command(
        ("channel", "set"),
        Permission.USER,
        "change a channel's settings",
        change,
        _WHERE,
        _OPTIONS,
        owned=True,
        also=("update",),
    ),
    Command(
        ("channel", "list"),
        Permission.USER,
        "show the channels of a network",
        listing,
        _WHERE[:1],
        owned=True,
        also=("status",),
    ),
    Command(
        ("channel", "remove"),
        Permission.USER,
        "leave a channel for good",
        remove,
        _WHERE,
        owned=True,
        also=("delete",),
    ),
)
