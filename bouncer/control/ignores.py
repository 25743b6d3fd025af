"""Whom a user ignores on a network: their messages are neither shown nor kept."""

from __future__ import annotations

from sqlalchemy import Connection

from bouncer.control import readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Request
from bouncer.irc.people import full_mask
from storage import accounts, ignored
from storage.records import Network


def _network(connection: Connection, request: Request) -> Network:
    user = accounts.get_user(connection, request.owner)
    return accounts.get_network(connection, user.id, request["NETWORK"])


async def add(desk: Desk, request: Request) -> list[str]:
    mask = full_mask(request["MASK"])

    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        if len(ignored.masks(connection, network.id)) >= ignored.MAX_IGNORED:
            raise ControlError(
                f"{ignored.MAX_IGNORED} masks are ignored on {network.name}; remove one"
            )
        ignored.add(connection, network.id, mask)
        return network

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return [f"{mask} is ignored on {network.name}"]


async def listing(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> list[str]:
        return ignored.masks(connection, _network(connection, request).id)

    return await desk.store.read(read) or [f"nobody is ignored on {request['NETWORK']}"]


async def remove(desk: Desk, request: Request) -> list[str]:
    mask = full_mask(request["MASK"])

    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        ignored.remove(connection, network.id, mask)
        return network

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return [f"{mask} is no longer ignored on {network.name}"]


_NETWORK = Argument("NETWORK", readers.name, here=True)
_WHOM = (_NETWORK, Argument("MASK", readers.mask))

COMMANDS = (
    Command(
        ("ignore", "add"),
        Permission.USER,
        "see and keep nothing of somebody: a nick, or a mask as *!*@host",
        add,
        _WHOM,
        owned=True,
        also=("create",),
    ),
    Command(
        ("ignore", "list"),
        Permission.USER,
        "show who is ignored on a network",
        listing,
        (_NETWORK,),
        owned=True,
        also=("status",),
    ),
    Command(
        ("ignore", "remove"),
        Permission.USER,
        "see somebody again",
        remove,
        _WHOM,
        owned=True,
        also=("delete",),
    ),
)
