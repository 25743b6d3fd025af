"""A user's networks: where they connect, as whom, and how they prove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from bouncer.connections.dial import ServerAddress
from bouncer.control import channels, keep, readers, sasl
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import (
    Argument,
    ControlError,
    Option,
    Request,
    WrongUse,
    nothing_to_change,
)
from bouncer.control.live import NetworkStatus
from storage import accounts
from storage.records import Network, User

MAX_NETWORKS = 100  # of one user; each is a connection, and has a history

_IDENTITY = (
    Option(
        "--nick",
        ("NICK",),
        "the nick wanted here; '' for the user's own",
        readers.nick_or_none,
        "nick",
    ),
    Option("--ident", ("IDENT",), "the user name before the @", readers.word, "ident"),
    Option("--realname", ("TEXT",), "shown by WHOIS", readers.line, "realname"),
    Option("--join", ("CHANNELS",), "'#a,#b KEY': channels to be in", readers.channels),
    Option(
        "--enabled", ("true|false",), "whether to be connected at all", readers.yes_no, "enabled"
    ),
    Option(
        "--auto-away",
        ("true|false|default",),
        "be away while no client is attached",
        readers.yes_no_default,
        "auto_away",
    ),
    Option(
        "--rate",
        ("LINES_PER_S",),
        "lines a second that the network takes; 0 for no limit, or default",
        readers.rate,
        "rate",
    ),
)
_PROOF = (
    Option("--sasl-plain", ("LOGIN",), "log in by SASL PLAIN, with --password", readers.word),
    Option("--sasl-scram", ("LOGIN",), "log in by SASL SCRAM-SHA-256, likewise", readers.word),
    Option("--sasl-external", (), "log in by SASL EXTERNAL, with the certificate"),
    Option("--sasl-none", (), "log in no more"),
    Option("--password", ("PASSWORD",), "the password of the SASL login", readers.secret),
    Option(
        "--sasl-required",
        ("true|false",),
        "stay away while the login fails",
        readers.yes_no,
        "sasl_required",
    ),
    Option("--server-password", ("PASSWORD",), "what PASS sends", readers.line, "password"),
)
_LINE = (
    Option(
        "--pin",
        ("SHA256:HEX",),
        "trust the server by this fingerprint; '' by the system's store",
        readers.pin,
        "fingerprint",
    ),
    Option(
        "--source",
        ("ADDRESS",),
        "connect from this address",
        readers.source_address,
        "source_address",
    ),
    Option(
        "--proxy",
        ("SOCKS5-URI",),
        "connect through socks5://[user:password@]host[:port]; '' directly",
        readers.proxy,
        "proxy",
    ),
    Option(
        "--connect-command",
        ("LINE",),
        "sent after registration, in order; '' drops all",
        readers.line,
        many=True,
    ),
)
_OPTIONS = (*_IDENTITY, *_PROOF, *_LINE, *keep.OPTIONS)
_SASL = {"--sasl-plain": "PLAIN", "--sasl-scram": "SCRAM-SHA-256", "--sasl-external": "EXTERNAL"}


async def add(desk: Desk, request: Request) -> list[str]:
    _refuse_local(request)
    changes = _changes(request, None)
    joins = request.option("--join", ())

    def write(connection: Connection) -> tuple[User, Network]:
        user = accounts.get_user(connection, request.owner)
        if len(accounts.list_networks(connection, user.id)) >= MAX_NETWORKS:
            raise ControlError(
                f"{user.name} has {MAX_NETWORKS} networks already; `network remove` makes room"
            )
        new = Network(user.id, request["NAME"], request["URI"], **changes)
        network = accounts.add_network(connection, new)
        _join(connection, network, joins)
        return user, network

    user, network = await desk.change(write)
    await desk.refresh(user.name)
    return [f"network {network.name} added for {user.name}: {_does(desk, network)}"]


async def change(desk: Desk, request: Request) -> list[str]:
    _refuse_local(request)
    joins = request.option("--join", ())

    def write(connection: Connection) -> tuple[User, Network]:
        user = accounts.get_user(connection, request.owner)
        network = accounts.get_network(connection, user.id, request["NAME"])
        changes = _changes(request, network)
        if request["URI"]:
            changes["uri"] = request["URI"]
        if not changes and not joins:
            raise nothing_to_change("network set")
        if changes:
            network = accounts.change_network(connection, network.id, **changes)
        _join(connection, network, joins)
        return user, network

    user, network = await desk.change(write)
    await desk.refresh(user.name)
    what = ["URI"] * bool(request["URI"]) + [each for each in request.given if each != "join"]
    what += [name for name, _ in joins]
    return [f"network {network.name} of {user.name} changed: {', '.join(what)}"]


async def listing(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> tuple[User, list[tuple[Network, int]]]:
        user = accounts.get_user(connection, request.owner)
        networks = accounts.list_networks(connection, user.id)
        return user, [(each, len(accounts.list_channels(connection, each.id))) for each in networks]

    user, found = await desk.store.read(read)
    found.sort(key=lambda pair: pair[0].name.casefold())
    live = {} if desk.live is None else {s.name: s for s in desk.live.network_status(user.name)}
    stopped = "not running" if desk.live is None else "starting"
    lines = [_line(network, count, live.get(network.name), stopped) for network, count in found]
    return lines or [f"no networks of {user.name}; `network add` adds one"]


async def remove(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> tuple[User, Network]:
        user = accounts.get_user(connection, request.owner)
        network = accounts.get_network(connection, user.id, request["NAME"])
        accounts.remove_network(connection, network.id)
        return user, network

    user, network = await desk.change(write)
    await desk.refresh(user.name)
    return [f"network {network.name} of {user.name} removed, with channels and history"]


async def quote(desk: Desk, request: Request) -> list[str]:
    if desk.live is None:
        raise ControlError("no bouncer is running; start it with `bouncer run`")

    def read(connection: Connection) -> tuple[User, Network]:
        user = accounts.get_user(connection, request.owner)
        return user, accounts.get_network(connection, user.id, request["NAME"])

    user, network = await desk.store.read(read)
    if not await desk.live.quote(user.name, network.name, request["LINE"]):
        raise ControlError(f"{network.name} is not connected; `network list` says why")
    return [f"sent to {network.name}"]


def _refuse_local(request: Request) -> None:
    """Sockets of this machine take who may open them for one of its own; our operator's does."""
    if (request["URI"] or "").startswith("unix:") and not request.actor.admin:
        raise ControlError("unix: addresses are for administrators; ask one to add the network")


def _changes(request: Request, known: Network | None) -> dict[str, Any]:
    """The fields to set. `known` is the network being changed, None for a new one."""
    changes = dict(request.changes)
    commands = request.option("--connect-command")
    if commands is not None:
        changes["connect_commands"] = tuple(filter(None, commands))
    chosen = [flag for flag in (*_SASL, "--sasl-none") if flag in request.options]
    if len(chosen) > 1:
        raise WrongUse(f"{' and '.join(chosen)} exclude each other; keep one")
    password = request.option("--password")
    if not chosen:
        if password is not None:
            if known is None or known.sasl_mechanism not in ("PLAIN", "SCRAM-SHA-256"):
                raise WrongUse("--password belongs to a login; add --sasl-plain LOGIN")
            changes["sasl_password"] = password
        return changes
    mechanism = _SASL.get(chosen[0], "")
    login = request.option(chosen[0]) if mechanism in ("PLAIN", "SCRAM-SHA-256") else ""
    if mechanism in ("PLAIN", "SCRAM-SHA-256") and not login:
        raise WrongUse(f"{chosen[0]} needs a login; `--sasl-none` logs in no more")
    if login and password is None:
        same = known is not None and known.sasl_login == login
        password = known.sasl_password if known is not None and same else ""
        if not password:
            raise WrongUse(f"{chosen[0]} needs the password; add --password-stdin")
    if not login and password is not None:
        raise WrongUse(f"{chosen[0]} needs no password; drop it")
    return sasl.login_fields(mechanism, login, password or "") | changes


def _join(connection: Connection, network: Network, joins: tuple[tuple[str, str], ...]) -> None:
    for name, key in joins:
        channels.join(connection, network, name, {"key": key} if key else {})


def _does(desk: Desk, network: Network) -> str:
    if not network.enabled:
        return "not connecting, it is disabled"
    if desk.live is None:
        return "it connects when the bouncer runs"
    return "connecting"


def _line(network: Network, channels: int, live: NetworkStatus | None, stopped: str) -> str:
    if not network.enabled:
        state = "disabled"
    elif live is None:
        state = stopped
    else:
        state = live.state + (f" as {live.nick}" if live.nick else "")
        state += f" ({live.error})" if live.error else ""
    joined = f"{live.channels} of {channels}" if live is not None else str(channels)
    return ", ".join(
        (f"{network.name}: {network.uri}, {state}, {joined} channels", *keep.limits(network))
    )


def _called_after(given: Mapping[str, str]) -> str:
    """A network without a name is called after its host."""
    try:
        return ServerAddress.parse(readers.uri(given.get("URI", ""))).host.replace(":", "-")
    except ValueError:
        return ""


_NAME = Argument("NAME", readers.name)
_THIS = Argument("NAME", readers.name, here=True)

COMMANDS = (
    Command(
        ("network", "add"),
        Permission.USER,
        "connect to a network: ircs://host[:port], irc+insecure://host[:port]; "
        "for administrators also unix:path",
        add,
        (Argument("NAME", readers.name, default=_called_after), Argument("URI", readers.uri)),
        _OPTIONS,
        owned=True,
        also=("create",),
    ),
    Command(
        ("network", "set"),
        Permission.USER,
        "change how a network is connected to; takes effect at once",
        change,
        (_THIS, Argument("URI", readers.uri, optional=True)),
        (Option("--name", ("NAME",), "call it otherwise", readers.name, "name"), *_OPTIONS),
        owned=True,
        also=("update",),
    ),
    Command(
        ("network", "list"),
        Permission.USER,
        "show networks and how they stand",
        listing,
        owned=True,
        also=("status",),
    ),
    Command(
        ("network", "quote"),
        Permission.USER,
        "send a line of IRC to a network as it is",
        quote,
        (_THIS, Argument("LINE", readers.irc_line, literal=" ".join)),
        owned=True,
    ),
    Command(
        ("network", "remove"),
        Permission.USER,
        "leave a network for good",
        remove,
        (_NAME,),
        owned=True,
        also=("delete",),
    ),
)
