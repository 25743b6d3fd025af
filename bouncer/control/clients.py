"""A user's clients, by the names they log in with: each has its own place in the backlog."""

from __future__ import annotations

from sqlalchemy import Connection

from bouncer.control import readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request, nothing_to_change
from bouncer.control.server import duration
from storage import accounts
from storage.accounts import MAX_CLIENT_NAMES
from storage.records import Client, Network, User


async def change(desk: Desk, request: Request) -> list[str]:
    """Set it on every network of the user; a client that was never seen starts with what comes."""
    if not request.changes:
        raise nothing_to_change("client set")
    newest = desk.store.last_id

    def write(connection: Connection) -> int:
        user = accounts.get_user(connection, request.owner)
        networks = accounts.list_networks(connection, user.id)
        for network in networks:
            known = {each.name for each in accounts.list_clients(connection, network.id)}
            if request["CLIENT"] not in known and len(known) >= MAX_CLIENT_NAMES:
                raise ControlError(
                    f"{MAX_CLIENT_NAMES} clients are known on {network.name} already"
                )
            client = accounts.put_client(connection, network.id, request["CLIENT"], newest)
            accounts.change_client(connection, client.id, **request.changes)
        return len(networks)

    if not await desk.change(write):
        raise ControlError(f"{request.owner} has no network yet; add one first")
    await desk.refresh(request.owner)
    what = ", ".join(request.given)
    return [f"client {request['CLIENT']} of {request.owner} changed: {what}"]


async def listing(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> tuple[User, list[tuple[Network, list[Client]]]]:
        user = accounts.get_user(connection, request.owner)
        networks = accounts.list_networks(connection, user.id)
        return user, [(each, accounts.list_clients(connection, each.id)) for each in networks]

    user, found = await desk.store.read(read)
    here = set() if desk.live is None else set(desk.live.clients(user.name))
    known: dict[str, tuple[list[str], bool | None, int]] = {name: ([], None, 0) for name in here}
    for network, clients in found:
        for client in clients:
            names, autoplay, seen_ms = known.get(client.name, ([], None, 0))
            autoplay = client.autoplay if client.autoplay is not None else autoplay
            known[client.name] = [*names, network.name], autoplay, max(seen_ms, client.seen_ms)
    lines = []
    for name, (networks, autoplay, seen_ms) in sorted(known.items()):
        marks = ["attached"] if name in here else []
        if seen_ms and name not in here:
            marks.append(f"last seen {duration(max(0, desk.wall() - seen_ms / 1000))} ago")
        marks += [f"on {', '.join(networks)}"] if networks else []
        marks += [] if autoplay is None else [f"autoplay {'on' if autoplay else 'off'}"]
        lines.append(f"{name or '(no name)'}: {'; '.join(marks)}")
    return lines or [f"no clients of {user.name} yet; they appear when they log in"]


COMMANDS = (
    Command(
        ("client", "set"),
        Permission.USER,
        "change how one client is served",
        change,
        (Argument("CLIENT", readers.name),),
        (
            Option(
                "--autoplay",
                ("on|off|default",),
                "play back what it missed; off for bots",
                readers.yes_no_default,
                "autoplay",
            ),
        ),
        owned=True,
    ),
    Command(
        ("client", "list"),
        Permission.USER,
        "show clients, which are attached, and when the others were last seen",
        listing,
        owned=True,
        also=("status",),
    ),
)
