"""A soju database, built from its documented schema, comes over with either message store."""

from __future__ import annotations

import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.importers.soju import import_soju
from bouncer.importers.sojureceipts import InDatabase, InFile, parse_sent
from storage import accounts, messages
from storage.errors import StorageError
from storage.store import Store
from tests.bouncer.importers.soju_file import say, soju_database
from tests.storage import noted

Made = Callable[[Path], sqlite3.Connection]


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes databases of soju, and closes them at the end."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(soju_database(path)))


async def test_a_soju_comes_over_once(store: Store, tmp_path: Path, made: Made) -> None:
    path = tmp_path / "main.db"
    database = made(path)
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
        "irc.example.net_6667",  # a colon could not be typed in commands and logins
        "irc+insecure://irc.example.net:6667",
    )
    (ops,) = await store.read(accounts.list_channels, libera.id)
    assert (ops.key, ops.detached, ops.relay_detached) == ("k", True, "highlight")
    assert ops.detach_after_s == 600
    assert await store.read(noted.markers, libera.id) == {"#ops": 1_704_067_205_000}

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


async def test_names_that_no_login_takes_are_changed_and_told(
    store: Store, tmp_path: Path, made: Made
) -> None:
    path = tmp_path / "main.db"
    database = made(path)
    database.executescript(
        "UPDATE User SET username = 'al/ice'; UPDATE Network SET name = 'my net' WHERE id = 7;"
        "UPDATE Network SET name = 'my/net', addr = 'irc.example.net:x' WHERE id = 8;"
    )
    say(database, 1, "2024-01-01T00:00:00.000Z", ":bob!b@h PRIVMSG #Ops :from the database")
    database.commit()
    logs = tmp_path / "logs" / "al-ice" / "my-net" / "#ops"
    logs.mkdir(parents=True)
    (logs / "2024-05-01.log").write_text("[10:00:00] <bob> from the file\n")
    report = await import_soju(store, path, lambda *_: None, tmp_path / "logs")
    assert (report.users, report.networks, report.messages) == (1, 2, 2)
    assert "al/ice: is called al_ice here, as logins and commands take it" in report.notes
    assert "my net: is called my_net here, as logins and commands take it" in report.notes
    assert "my/net: is called my_net_ here, as logins and commands take it" in report.notes
    (unreachable,) = (note for note in report.notes if "cannot be reached" in note)
    assert unreachable.startswith("my_net_: its server cannot be reached")
    again = await import_soju(store, path, lambda *_: None, tmp_path / "logs")
    assert (again.users, again.networks, again.messages) == (0, 0, 0)
    (user,) = await store.read(accounts.list_users)
    one, two = await store.read(accounts.list_networks, user.id)
    said = [
        [row.text for row in await store.read(messages.latest, network.id, "#ops", 9)]
        for network in (one, two)
    ]
    assert said == [["from the database"], ["from the file"]]


async def test_lines_of_any_encoding_come_over(store: Store, tmp_path: Path, made: Made) -> None:
    """soju keeps lines as they came; SQLite calls that a text whatever it is."""
    path = tmp_path / "soju #1?.db"  # signs of URIs
    database = made(path)
    at = "2024-01-02T00:00:00.000Z"
    raw = b":bob!b@h PRIVMSG #Ops :caf\xe9\0"
    database.execute(
        "INSERT INTO Message (target, raw, time, sender, text) "
        "VALUES (1, CAST(? AS TEXT), ?, CAST(? AS TEXT), '')",
        (raw, at, b"b\xf6b"),
    )
    database.execute("UPDATE User SET realname = CAST(? AS TEXT)", (b"Al\xefce\0",))
    database.commit()
    assert (await import_soju(store, path, lambda *_: None)).messages == 1
    (user,) = await store.read(accounts.list_users)
    assert user.realname == "Alïce"
    libera = (await store.read(accounts.list_networks, user.id))[0]
    (row,) = await store.read(messages.latest, libera.id, "#ops", 10)
    assert row.text == "café"


async def test_an_interrupted_import_goes_on(store: Store, tmp_path: Path, made: Made) -> None:
    path = tmp_path / "main.db"
    database = made(path)
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


async def test_the_logs_of_the_fs_store_come_too(store: Store, tmp_path: Path, made: Made) -> None:
    path = tmp_path / "main.db"
    database = made(path)
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
    with pytest.raises(StorageError, match=": no such file"):
        await import_soju(store, tmp_path / "missing.db", lambda *_: None)


def internal_msgid(target: str, kind: int, *body: int) -> str:
    """As soju makes it: a frame (version, network, target, type), then what the store put in."""
    octets = varint(0) + varint(7 << 1) + varint(len(target)) + target.encode() + varint(kind)
    octets += b"".join(map(varint, body))
    return urlsafe_b64encode(octets).decode().rstrip("=")


def varint(number: int) -> bytes:
    octets = b""
    while number >= 0x80:
        octets += bytes([number & 0x7F | 0x80])
        number >>= 7
    return octets + bytes([number])


def zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def deliver(database: sqlite3.Connection, target: str, client: str | None, msgid: str) -> None:
    database.execute(
        "INSERT INTO DeliveryReceipt (network, target, client, internal_msgid) VALUES (7, ?, ?, ?)",
        (target, client, msgid),
    )


def test_receipts_are_read_and_nonsense_is_none() -> None:
    assert parse_sent(internal_msgid("#Ops", 3, 300)) == InDatabase(300)
    words = (zigzag(2024), zigzag(5), zigzag(1), zigzag(-1))
    assert parse_sent(internal_msgid("#Ops", 2, *words)) == InFile(date(2024, 5, 1), -1)
    assert parse_sent(internal_msgid("#Ops", 1, 5)) is None, "it was in memory alone"
    impossible = internal_msgid("#Ops", 2, zigzag(2024), zigzag(13), zigzag(1), 0)
    for wrong in ("", "AA", "é", "****", internal_msgid("#Ops", 3)[:-1], impossible):
        assert parse_sent(wrong) is None


@given(st.text() | st.binary().map(lambda octets: urlsafe_b64encode(octets).decode()))
def test_any_receipt_is_a_value(text: str) -> None:
    parse_sent(text)


async def unread(store: Store, network_id: int) -> dict[str, list[str]]:
    """What each client would be played."""
    return {
        client.name: [
            row.text
            for row in await store.read(messages.since, network_id, client.delivered_id, 100)
        ]
        for client in await store.read(accounts.list_clients, network_id)
    }


async def libera(store: Store) -> int:
    (user,) = await store.read(accounts.list_users)
    return (await store.read(accounts.list_networks, user.id))[0].id


async def test_each_client_goes_on_where_it_was(store: Store, tmp_path: Path, made: Made) -> None:
    path = tmp_path / "main.db"
    database = made(path)
    for n in range(6):  # numbers 1 to 6
        time = f"2024-01-01T00:00:0{n}.000Z"
        target, to = ((1, "#Ops"), (2, "alice"))[n % 2]
        say(database, target, time, f":bob!b@h PRIVMSG {to} :line {n}")
    for target, client, number in (
        ("#Ops", "phone", 3),  # so "line 4" is left out
        ("bob", "phone", 6),
        ("#Ops", "desk", 5),  # nothing is
        ("bob", "desk", 6),
        ("#Ops", None, 5),  # "line 3" is, and then what came after it again
        ("bob", None, 2),
    ):
        deliver(database, target, client, internal_msgid(target, 3, number))
    deliver(database, "#Ops", "odd", "what")
    database.commit()
    assert (await import_soju(store, path, lambda *_: None)).clients == 3
    expected = {"phone": ["line 4", "line 5"], "desk": [], "": ["line 3", "line 4", "line 5"]}
    assert await unread(store, await libera(store)) == expected
    say(database, 1, "2024-01-02T00:00:00.000Z", ":bob!b@h PRIVMSG #Ops :since then")
    deliver(database, "#Ops", "late", internal_msgid("#Ops", 3, 7))
    database.commit()
    assert (await import_soju(store, path, lambda *_: None)).clients == 0, "later runs move nobody"
    assert await unread(store, await libera(store)) == expected


async def test_each_client_goes_on_where_it_was_in_the_logs(
    store: Store, tmp_path: Path, made: Made
) -> None:
    path = tmp_path / "main.db"
    database = made(path)
    logs = tmp_path / "logs" / "alice" / "libera" / "#ops"
    logs.mkdir(parents=True)
    lines = [f"[10:00:0{n // 2}] <bob> line {n}\n" for n in range(4)]
    (logs / "2024-05-01.log").write_text("".join(lines))
    (logs / "2024-05-02.log").write_text("[09:00:00] <bob> the next day\n")
    day = (zigzag(2024), zigzag(5))
    second = zigzag(len(lines[0]))  # where "line 1" begins
    for client, where in (
        ("phone", (*day, zigzag(1), second)),
        ("desk", (*day, zigzag(2), zigzag(0))),
        ("new", (*day, zigzag(2), zigzag(-1))),
        ("gone", (*day, zigzag(3), zigzag(5))),
    ):
        deliver(database, "#ops", client, internal_msgid("#ops", 2, *where))
    database.commit()
    await import_soju(store, path, lambda *_: None, tmp_path / "logs")
    assert await unread(store, await libera(store)) == {
        "phone": ["line 2", "line 3", "the next day"],
        "desk": [],
        "new": ["the next day"],
        "gone": [],
    }
