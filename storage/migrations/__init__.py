"""Bringing a database to the schema of this release: an empty one as the schema says, any other by
Alembic. Both end the same.

Rule for every revision: it runs while the previous release still serves, so it only adds (expand);
what is no longer used is dropped one release later (contract).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, text

from storage import schema
from storage.errors import Unusable

# Every revision in order; the last is this release's. Kept here so that a new and an up-to-date
# database open without loading Alembic, which takes longer than serving may.
REVISIONS = ("0001", "0002", "0003", "0004")
# As Alembic would make it.
_STANDS_AT = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def revision_of(connection: Connection) -> str | None:
    """The revision a database stands at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection) -> bool:
    """Make or migrate all within the caller's transaction; whether anything was to do.

    Raises Unusable for a database that a newer release has migrated further.
    """
    found = revision_of(connection)
    if found == REVISIONS[-1]:
        return False
    if found is not None and found not in REVISIONS:
        raise Unusable(
            f"the database was made by a newer release of Muster (its schema is {found}, this "
            f"release knows up to {REVISIONS[-1]}); upgrade Muster, or restore a backup"
        )
    if found is None:
        _make(connection)
    else:
        migrate(connection)
    return True


def _make(connection: Connection) -> None:
    schema.metadata.create_all(connection, checkfirst=False)
    _STANDS_AT.create(connection, checkfirst=True)
    connection.execute(_STANDS_AT.insert().values(version_num=REVISIONS[-1]))


def migrate(connection: Connection) -> None:
    """By Alembic, from where the database stands."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
