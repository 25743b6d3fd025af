"""What an admin, of the roster or of the bouncer, tells the voters: maintenance to come, and orders
about an incident.

Success is claimed only for those who have acked.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bouncer.control import readers
from bouncer.control.actors import EVERYWHERE, Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Request
from bouncer.durations import seconds_of
from bouncer.mesh.heartbeat import MAX_MAINTENANCE_S, Maintenance, called

if TYPE_CHECKING:
    from bouncer.mesh.beacon import Announced, Beacon

LEAST_HOLD_S = 60.0  # as agents have it
NOBODY = "no agents are paired, so nobody was told; `agent add` pairs one"
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)[Zz]?")


async def now(desk: Desk, request: Request) -> list[str]:
    return await _announce(desk, request, desk.wall())


async def start(desk: Desk, request: Request) -> list[str]:
    hour, minute = request["HH:MM"]
    present = datetime.fromtimestamp(desk.wall(), UTC)
    at = present.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if at < present:
        at += timedelta(days=1)
    return await _announce(desk, request, at.timestamp())


async def _announce(desk: Desk, request: Request, begins_s: float) -> list[str]:
    beacon = _beacon(desk)
    ends_s = begins_s + request["DURATION"]
    try:
        told = await beacon.announce_maintenance(begins_s, ends_s, request["WHY"])
    except ValueError as error:
        raise ControlError(str(error)) from None
    return [_said(told)]


async def end(desk: Desk, request: Request) -> list[str]:
    try:
        told = await _beacon(desk).end_maintenance(request["ID"] or "")
    except ValueError as error:
        raise ControlError(str(error)) from None
    return [f"{called(told.window.id)} ended, {_acks(told)}"]


async def listing(desk: Desk, _request: Request) -> list[str]:
    windows = _beacon(desk).windows
    return [f"{window_text(each)} {each.why}".rstrip() for each in windows] or ["no maintenance"]


async def standdown(desk: Desk, request: Request) -> list[str]:
    order = _beacon(desk).order
    received, agents = await order(
        "standdown",
        request.actor.name,
        known_by=request.actor.known_by,
        why=request["WHY"] or "",
    )
    return _ordered("closing in 60s; !hold to stop", received, agents)


async def hold(desk: Desk, request: Request) -> list[str]:
    seconds: float = request["DURATION"]
    order, actor = _beacon(desk).order, request.actor
    received, agents = await order("hold", actor.name, known_by=actor.known_by, for_s=seconds)
    until = datetime.fromtimestamp(desk.wall() + seconds, UTC)
    return _ordered(f"held until {until:%H:%M}Z", received, agents)


def _ordered(done: str, received: int, agents: int) -> list[str]:
    """Success is claimed only for those that have it."""
    if not agents:
        return [NOBODY]
    if not received:
        return [f"NOT done: none of {agents} agents has received it; say it again"]
    missing = f"; received by {received}/{agents} agents ONLY, say it again"
    return [done + (missing if received < agents else "")]


def window_text(window: Maintenance) -> str:
    """`m31 14:00-14:30Z`"""
    begins, ends = (
        datetime.fromtimestamp(ms / 1000, UTC) for ms in (window.begins_ms, window.ends_ms)
    )
    return f"{called(window.id)} {begins:%H:%M}-{ends:%H:%M}Z"


def _said(told: Announced) -> str:
    return f"{window_text(told.window)}, {_acks(told)}"


def _acks(told: Announced) -> str:
    if not told.voters:
        return NOBODY
    missing = "" if told.acked == told.voters else "; NOT all know it yet, it is repeated"
    return f"acked {told.acked}/{told.voters} agents{missing}"


def _beacon(desk: Desk) -> Beacon:
    if desk.live is None:
        raise ControlError("no bouncer is running; start it with `bouncer run`")
    return desk.live.beacon


def read_seconds(text: str) -> float:
    """The seconds of `90s`, `30min` or `2h`. Raises ValueError that says what to write."""
    seconds = seconds_of(text) or 0.0
    if not 0 < seconds <= MAX_MAINTENANCE_S:
        raise ValueError(f'"{text}" is not a duration; write "90s", "30min" or "2h", at most 12h')
    return seconds


def read_hold(text: str) -> float:
    """The same for a hold, of a minute at least. Raises ValueError."""
    if (seconds := read_seconds(text)) < LEAST_HOLD_S:
        raise ValueError(f"{seconds:.0f}s is no time to hold: 1min at least, 12h at most")
    return seconds


def read_clock(text: str) -> tuple[int, int]:
    """Hour and minute of `14:00`. Raises ValueError that says what to write."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a time of day; write "14:00", in UTC')
    return int(match[1]), int(match[2])


_LENGTH = Argument("DURATION", read_seconds)
_WHY = Argument("WHY", readers.line, rest=True)

COMMANDS = (
    Command(
        ("maintenance", "now"),
        Permission.ORDERS,
        "the voters announce nothing for so long, from now",
        now,
        (_LENGTH, _WHY),
        doors=EVERYWHERE,
    ),
    Command(
        ("maintenance", "start"),
        Permission.ORDERS,
        "the same from a time of day, UTC",
        start,
        (Argument("HH:MM", read_clock), _LENGTH, _WHY),
        doors=EVERYWHERE,
    ),
    Command(
        ("maintenance", "end"),
        Permission.ORDERS,
        "take a maintenance back: the one that is on, or the one named",
        end,
        (Argument("ID", readers.word, optional=True),),
        doors=EVERYWHERE,
    ),
    Command(
        ("maintenance", "list"),
        Permission.ORDERS,
        "maintenance in force and to come",
        listing,
        doors=EVERYWHERE,
    ),
    Command(
        ("standdown",),
        Permission.ORDERS,
        "close the incident in 60 s, at all agents",
        standdown,
        (Argument("WHY", readers.line, optional=True, rest=True),),
        doors=EVERYWHERE,
    ),
    Command(
        ("hold",),
        Permission.ORDERS,
        "keep the incident open for so long, whatever is ordered",
        hold,
        (Argument("DURATION", read_hold, rest=True),),
        doors=EVERYWHERE,
    ),
)
