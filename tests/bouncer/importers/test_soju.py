"""A soju database, built from its documented schema, comes over with either message store."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.importers.soju import import_soju
from storage import accounts, messages
from storage.errors import StorageError
from storage.store import Store
from tests.bouncer.importers.soju_file import say, soju_database


async def test_a_soju_comes_over_once(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "main.db"
    database = soju_database(path)
    for n in range(12_000):
        at = f"2024-01-01T00:00:{n // 500:02}.000Z"
        say(database, 1, at, f"@time={at};account=bob;msgid=i{n} :bob!b@h PRIVMSG #Ops :line {n}")
    say(database, 1, "2024-01-02T00:00:00.000Z", ":bob!b@h PART #Ops :good bye")
    say(database, 1, "2024-01-02T00:00:01.000Z", ":bob!b@h MODE #Ops +o carol")
    say(database, 2, "2024-01-02T00:00:02.000Z", ":bob!b@h PRIVMSG alice :psst")
    say(database, 2, "2024-01-02T00:00:03.000Z", ":alice!a@h PRIVMSG bob :yes?")
    say(database, 2, "2024-01-02T00:00:04.000Z", "::")
    database.commit()
    report = await import_soju(store, path, lambda *_: None)
    assert (report.users, report.networks, report.channels) == (1, 2, 1)
    assert report.messages == 12_004

    (user,) = await store.read(accounts.list_users)
    assert (user.admin, user.password_hash, user.nick) == (True, "$2a$10$hash", "al")
    libera, other = await store.read(accounts.list_networks, user.id)
    assert (libera.name, libera.uri) == ("libera", "ircs://irc.libera.chat")
    assert (libera.sasl_login, libera.sasl_password, libera.auto_away) == ("a", "pw", False)
    assert libera.connect_commands == ("MODE alice +B",)
    assert (other.name, other.uri) == (
        "irc.example.net:6667",
        "irc+insecure://irc.example.net:6667",
    )
    (ops,) = await store.read(accounts.list_channels, libera.id)
    assert (ops.key, ops.detached, ops.relay_detached) == ("k", True, "highlight")
    assert ops.detach_after_s == 600
    assert await store.read(accounts.list_markers, libera.id) == {"#ops": 1_704_067_205_000}

    rows = await store.read(messages.latest, libera.id, "#ops", 20_000)
    assert [row.text for row in rows[:12_000]] == [f"line {n}" for n in range(12_000)]
    assert (rows[5].msgid, rows[5].tags, rows[5].source) == ("i5", "account=bob", "bob!b@h")
    assert [(row.command, row.text) for row in rows[12_000:]] == [
        ("PART", ":good bye"),
        ("MODE", "+o carol"),
    ]
    private = await store.read(messages.latest, libera.id, "bob", 10)
    assert [(row.addressee, row.text) for row in private] == [("alice", "psst"), ("", "yes?")]

    say(database, 1, "2024-01-03T00:00:00.000Z", ":bob!b@h PRIVMSG #Ops :since then")
    database.commit()
    again = await import_soju(store, path, lambda *_: None)
    assert (again.users, again.networks, again.channels, again.messages) == (0, 0, 0, 1)
    (newest,) = await store.read(messages.latest, libera.id, "#ops", 1)
    assert newest.text == "since then"


async def test_an_interrupted_import_goes_on(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "main.db"
    database = soju_database(path)
    for n in range(16_000):
        say(database, 1, "2024-01-01T00:00:00.000Z", f":bob!b@h PRIVMSG #Ops :line {n}")
    database.commit()

    class Interrupted(Exception):
        pass

    def stop(_what: str, done: int, _total: int) -> None:
        if done >= 10_000:
            raise Interrupted

    with pytest.raises(Interrupted):
        await import_soju(store, path, stop)
    report = await import_soju(store, path, lambda *_: None)
    assert report.messages == 6_000
    (user,) = await store.read(accounts.list_users)
    network = (await store.read(accounts.list_networks, user.id))[0].id
    rows = await store.read(messages.latest, network, "#ops", 20_000)
    assert [row.text for row in rows] == [f"line {n}" for n in range(16_000)]


async def test_the_logs_of_the_fs_store_come_too(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "main.db"
    database = soju_database(path)
    database.executescript("DROP TABLE Message; DROP TABLE ReadReceipt;")
    database.commit()
    logs = tmp_path / "logs" / "alice" / "libera" / "#ops"
    logs.mkdir(parents=True)
    (logs / "2024-05-01.log").write_text("[10:00:00] <bob> from the file\n")
    for expected in (1, 0):
        report = await import_soju(store, path, lambda *_: None, tmp_path / "logs")
        assert report.messages == expected
    (user,) = await store.read(accounts.list_users)
    network = (await store.read(accounts.list_networks, user.id))[0].id
    (row,) = await store.read(messages.latest, network, "#ops", 10)
    assert row.text == "from the file"


async def test_what_is_no_soju_database_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_text("no database")
    with pytest.raises(StorageError, match="is not a soju database"):
        await import_soju(store, path, lambda *_: None)
    with pytest.raises(StorageError, match="is not a soju database"):
        await import_soju(store, tmp_path / "missing.db", lambda *_: None)
