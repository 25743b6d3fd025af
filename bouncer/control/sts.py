"""What a network's host has asked for by IRCv3 sts: shown, and dropped where it locks us out.

"Clients should allow users or administrators to delete cached STS policies on a per-host basis
[...] Deleting [...] should be a very deliberate and well-considered act": so the host is typed out,
and by an administrator, for a policy counts for everybody.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from bouncer.connections.dial import ServerAddress
from bouncer.control import readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request
from bouncer.tls import policies
from storage import accounts
from storage.records import Network, User

_WARNING = (
    "WARNING: who wants to read passwords on the way holds up TLS until somebody does just this. "
    "Learn from the network itself, by another way, that it has given up TLS: IRCv3 sts wants it "
    "refused else. Where its plain-text port goes on asking for TLS it stays out of reach even so"
)


async def sts(desk: Desk, request: Request) -> list[str]:
    dropped = request.option("--drop")
    if dropped is not None and not request.actor.admin:
        raise ControlError("--drop is for administrators: it counts for everybody of this bouncer")

    def read(connection: Connection) -> tuple[User, Network, str, policies.Kept | None]:
        user = accounts.get_user(connection, request.owner)
        network = accounts.get_network(connection, user.id, request["NAME"])
        host = _host(network)
        return user, network, host, policies.kept(connection, host, desk.wall())

    user, network, host, kept = await desk.store.read(read)
    if kept is None:
        return [f"{network.name}: {host} has not asked for TLS alone, or no longer"]
    until = f"{datetime.fromtimestamp(kept.until_s, UTC):%Y-%m-%d %H:%M}Z"
    if dropped is None:
        return [
            f"{network.name}: {host} has asked for TLS alone (IRCv3 sts): until {until} it is gone "
            f"to by TLS on port {kept.port} or not at all, whatever the address says; "
            f"administrators drop that by `--drop {host}`"
        ]
    if dropped.lower() != host:
        raise ControlError(f"{network.name} is at {host}, not at {dropped}; nothing was dropped")
    await desk.change(policies.drop, host)
    if desk.live is not None:
        desk.live.policy_dropped(host)
    lines = [
        f"{host} is no longer bound to TLS until {until}; the next try goes by the address",
        _WARNING,
    ]
    if ServerAddress.parse(network.uri).tls:
        lines.append(f"{network.name} is gone to by TLS still: its address {network.uri} says so")
    elif _is_connected(desk, user, network):
        lines.append(
            f"{network.name} is connected by TLS now, and asks anew when that ends: "
            f"disable it first, then drop"
        )
    return lines


def _host(network: Network) -> str:
    address = ServerAddress.parse(network.uri)
    if address.path:
        raise ControlError(f"{network.name} is at {network.uri}: there is no TLS to ask for")
    return address.host.lower()


def _is_connected(desk: Desk, user: User, network: Network) -> bool:
    found = desk.live.network_status(user.name) if desk.live is not None else []
    return any(each.name == network.name and each.state == "connected" for each in found)


COMMANDS = (
    Command(
        ("network", "sts"),
        Permission.USER,
        "show whether, and until when, a network has asked for TLS alone; --drop forgets it, where "
        "its TLS is broken for good",
        sts,
        (Argument("NAME", readers.name, here=True),),
        (Option("--drop", ("HOST",), "forget it for this host (admins)", readers.word),),
        owned=True,
    ),
)
