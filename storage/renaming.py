"""A conversation that is called otherwise from now on: its buffer, with all its messages, goes on
under the new name. Where something is kept under that name already, the two become one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, delete, insert, select, update

from storage import accounts, merging, schema
from storage.message import Kept, Renamed

_b, _m = schema.buffers.c, schema.messages.c


def rename(connection: Connection, renamed: Renamed) -> None:
    network_id, target, new_target, new_name = renamed
    query = select(_b.id).where(_b.network_id == network_id)
    old_id = connection.execute(query.where(_b.target == target)).scalar()
    if old_id is None:
        return
    if new_target != target:
        new_id = connection.execute(query.where(_b.target == new_target)).scalar()
        if new_id is not None:
            kept = select(_m.id).where(_m.buffer_id == new_id).limit(1)
            if merging.is_going_on(connection) or connection.execute(kept).first() is not None:
                merging.set_aside(connection, old_id, new_id, new_name)
                return
            connection.execute(delete(schema.buffers).where(_b.id == new_id))
    values = {"target": new_target, "name": new_name}
    connection.execute(update(schema.buffers).where(_b.id == old_id).values(**values))


def mark(connection: Connection, renamed: Renamed) -> None:
    """Who has read so far under the old name has under the new one, where nothing is known of it.
    The session knows the same."""
    network_id, target, new_target, _ = renamed
    known = accounts.get_marker(connection, network_id, target)
    if known is not None and accounts.get_marker(connection, network_id, new_target) is None:
        values = {"network_id": network_id, "target": new_target, "time_ms": known}
        connection.execute(insert(schema.markers).values(**values))


def refolded(connection: Connection, network_id: int, fold: Callable[[str], str]) -> list[Renamed]:
    """What of a network's conversations to rename, now that it folds names so: what was imported
    before it was reached, or came while it folded them otherwise, would not be found."""
    query = select(_b.target, _b.name).where(_b.network_id == network_id).order_by(_b.id)
    return [
        Renamed(network_id, target, fold(name), name)
        for target, name in connection.execute(query)
        if fold(name) != target and not merging.is_aside(target)
    ]


def names_before(waiting: Iterable[Kept], network_id: int, target: str) -> set[str]:
    """What a conversation was called in what still waits to be written, the last name included."""
    names = {target}
    renames = [each for each in waiting if isinstance(each, Renamed)]
    for each in reversed(renames):
        if each.network_id == network_id and each.new_target in names:
            names.add(each.target)
    return names
