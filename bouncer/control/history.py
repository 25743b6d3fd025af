"""What is kept: how much it is, letting go of the old, and dating anew what is in the future."""

from __future__ import annotations

from sqlalchemy import Connection

from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import ControlError, Option, Request
from bouncer.control.keep import age, told
from bouncer.session.stamps import AHEAD_MS
from storage import accounts, retention
from storage.numbers import BEGUN_S
from storage.retention import BufferStats, Keep

SHOWN = 20  # conversations listed, the largest first; the rest is summed up


async def prune(desk: Desk, request: Request) -> list[str]:
    """Let go of what is older than asked, and of what the limits of users and networks say."""
    await desk.be_alone()
    keep = Keep(age_s=request.option("--older-than") or desk.config.history.keep_s)
    gone = await desk.store.prune(keep)
    return [f"{gone:,} messages removed, and their room given back"]


async def redate(desk: Desk, _request: Request) -> list[str]:
    """Have lines from the future stand where they came."""
    now_s = desk.wall()
    if now_s < BEGUN_S:  # then all that was ever said would seem to be
        raise ControlError("the clock of this machine is years behind; set it first")
    await desk.be_alone()
    count = await desk.store.redate(int(now_s * 1000) + AHEAD_MS)
    return [
        f"{count:,} messages were dated in the future, and have the time now at which they came"
    ]


async def stats(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> list[BufferStats]:
        user = accounts.get_user(connection, request.owner)
        return retention.stats(connection, user.id)

    found = await desk.store.read(read)
    lines = [
        f"{each.network} {each.name}: {each.messages:,} messages, {told(each.size_bytes)}"
        for each in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} smaller conversations")
    count, size = sum(each.messages for each in found), sum(each.size_bytes for each in found)
    return [*lines, f"{request.owner}: {count:,} messages, about {told(size)}"]


COMMANDS = (
    Command(
        ("history", "prune"),
        Permission.ADMIN,
        "remove what is kept too long or takes too much room, now",
        prune,
        options=(Option("--older-than", ("AGE",), "an age such as 90d, 12w or 2y", age),),
        long=True,
    ),
    Command(
        ("history", "redate"),
        Permission.ADMIN,
        "give what a wrong clock has dated in the future the time at which it came",
        redate,
        long=True,
    ),
    Command(
        ("history", "stats"),
        Permission.USER,
        "how much is kept of which conversation",
        stats,
        owned=True,
        long=True,  # it reads all of them
    ),
)
