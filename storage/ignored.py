"""Whom a user ignores on a network: masks, kept among what is noted of its conversations."""

from __future__ import annotations

from sqlalchemy import Connection

from storage import accounts
from storage.errors import AlreadyThere, NotFound
from storage.rows import folded

MAX_IGNORED = 200  # masks of one network
KEY = "*ignored"  # clients' own metadata cannot have a key with a `*`


def masks(connection: Connection, network_id: int) -> list[str]:
    """In the order of the alphabet."""
    marks = accounts.list_marks(connection, network_id)
    return sorted(target for target, key in marks if key == KEY)


def add(connection: Connection, network_id: int, mask: str) -> None:
    """Raises AlreadyThere."""
    if (known := _known(connection, network_id, mask)) is not None:
        raise AlreadyThere(f"{known} is ignored already")
    accounts.put_mark(connection, network_id, mask, KEY, "1")


def remove(connection: Connection, network_id: int, mask: str) -> None:
    """Raises NotFound."""
    if (known := _known(connection, network_id, mask)) is None:
        raise NotFound(f"{mask} is not ignored; `ignore list` shows who is")
    accounts.put_mark(connection, network_id, known, KEY, "")


def _known(connection: Connection, network_id: int, mask: str) -> str | None:
    """The mask as it was given first: people are ignored whatever the case."""
    found = (known for known in masks(connection, network_id) if folded(known) == folded(mask))
    return next(found, None)
