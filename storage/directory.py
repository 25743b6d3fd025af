"""What the bouncer knows of the fallback: voters and staff; and single values by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from storage import rows, schema
from storage.errors import NotFound
from storage.records import Agent, Staff


def add_agent(connection: Connection, agent: Agent) -> Agent:
    """Pair a voter; it takes the last rank unless `position` is given."""
    if not agent.position:
        last = max((known.position for known in list_agents(connection)), default=0)
        agent = replace(agent, position=last + 1)
    taken = f"there is already an agent {agent.name}"
    return replace(agent, id=rows.add(connection, schema.agents, agent, taken))


def list_agents(connection: Connection) -> list[Agent]:
    """By rank."""
    columns = schema.agents.c
    return rows.find(connection, schema.agents, Agent, columns.position, columns.id)


def get_agent(connection: Connection, name: str) -> Agent:
    for agent in rows.find(connection, schema.agents, Agent, name=name):
        return agent
    raise NotFound(_no_agent(name))


def change_agent(connection: Connection, name: str, **changes: Any) -> Agent:
    rows.change(connection, schema.agents, Agent, get_agent(connection, name).id, changes)
    return get_agent(connection, changes.get("name", name))


def remove_agent(connection: Connection, name: str) -> None:
    rows.remove(connection, schema.agents, _no_agent(name), name=name)


def _no_agent(name: str) -> str:
    return f"there is no agent {name}; `agent list` shows which there are"


def add_staff(connection: Connection, person: Staff) -> Staff:
    taken = f"{person.handle} is already on the roster"
    return replace(person, id=rows.add(connection, schema.staff, person, taken))


def list_staff(connection: Connection) -> list[Staff]:
    """By handle."""
    return rows.find(connection, schema.staff, Staff, schema.staff.c.handle)


def get_staff(connection: Connection, handle: str) -> Staff:
    for person in rows.find(connection, schema.staff, Staff, handle=handle):
        return person
    raise NotFound(_no_staff(handle))


def change_staff(connection: Connection, handle: str, **changes: Any) -> Staff:
    known = get_staff(connection, handle)
    rows.change(connection, schema.staff, Staff, known.id, changes)
    return get_staff(connection, changes.get("handle", handle))


def remove_staff(connection: Connection, handle: str) -> None:
    rows.remove(connection, schema.staff, _no_staff(handle), handle=handle)


def _no_staff(handle: str) -> str:
    return f"nobody on the roster is called {handle}; `staff list` shows who is there"


def get_meta(connection: Connection, key: str) -> str | None:
    query = select(schema.meta.c.value).filter_by(key=key)
    return connection.execute(query).scalar_one_or_none()


def list_meta(connection: Connection, prefix: str) -> dict[str, str]:
    """All values whose keys begin so, by key."""
    columns = schema.meta.c
    begins_so = columns.key.startswith(prefix, autoescape=True)
    query = select(columns.key, columns.value).where(begins_so)
    return {row.key: row.value for row in connection.execute(query)}


def put_meta(connection: Connection, key: str, value: str) -> None:
    changed = connection.execute(update(schema.meta).filter_by(key=key).values(value=value))
    if not changed.rowcount:
        connection.execute(insert(schema.meta).values(key=key, value=value))


def drop_meta(connection: Connection, key: str) -> None:
    connection.execute(delete(schema.meta).filter_by(key=key))
