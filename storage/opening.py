"""Opening a database: its schema and its search index brought up to date, and what keeps us from
it told. In a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from storage import indexer, migrations, schema, sealed
from storage.directory import get_meta, put_meta
from storage.engine import Engines, make_engines, wait_for_others
from storage.errors import OutOfReach, StorageError, Unusable
from storage.imports import LAST_IMPORTED_ID
from storage.index import IDENTITY
from storage.numbers import last_given
from storage.trouble import Cause, cause_of, in_a_line
from storage.unwritten import left_in
from storage.vault import Vault
from storage.writer import RETRY_LOCK_S

T = TypeVar("T")

OPENING_S = 30.0  # how long somebody else may make the tables, or bring them up to date


def count_sealed(url: str) -> int:
    """How many secrets only a key file opens; a database that is not there is not made. Raises
    Unusable or OutOfReach as `open_store`."""
    engines, count = open_engines(url, Vault(None), _count_sealed)
    engines.dispose()
    return count


def _count_sealed(engines: Engines) -> int:
    if engines.is_sqlite and not Path(str(engines.url.database)).exists():
        return 0
    with engines.reading.connect() as connection:
        return sealed.count(connection)


def open_engines(
    url: str, vault: Vault, begin: Callable[[Engines], T], synchronous: str = "normal"
) -> tuple[Engines, T]:
    """The engines, and what `begin` has found by them."""
    engines = make_engines(url, vault, synchronous)
    until_s = time.monotonic() + OPENING_S
    while True:
        try:
            return engines, begin(engines)
        except (SQLAlchemyError, OSError) as error:
            cause = cause_of(error)
            if cause is not Cause.LOCKED or time.monotonic() >= until_s:
                engines.dispose()
                if cause is None:
                    raise
                raise _explained(engines, cause, error) from error
            time.sleep(RETRY_LOCK_S)  # in a thread


def _explained(engines: Engines, cause: Cause, error: Exception) -> StorageError:
    """Of a server nearly all may change by itself; of a file not who may reach it."""
    name = engines.url.render_as_string(hide_password=True)
    text = f"the database {name} {cause.value} ({in_a_line(error)})"
    lasting = {Cause.CORRUPT}
    if engines.is_sqlite:
        lasting |= {Cause.GONE, Cause.READ_ONLY}
    return Unusable(text) if cause in lasting else OutOfReach(text)


def prepare(engines: Engines, unwritten: Path | None) -> int:
    """Bring schema and index up to date; the number to go on from."""
    with left_in(unwritten) as left:
        with engines.writing.begin() as connection:
            prepare_database(connection)
            left.take_in(connection)
            last_id = _last_id(connection)
        if left:
            engines.flush()
            left.remove()
    try:
        indexed = indexer.prepare(engines)
    except SQLAlchemyError as error:
        if engines.index_path is None or cause_of(error) is not Cause.READ_ONLY:
            raise
        raise Unusable(
            f"the search index {engines.index_path} {Cause.READ_ONLY.value}; it may be removed: it "
            "is built anew"
        ) from error
    # After a power cut the index may know numbers that the messages have lost.
    return last_given(max(last_id, indexed), time.time())


def prepare_database(connection: Connection) -> None:
    """Bring the schema up to date, and give a new database, or a copy, an identity."""
    wait_for_others(connection)
    migrations.upgrade(connection)
    if get_meta(connection, IDENTITY) is None:
        put_meta(connection, IDENTITY, uuid4().hex)


def _last_id(connection: Connection) -> int:
    """The highest number in use, or ever used by messages that have been removed since."""
    newest = connection.execute(select(func.max(schema.messages.c.id))).scalar() or 0
    cursors = connection.execute(select(func.max(schema.clients.c.delivered_id))).scalar() or 0
    return max(LAST_IMPORTED_ID, newest, cursors, int(get_meta(connection, "last_id") or 0))
