"""Two buffers of one conversation, which were kept under two names, become one: in small steps
between which the writer serves others.

The one that is given up stands aside under a name that nobody has (`set_aside`) until its last
message has gone over. Each step is noted before it begins, and can be done again from wherever it
was cut: out of the search index, over to the other buffer, into the index. For that moment a search
does not find these few messages.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from storage import schema
from storage.directory import drop_meta, get_meta, put_meta

STEP_ROWS = 500  # per transaction: a few milliseconds
MERGING = "merging"  # in `meta`, while there is anything to do: the last step

_b, _m = schema.buffers.c, schema.messages.c
_ASIDE = " "  # how such a name begins; no name on IRC holds one


class Step(NamedTuple):
    """Messages that go over from one buffer to another."""

    old_id: int
    new_id: int
    ids: list[int]


def set_aside(connection: Connection, old_id: int, new_id: int, name: str) -> None:
    """Let the messages of a buffer be brought into another one of its network, called so."""
    change = update(schema.buffers)
    connection.execute(change.where(_b.id == new_id).values(name=name))
    aside = f"{_ASIDE}{old_id} {new_id}"
    connection.execute(change.where(_b.id == old_id).values(target=aside, name=name))
    if not is_going_on(connection):
        put_meta(connection, MERGING, "")


def is_aside(target: str) -> bool:
    return target.startswith(_ASIDE)


def is_going_on(connection: Connection) -> bool:
    return get_meta(connection, MERGING) is not None


def interrupted(connection: Connection) -> Step | None:
    """The step that may have been cut, by an end of the process, say."""
    noted = get_meta(connection, MERGING)
    return Step(*json.loads(noted)) if noted else None


def begin(connection: Connection) -> Step | None:
    """Note the next step; None where all is done. What went into a buffer that was itself given up
    meanwhile goes on from there."""
    aside = {
        int(old): int(new)
        for target in connection.execute(
            select(_b.target).where(_b.target.startswith(_ASIDE))
        ).scalars()
        for old, new in [target.split()]
    }
    for old_id, new_id in aside.items():
        query = select(_m.id).where(_m.buffer_id == old_id).limit(STEP_ROWS)
        if ids := list(connection.execute(query).scalars()):
            step = Step(old_id, new_id, ids)
            put_meta(connection, MERGING, json.dumps(step))
            return step
    if aside:
        connection.execute(delete(schema.buffers).where(_b.id.in_(aside)))
    drop_meta(connection, MERGING)
    return None


def bring_over(connection: Connection, step: Step) -> None:
    changed = update(schema.messages).where(_m.id.in_(step.ids), _m.buffer_id == step.old_id)
    connection.execute(changed.values(buffer_id=step.new_id))
