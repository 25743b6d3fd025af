"""Whom a user ignores on a network: masks, kept among what is noted of its conversations."""

from __future__ import annotations

from sqlalchemy import Connection

from storage import accounts
from storage.errors import AlreadyThere, NotFound

MAX_IGNORED = 200  # masks of one network
KEY = "*ignored"  # clients' own metadata cannot have a key with a `*`


def masks(connection: Connection, network_id: int) -> list[str]:
    """In the order of the alphabet."""
    marks = accounts.list_marks(connection, network_id)
    return sorted(target for target, key in marks if key == KEY)


def add(connection: Connection, network_id: int, mask: str) -> None:
    """Raises AlreadyThere."""
    if mask in masks(connection, network_id):
        raise AlreadyThere(f"{mask} is ignored already")
    accounts.put_mark(connection, network_id, mask, KEY, "1")


def remove(connection: Connection, network_id: int, mask: str) -> None:
    """Raises NotFound."""
    if mask not in masks(connection, network_id):
        raise NotFound(f"{mask} is not ignored; `ignore list` shows who is")
    accounts.put_mark(connection, network_id, mask, KEY, "")
