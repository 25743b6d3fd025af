"""The voters off-site that watch this bouncer: pairing them, and letting them go."""

from __future__ import annotations

import trio
from sqlalchemy import Connection

from bouncer.control import readers, server
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request
from bouncer.mesh import enrolment
from bouncer.mesh.keys import MeshKey, PublicKey
from bouncer.mesh.reachable import pinned, reachable
from bouncer.mesh.roster import MAX_VOTERS, fallback_toml, voter_name
from storage import accounts
from storage.records import Agent


async def add(desk: Desk, request: Request) -> list[str]:
    """Pair a voter; the answer is its finished fallback.toml, so that it can be redirected."""
    public = PublicKey.parse(request["KEY"])
    key_file = desk.config.mesh.key
    assert key_file is not None  # config.finish() has filled it in
    ours = await trio.to_thread.run_sync(MeshKey.load_or_make, key_file)
    if public == ours.public:
        raise ControlError("that is this bouncer's own key; run `fallback key` on the voter")
    primary = request.option("--primary") or await reachable(desk.config, request["ADDRESS"])
    if not primary:
        raise ControlError(
            "where the voter reaches this bouncer is not known; say it: --primary ircs://IP:PORT"
        )
    role = request.option("--role", "agent")
    new = Agent(request["NAME"], request["ADDRESS"], str(public), role=role)

    def write(connection: Connection) -> None:
        known = accounts.list_agents(connection)
        if len(known) >= MAX_VOTERS:
            raise ControlError(f"there are {MAX_VOTERS} voters already; remove one first")
        for each in known:
            if each.key == new.key:
                raise ControlError(
                    f"{each.name} is paired already, by that key: each voter has its own, of "
                    f"`fallback key`; `agent remove {each.name}` lets it be paired anew"
                )
        accounts.add_agent(connection, new)

    await desk.change(write)
    await desk.roster_changed()
    text = fallback_toml(
        name=new.name,
        role=role,
        address=new.address,
        primary=primary,
        primary_key=str(ours.public),
    )
    return [f"# {role} {new.name} is paired", *text.splitlines()]


async def listing(desk: Desk, _request: Request) -> list[str]:
    agents = await desk.store.read(accounts.list_agents)
    heard = {} if desk.live is None else {each.name: each for each in desk.live.voters()}
    lines = []
    for rank, agent in enumerate(agents, 1):
        line = f"{rank}. {agent.name}: {agent.role} at {agent.address}, key {agent.key}"
        if (voter := heard.get(agent.name)) is not None:
            line += f", {voter.state}, {server.ago(voter.acked_s)}"
        lines.append(line)
    return lines or ["no voters; run `fallback key` off-site, then `agent add NAME ADDRESS KEY`"]


async def remove(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> tuple[int, int]:
        accounts.remove_agent(connection, request["NAME"])
        return len(accounts.list_agents(connection)), enrolment.quorum(connection)

    voters, k = await desk.change(write)
    await desk.roster_changed()
    said = [f"{request['NAME']} is a voter no more; its key is refused from the next roster on"]
    if voters < k:
        said.append(f"{voters} voters are left and {k} must agree: pair another, or `agent quorum`")
    return said


async def quorum(desk: Desk, request: Request) -> list[str]:
    """How many voters must agree. It travels in the signed roster, whose version rises."""
    k: int | None = request["K"]

    def write(connection: Connection) -> tuple[int, int]:
        voters = len(accounts.list_agents(connection))
        if k is not None and k > voters:
            raise ControlError(
                f"{k} of {voters} voters can never agree; write 1 to {voters}"
                if voters
                else "no voters are paired; `agent add` pairs one"
            )
        if k is not None:
            accounts.put_meta(connection, enrolment.QUORUM, str(k))
        return voters, enrolment.quorum(connection)

    voters, needed = await desk.change(write)
    if k is not None:
        await desk.roster_changed()
    if not voters:
        return [f"no voters are paired; of those to come {needed} must agree"]
    said = [f"{needed} of {voters} voters must agree before the site is announced as unreachable"]
    if needed == 1:
        said.append("one voter alone decides: its mistakes and its thief's lies are announced")
    return said


def read_quorum(text: str) -> int:
    """A number of voters. Raises ValueError that says what to write."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= MAX_VOTERS:
        raise ValueError(f'"{text[:20]}" is not a number of voters; write 1 to {MAX_VOTERS}')
    return int(text)


_NAME = Argument("NAME", readers.name)

COMMANDS = (
    Command(
        ("agent", "add"),
        Permission.ADMIN,
        "pair a voter by the key that `fallback key` printed; answers its fallback.toml",
        add,
        (
            Argument("NAME", voter_name),
            Argument("ADDRESS", readers.endpoint),
            Argument("KEY", readers.word),
        ),
        (
            Option(
                "--role",
                ("agent|witness",),
                "an agent speaks, a witness only votes",
                readers.one_of("agent", "witness"),
            ),
            Option(
                "--primary",
                ("URI",),
                "where it reaches this bouncer, instead of what [[listen]] says",
                pinned,
                many=True,
            ),
        ),
    ),
    Command(("agent", "list"), Permission.ADMIN, "show the voters by rank", listing),
    Command(("agent", "remove"), Permission.ADMIN, "refuse a voter's key", remove, (_NAME,)),
    Command(
        ("agent", "quorum"),
        Permission.ADMIN,
        "how many voters must agree before the site counts as unreachable; shows or sets it",
        quorum,
        (Argument("K", read_quorum, optional=True),),
    ),
)
