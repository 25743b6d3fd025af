"""The migrations build exactly the schema, and refuse what they do not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from storage import migrations, schema
from storage.errors import Unusable
from storage.store import Store, open_store


def differences(connection: Connection) -> list[object]:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in schema.metadata.tables

    # Alembic compares SQLite's defaults as text, and takes the quotes of '' for a difference.
    defaults = connection.dialect.name != "sqlite"
    options = {"compare_type": True, "compare_server_default": defaults, "include_name": is_ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, schema.metadata))


async def test_a_migrated_database_has_the_schema_of_the_code(store: Store) -> None:
    assert await store.read(differences) == []


def test_the_list_of_revisions_is_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS


async def test_a_database_of_a_newer_release_is_refused(url: str) -> None:
    async with open_store(url) as store:
        await store.run(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9'")))
    with pytest.raises(Unusable, match="made by a newer release of Muster"):
        async with open_store(url):
            pass


async def test_wrong_urls_are_explained() -> None:
    for url, why in {
        "nonsense": "not a database URL",
        "sqlite://": "in-memory",
        "mysql://host/db": "mysql is not supported",
    }.items():
        with pytest.raises(Unusable, match=why):
            async with open_store(url):
                pass
