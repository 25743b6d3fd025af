"""Copies of a database: a backup of the SQLite file while serving, a move between the two kinds,
and the sealing of secrets under a new key."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select, text, true, update
from sqlalchemy.exc import SQLAlchemyError

from storage import migrations, schema, solitude
from storage.engine import Engines, make_engines
from storage.errors import AlreadyThere, StorageError
from storage.index import IDENTITY
from storage.message import storable
from storage.rows import SECRETS, vault_of
from storage.trouble import cause_of, in_a_line
from storage.vault import Vault

MOVE_ROWS = 5_000  # per statement

# Of networks that were removed messages may be left, until the next pruning: numbers are given anew
# in the new database, and they would show up in another network.
_WORTH = {schema.messages: schema.messages.c.network_id.in_(select(schema.networks.c.id))}

Progress = Callable[[str, int, int], None]  # table, rows done, rows in all


def backup(connection: Connection, path: str) -> int:
    """Write a consistent copy of the SQLite database to `path`; its size in bytes.

    Others read and write meanwhile. The copy appears under its name when it is whole. The search
    index is not in it: it is built anew from the messages.
    """
    if connection.dialect.name != "sqlite":
        raise StorageError("PostgreSQL is backed up by its own tools: pg_dump DATABASE > FILE")
    target = Path(path)
    if target.exists():
        raise AlreadyThere(f"{target} exists; name another file")
    part = target.with_name(target.name + ".part")
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        copy = sqlite3.connect(part)
        try:
            driver.backup(copy, name="main")
            # Restored beside a later index, it shall not take that for its own.
            copy.execute("DELETE FROM meta WHERE key = ?", (IDENTITY,))
            copy.commit()
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{part}{suffix}").unlink(missing_ok=True)
        cause = cause_of(error)
        why = cause.value if cause else str(error)
        if isinstance(error, OSError):  # the folder's, not the database's
            why = f"{error.strerror}: {error.filename or target.parent}"
        raise StorageError(f"the backup {target} failed: {why}") from error
    return target.stat().st_size


def move(source_url: str, target_url: str, progress: Progress | None = None) -> int:
    """Copy everything of one database into another, empty one; the number of messages.

    All or nothing: the target is filled in one transaction. Secrets stay sealed as they are.
    Nobody may write the source meanwhile: stop the bouncer first. Raises StorageError.
    """
    vault = Vault(None)
    source, target = make_engines(source_url, vault), make_engines(target_url, vault, "full")
    try:
        return _move(source, target, progress)
    except SQLAlchemyError as error:
        cause = cause_of(error)
        reason = in_a_line(error)
        raise StorageError(
            f"nothing was moved: a database {cause.value} ({reason})"
            if cause
            else f"nothing was moved: {reason}"
        ) from error
    finally:
        source.dispose()
        target.dispose()


def _move(source: Engines, target: Engines, progress: Progress | None) -> int:
    # Beginning takes the write lock of a file: nobody changes it under us.
    with source.writing.begin() as old, target.writing.begin() as new:
        solitude.reserve(old)
        solitude.reserve(new)
        migrations.upgrade(old)
        migrations.upgrade(new)
        for table in schema.metadata.sorted_tables:
            _copy(old, new, table, progress)
        _set_sequences(new)
        return int(new.execute(select(func.count(schema.messages.c.id))).scalar_one())


def _copy(old: Connection, new: Connection, table: Table, progress: Progress | None) -> None:
    if new.execute(select(table).limit(1)).first() is not None:
        raise AlreadyThere("the target database is not empty; name a new one")
    worth = _WORTH.get(table, true())
    total = int(old.execute(select(func.count()).select_from(table).where(worth)).scalar_one())
    key = next(iter(table.primary_key))
    done = 0
    last = None
    while done < total:
        query = select(table).where(worth).order_by(key).limit(MOVE_ROWS)
        if last is not None:
            query = query.where(key > last)
        rows = [
            {name: storable(value) for name, value in row.items()}  # an import brought NUL
            for row in old.execute(query).mappings()
        ]
        new.execute(insert(table), rows)
        last = rows[-1][key.name]
        done += len(rows)
        if progress is not None:
            progress(table.name, done, total)


def _set_sequences(connection: Connection) -> None:
    """Let PostgreSQL number on above what was copied."""
    if connection.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        if "id" in table.c and table is not schema.messages:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name}), false)"
                )
            )


def seal_anew(connection: Connection) -> int:
    """Seal every secret with the newest key; how many it were.

    Give the store a key file with the new key first and the old ones below it, run this, then
    remove the old ones. Secrets stored in the plain are sealed too.
    """
    vault = vault_of(connection)
    if connection.dialect.name == "postgresql":  # or they could be lost after the old keys are
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
    count = 0
    for table, columns in SECRETS.items():
        for row in connection.execute(select(table)).mappings().all():
            values = {name: vault.seal(vault.open(row[name])) for name in columns if row[name]}
            if values:
                connection.execute(update(table).where(table.c.id == row["id"]).values(**values))
                count += len(values)
    return count
