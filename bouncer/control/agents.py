"""The voters off-site that watch this bouncer: pairing them, and letting them go."""

from __future__ import annotations

import trio
from sqlalchemy import Connection

from bouncer.control import readers, server
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request
from bouncer.keys import MeshKey, PublicKey
from bouncer.reachable import pinned, reachable
from bouncer.roster import MAX_VOTERS, fallback_toml
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
        if any(each.key == new.key for each in known):
            raise ControlError("a voter with that key is paired already; each has its own")
        accounts.add_agent(connection, new)

    await desk.store.run(write)
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
    await desk.store.run(accounts.remove_agent, request["NAME"])
    await desk.roster_changed()
    return [f"{request['NAME']} is a voter no more; its key is refused from the next roster on"]


_NAME = Argument("NAME", readers.name)

COMMANDS = (
    Command(
        ("agent", "add"),
        Permission.ADMIN,
        "pair a voter by the key that `fallback key` printed; answers its fallback.toml",
        add,
        (_NAME, Argument("ADDRESS", readers.endpoint), Argument("KEY", readers.word)),
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
)
