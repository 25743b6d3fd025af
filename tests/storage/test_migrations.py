"""The migrations build exactly the schema, and refuse what they do not know."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from operator import itemgetter
from pathlib import Path

import psycopg
import pytest
import trio
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from storage import accounts, index, messages, migrations, schema
from storage.directory import get_meta
from storage.engine import make_engines
from storage.errors import Unusable
from storage.records import User
from storage.search import search
from storage.store import Store, open_store
from storage.vault import Vault


def differences(connection: Connection) -> list[object]:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in schema.metadata.tables

    # Alembic compares SQLite's defaults as text, and takes the quotes of '' for a difference.
    defaults = connection.dialect.name != "sqlite"
    options = {"compare_type": True, "compare_server_default": defaults, "include_name": is_ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, schema.metadata))


def layout(connection: Connection) -> dict[str, object]:
    """All that a database says of its tables; columns by name, for added ones come last."""
    found = inspect(connection)
    parts = (found.get_foreign_keys, found.get_indexes, found.get_unique_constraints)
    layout: dict[str, object] = {}
    for table in found.get_table_names():
        columns = sorted(found.get_columns(table), key=itemgetter("name"))
        shown = [str({**each, "type": str(each["type"])}) for each in columns]
        sets = [sorted(map(str, ask(table))) for ask in parts]
        layout[table] = shown, str(found.get_pk_constraint(table)), sets
    if connection.dialect.name == "sqlite":
        tables = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY 1"
        layout["numbers never given again"] = connection.execute(text(tables)).all()
    return layout


async def test_a_new_database_is_as_a_migrated_one(url: str) -> None:
    engines = make_engines(url, Vault(None))
    layouts, stands_at = [], []
    for make in (migrations.migrate, migrations.upgrade):
        with engines.writing.connect() as connection:
            make(connection)
            layouts.append(layout(connection))
            stands_at.append(migrations.revision_of(connection))
            connection.rollback()
    engines.dispose()
    assert layouts[0] == layouts[1]
    assert {"messages", "alembic_version"} <= layouts[0].keys()
    assert stands_at == [migrations.REVISIONS[-1]] * 2


async def test_a_new_database_has_the_schema_of_the_code(store: Store) -> None:
    assert await store.read(differences) == []


def test_a_new_database_is_made_without_alembic(tmp_path: Path) -> None:
    """A first start, and each command on a new database, would wait for it."""
    script = (
        "import sys, trio; from storage.store import open_store\n"
        "async def main():\n"
        f"    async with open_store('sqlite:///{tmp_path}/muster.db'):\n"
        "        print([m for m in ('alembic', 'mako') if m in sys.modules])\n"
        "trio.run(main)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "[]\n", said


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
        "postgresql://host:port/db": "the port of the database's URL is no number",
        "postgresql://::1/db": "an IPv6 address in brackets",
    }.items():
        with pytest.raises(Unusable, match=why):
            async with open_store(url):
                pass


FROZEN = sorted((Path(__file__).parent / "frozen").glob("*.sql"))


def load_frozen(url: str, script: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute(script.encode())


@pytest.mark.parametrize("frozen", FROZEN, ids=[path.stem for path in FROZEN])
async def test_the_database_of_each_release_is_brought_up_to_date(
    frozen: Path, request: pytest.FixtureRequest
) -> None:
    """Each file is a database as that release left it, dumped; none is ever changed again."""
    url = request.getfixturevalue(f"{frozen.stem.partition('-')[2]}_url")
    load_frozen(url, frozen.read_text())
    async with open_store(url) as store:
        assert await store.read(differences) == []
        (alice,) = await store.read(accounts.list_users)
        assert (alice.name, alice.admin, alice.keep_age_s) == ("alice", True, 86400)
        (network,) = await store.read(accounts.list_networks, alice.id)
        assert (network.password, network.rate) == ("pw", 2.5)
        assert network.connect_commands == ("MODE alice +B",)
        (channel,) = await store.read(accounts.list_channels, network.id)
        assert (channel.name, channel.key, channel.detached) == ("#Ops", "k", True)
        rows = await store.read(messages.latest, network.id, "#ops", 10)
        assert [row.text for row in rows] == [f"line {n} it's" for n in range(3)]
        assert rows[0].source == "bob!b@example.net"
        (client,) = await store.read(accounts.list_clients, network.id)
        assert client.delivered_id == rows[1].id
        assert [agent.name for agent in await store.read(accounts.list_agents)] == ["one"]
        assert (await store.read(accounts.get_staff, "alice")).keys == (("recovery", "h"),)
        assert await store.read(search, network.id, "line 1") == [rows[1]]
        assert store.next_id() > rows[-1].id
        assert (await store.run(accounts.add_user, User(name="bob"))).id > alice.id


class Earlier:
    """A release that serves, by what it was recorded to say (record.py)."""

    def __init__(self, url: str, recorded: Path) -> None:
        self._engines = make_engines(url, Vault(None))
        self._left = [json.loads(line) for line in recorded.read_text().splitlines()]
        self._connections = {
            name: getattr(self._engines, name).connect()
            for name in ("writing", "reading", "indexing")
        }
        connection = self._connections["indexing"]
        with connection.begin():
            index.of(connection).prepare(connection, str(get_meta(connection, "identity")))

    def go_on(self, part: float) -> None:
        """Say so much of what is left; raises what the database says to it."""
        count = round(len(self._left) * part)
        for name, statement, sets in self._left[:count]:
            with self._connections[name].begin():
                for values in sets:
                    given = values if isinstance(values, dict) else tuple(values)
                    self._connections[name].exec_driver_sql(statement, given)
        del self._left[:count]

    def end(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._engines.dispose()


@pytest.mark.parametrize("part", [0, 0.5, 1])
@pytest.mark.parametrize("frozen", FROZEN, ids=[path.stem for path in FROZEN])
async def test_each_release_goes_on_serving_while_this_one_migrates_and_after(
    frozen: Path, request: pytest.FixtureRequest, part: float
) -> None:
    """Its connections stay open through the migration, which comes after a part of its life."""
    url = request.getfixturevalue(f"{frozen.stem.partition('-')[2]}_url")
    load_frozen(url, frozen.read_text())
    earlier = Earlier(url, frozen.with_suffix(".jsonl"))
    try:
        earlier.go_on(part)
        async with open_store(url) as store:
            assert await store.read(differences) == []
            await trio.to_thread.run_sync(earlier.go_on, 1.0)
            bob = await store.read(accounts.get_user, "bob")
            (oftc,) = await store.read(accounts.list_networks, bob.id)
            rows = await store.read(messages.latest, oftc.id, "#dev", 10)
            assert [row.text for row in rows] == ["first words", "second words"]
            assert await store.read(search, oftc.id, "second") == rows[1:]
    finally:
        earlier.end()
