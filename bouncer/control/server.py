"""The server as a whole: how it stands, and what an administrator does to it."""

from __future__ import annotations

import structlog

from bouncer.connections.wire_log import LASTS_S
from bouncer.control import readers
from bouncer.control.actors import EVERYWHERE, Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Request, WrongUse
from bouncer.control.live import Live
from bouncer.tls import certificates
from storage import accounts

log = structlog.get_logger("control")


async def status(desk: Desk, request: Request) -> list[str]:
    """One line for people in a hurry; `full` adds one for each voter, and the certificate's."""
    if request["full"] not in (None, "full"):
        raise WrongUse(f'"{request["full"]}" is nothing to show; write status, or status full')
    if desk.live is None:
        raise ControlError("DOWN: no bouncer is running here")
    live, now = desk.live, desk.wall()
    parts = [f"UP {duration(live.uptime_s)}", live.mesh_status() or "no agents paired"]
    standing = live.certificate()
    if standing is not None:
        lifetime = int(standing.served.lifetime_s // certificates.DAY_S)
        parts.append(f"cert {certificates.days(standing.served, now)}/{lifetime}d")
    lines = ["; ".join(parts), *_trouble(desk)]
    if standing is not None and (request["full"] or standing.fault):
        lines += filter(None, [certificates.sentence(standing, now)])
    if request["full"]:
        lines += [
            f"{voter.role} {voter.name}: {voter.state}, "
            f"{ago(voter.acked_s)}, "
            f"{'linked' if voter.linked else 'no link'}, roster v{voter.roster}"
            for voter in live.voters()
        ]
    return lines


async def cert(desk: Desk, _request: Request) -> list[str]:
    """How long the served certificate is good, and what is wrong with it."""
    live, now = _running(desk), desk.wall()
    standing = live.certificate()
    if standing is None:
        return ["no TLS listener here"]
    if said := certificates.sentence(standing, now):
        return [said, *_not_reloaded(live)]
    served = standing.served
    lifetime = int(served.lifetime_s // certificates.DAY_S)
    left, until = certificates.days(served, now), certificates.day(served.not_after)
    return [f"certificate good: {left} of {lifetime}d left, until {until}", *_not_reloaded(live)]


async def ack(desk: Desk, request: Request) -> list[str]:
    said = _running(desk).acknowledge(request.actor.name)
    if not said:
        return ["nothing to acknowledge"]
    return [f"{request.actor.name} sees to it, said again only if it gets worse: {said}"]


async def server_status(desk: Desk, _request: Request) -> list[str]:
    live = _running(desk)
    users = await desk.store.read(accounts.list_users)
    networks = [each for user in users for each in live.network_status(user.name)]
    up = sum(1 for each in networks if each.state == "connected")
    clients = sum(len(live.clients(user.name)) for user in users)
    there = f"{counted(len(users), 'user')}, {counted(clients, 'client')}"
    return [
        f"up {duration(live.uptime_s)}, {there}, "
        f"{up} of {counted(len(networks), 'network')} connected",
        *_trouble(desk),
    ]


async def notice(desk: Desk, request: Request) -> list[str]:
    await _running(desk).notice(request["TEXT"])
    return ["said to every client"]


async def debug(desk: Desk, request: Request) -> list[str]:
    live, on, name = _running(desk), request["true|false"], request["USER"]
    if name is not None:
        name = (await desk.store.read(accounts.get_user, name)).name
    live.debug((name or "") if on else None)
    if not on:
        return ["lines are logged no more"]
    log.warning("lines are logged", of=name or "everybody", asked_by=request.actor.name)
    return [
        f"the lines of {name or 'everybody'} are in the bouncer's log for {duration(LASTS_S)}, "
        "without what people say and without passwords; `server debug false` ends it"
    ]


async def reload(desk: Desk, _request: Request) -> list[str]:
    try:
        waiting = await _running(desk).reload()
    except ValueError as error:
        raise ControlError(f"nothing reloaded: {' | '.join(str(error).splitlines())}") from None
    waits = f"{', '.join(waiting)}: changed, and waiting for a restart"
    return ["configuration and certificates reloaded", *([waits] if waiting else [])]


def _trouble(desk: Desk) -> list[str]:
    """What keeps history from being written now, and why the last reload changed nothing."""
    lines = [f"HISTORY: {desk.store.trouble}"] if desk.store.trouble else []
    return lines + (_not_reloaded(desk.live) if desk.live is not None else [])


def _not_reloaded(live: Live) -> list[str]:
    fault = live.not_reloaded
    return [f"RELOAD: nothing was reloaded, what was stays: {fault}"] if fault else []


def _running(desk: Desk) -> Live:
    if desk.live is None:
        raise ControlError("no bouncer is running; start it with `bouncer run`")
    return desk.live


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def ago(acked_s: float | None) -> str:
    """When a voter last answered."""
    return "never answered" if acked_s is None else f"answered {acked_s:.1f}s ago"


def duration(seconds: float) -> str:
    """`41d`, `5h`, `12m` or `30s`: the largest unit that fits."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"


COMMANDS = (
    Command(
        ("cert",),
        Permission.STAFF,
        "the served certificate: what is left of it, and whether it was renewed",
        cert,
        doors=EVERYWHERE,
    ),
    Command(
        ("ack",),
        Permission.STAFF,
        "say that you see to the certificate: it is not spoken of again before it gets worse",
        ack,
        doors=EVERYWHERE,
    ),
    Command(
        ("status",),
        Permission.STAFF,
        "how the site and its watchers stand; `full` for each voter",
        status,
        (Argument("full", optional=True),),
        doors=EVERYWHERE,
    ),
    Command(
        ("server", "status"),
        Permission.ADMIN,
        "uptime, users, clients and networks",
        server_status,
    ),
    Command(
        ("server", "notice"),
        Permission.ADMIN,
        "say a text to every client of every user",
        notice,
        (Argument("TEXT", readers.said, literal=" ".join),),
    ),
    Command(
        ("server", "debug"),
        Permission.ADMIN,
        f"log the lines of a user, or of all, for {duration(LASTS_S)}; texts and secrets left out",
        debug,
        (
            Argument("true|false", readers.yes_no),
            Argument("USER", readers.name, optional=True),
        ),
    ),
    Command(
        ("server", "reload"),
        Permission.ADMIN,
        "read configuration and certificates again, as HUP does",
        reload,
    ),
)
