"""Logging in to networks by SASL, in soju's words; `network set` does the same among the rest."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from bouncer.control import readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, Request
from storage import accounts
from storage.records import Network


def _network(connection: Connection, request: Request) -> Network:
    user = accounts.get_user(connection, request.owner)
    return accounts.get_network(connection, user.id, request["NETWORK"])


def login_fields(mechanism: str, login: str, password: str) -> dict[str, Any]:
    """What a network is given for it; without a `mechanism` there is none, which must not keep the
    network away."""
    fields = {"sasl_mechanism": mechanism, "sasl_login": login, "sasl_password": password}
    return fields if mechanism else {**fields, "sasl_required": False}


async def _change(desk: Desk, request: Request, mechanism: str, login: str, password: str) -> str:
    def write(connection: Connection) -> Network:
        fields = login_fields(mechanism, login, password)
        return accounts.change_network(connection, _network(connection, request).id, **fields)

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return network.name


async def status(desk: Desk, request: Request) -> list[str]:
    network = await desk.store.read(_network, request)
    if network.sasl_mechanism:
        how = f"SASL {network.sasl_mechanism}"
        how += f" as {network.sasl_login}" if network.sasl_login else ""
        how += ", required" if network.sasl_required else ""
    elif network.sasl_password:
        how = f"what NickServ was told{f', as {network.sasl_login}' if network.sasl_login else ''}"
    else:
        how = "no login; `sasl set-plain` sets one"
    return [f"{network.name}: {how}"]


async def set_plain(desk: Desk, request: Request) -> list[str]:
    name = await _change(desk, request, "PLAIN", request["LOGIN"], request["PASSWORD"])
    return [f"{name} is logged in to by SASL PLAIN as {request['LOGIN']}"]


async def reset(desk: Desk, request: Request) -> list[str]:
    return [f"{await _change(desk, request, '', '', '')} is logged in to no more"]


_NETWORK = Argument("NETWORK", readers.name, here=True)

COMMANDS = (
    Command(
        ("sasl", "status"),
        Permission.USER,
        "show how a network is logged in to",
        status,
        (_NETWORK,),
        owned=True,
    ),
    Command(
        ("sasl", "set-plain"),
        Permission.USER,
        "log in to a network by SASL PLAIN",
        set_plain,
        (_NETWORK, Argument("LOGIN", readers.login), Argument("PASSWORD", readers.secret)),
        owned=True,
    ),
    Command(
        ("sasl", "reset"),
        Permission.USER,
        "log in to a network no more",
        reset,
        (_NETWORK,),
        owned=True,
    ),
)
