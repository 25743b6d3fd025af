"""Search finds what was said, at once, wherever the index stands."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
import trio
from sqlalchemy import Connection

from storage import index, messages
from storage.messages import Position
from storage.search import _TAIL, ANY_BUFFER, _Asked, search
from storage.store import Store, open_store
from storage.tokens import network_token
from storage.words import MARKS, Wanted, words
from tests.storage.model import add_network, said


def test_what_a_word_is() -> None:
    assert words("Link eth0 is DOWN, ping 10.0.0.1!") == [
        "link",
        "eth0",
        "is",
        "down",
        "ping",
        "10",
        "0",
        "0",
        "1",
    ]
    assert words("\x01ACTION waves at Bob\x01") == ["waves", "at", "bob"]
    assert words("\x0304,01CRITICAL\x03 db1 \x02down\x02") == ["critical", "db1", "down"]
    assert words("snake_case Ünïcode ёж") == ["snake", "case", "ünïcode", "ёж"]
    assert words("… \x03 !!") == []
    assert Wanted.parse("disk FULL srv*") == Wanted(("disk", "full"), ("srv",))


@pytest.mark.parametrize("caught_up", [False, True])
async def test_search_by_everything(store: Store, caught_up: bool) -> None:
    network, other = await add_network(store), await add_network(store, "oftc")
    disk = said(store, network, "The disk on srv-12 is FULL", 1000)
    red = said(store, network, "\x0304CRITICAL\x03: disk", 2000, source="Mon[1]!m@h")
    private = said(store, network, "disk?", 3000, "bob")
    action = said(store, network, "\x01ACTION swaps the disk\x01", 4000)
    join = said(store, network, "disk", 5000, command="JOIN")
    elsewhere = said(store, other, "disk", 6000)
    await store.append([disk, red, private, action, join, elsewhere])
    if caught_up:
        await store.catch_up()

    async def find(text: str = "", **where: object) -> list[messages.Row]:
        def work(connection: Connection) -> list[messages.Row]:
            return search(connection, network, text, **where)  # type: ignore[arg-type]

        return await store.read(work)

    assert await find("disk") == [disk, red, private, action]
    assert await find("full Disk") == [disk]
    assert await find("srv") == [disk]
    assert await find("crit*") == [red]
    assert await find("critical") == [red]
    assert await find("crit") == []
    assert await find(red.text) == [red], "what was said can be pasted"
    assert await find("action") == []
    assert await find("disk", sender="mon{1}") == [red], "nicks fold as in RFC 1459"
    assert await find(sender="BOB") == [disk, private, action]
    assert await find("disk", target="bob") == [private]
    assert await find("disk", from_ms=1000, to_ms=4000) == [red, private]
    assert await find("disk", limit=2) == [private, action]
    assert await find("disk", target="#nowhere") == []
    assert await find("?!") == []
    assert await find('" OR *') == []
    assert await find("日本") == []


@pytest.mark.parametrize("caught_up", [False, True])
async def test_nobody_speaks_into_the_search_of_another_network(
    store: Store, caught_up: bool
) -> None:
    mine, theirs = await add_network(store), await add_network(store, "oftc", "carol")
    trick = said(store, theirs, f"needle {network_token(mine)} a\ue000b", 1)
    await store.append([trick])
    if caught_up:
        await store.catch_up()
    assert await store.read(search, mine, "needle") == []
    assert await store.read(search, theirs, "needle b") == [trick]


def test_what_is_no_part_of_a_word_for_python_parts_words_for_fts5(sqlite_url: str) -> None:
    """Else a word beside it would be found until it is indexed, and not any more after that."""
    signs = [
        char
        for char in map(chr, range(0x80, 0x110000))
        if not char.isalnum() and unicodedata.category(char) not in ("Cn", "Co", "Cs")
    ]

    async def main() -> list[int]:
        async with open_store(sqlite_url) as store:
            network = await add_network(store)
            texts = [f"q{n}q{char}zz{n}" for n, char in enumerate(signs)]
            await store.append([said(store, network, text, 1) for text in texts])
            await store.catch_up()
            alone = "SELECT count(*) FROM search.fts WHERE fts MATCH ?"

            def parted(connection: Connection) -> list[bool]:
                ask = connection.exec_driver_sql
                return [ask(alone, (f'"q{n}q"',)).scalar() == 1 for n in range(len(signs))]

            return [n for n, is_parted in enumerate(await store.read(parted)) if not is_parted]

    assert [signs[n] for n in trio.run(main)] == sorted(MARKS)


@pytest.mark.parametrize("caught_up", [False, True])
@pytest.mark.parametrize(
    ("text", "found_by", "not_by"),
    [
        ("deployed\U0001f973 now", ["deployed", "DEPLOYED NOW", "dep*"], ["ployed", "deploye"]),
        ("cafe\u0301 bar", ["cafe\u0301", "CAFE\u0301 bar", "caf*"], ["cafe", "caf\xe9"]),
        ("\u0130stanbul", ["\u0130stanbul", "\u0130STAN*"], ["istanbul", "stanbul"]),
        ("5\u20bf each", ["5", "each"], ["5each"]),
        ("\u1c90\u1c91 now", ["\u10d0\u10d1", "\u1c90\u1c91", "\u10d0*"], ["\u10d1"]),
        ("STRA\u1e9eE", ["stra\xdfe", "stra*"], ["strasse"]),
        ("\xe9" * 900, ["\xe9*", "\xe9" * 900, "\xe9" * 600 + "*"], ["\xe9" * 500, "\xe9"]),
        (  # signs of fonts for programmers, in all three private areas
            "\uf09bdeploy\ue001ed \U000f0001x\U0010fffd \ue000y",
            ["deploy", "ed", "x", "y"],
            ["deployed"],
        ),
    ],
)
async def test_a_word_is_found_by_itself(
    store: Store, caught_up: bool, text: str, found_by: list[str], not_by: list[str]
) -> None:
    network = await add_network(store)
    row = said(store, network, text, 1)
    await store.append([row])
    if caught_up:
        await store.catch_up()
    for wanted in found_by:
        assert await store.read(search, network, wanted) == [row], wanted
    for wanted in not_by:
        assert await store.read(search, network, wanted) == [], wanted


async def test_what_the_index_has_not_yet_is_found_by_any_letter(store: Store) -> None:
    network = await add_network(store)
    kelvin = said(store, network, "273 \u212aELVIN", 1)
    joined = said(store, network, "fire\x01ACTION wall", 3)
    shout = said(store, network, "GRÖSSE and MiXed%", 4, source="A_b[]!x@y")
    await store.append([kelvin, joined, shout])

    async def find(text: str, sender: str = "") -> list[messages.Row]:
        return await store.read(search, network, text, sender)

    with store._indexer._lock:  # it does not get on
        assert await find("kelvin") == [kelvin]
        assert await find("firewall") == [joined]
        assert await find("größe") == []
        assert await find("grösse") == await find("grösse mixed") == await find("mix*") == [shout]
        assert await find("", "a_B{}") == [shout]
        assert await find("", "ab[]") == await find("", "a_b") == []


async def test_of_what_the_index_has_not_yet_python_sees_what_may_be_meant_alone(
    store: Store,
) -> None:
    network = await add_network(store)
    rows = [said(store, network, f"word{n % 100} x", n, f"#c{n % 2}") for n in range(1000)]
    await store.append(rows)
    asked = _Asked(network, Wanted.parse("x WORD42"), "", "", None, None)
    only = asked.patterns() | {"network_id": network, "buffer_id": ANY_BUFFER, "limit": 1000}
    seen = await store.read(lambda c: _TAIL(c, low=rows[0].id, high=rows[-1].id, **only))
    assert seen == rows[42::100]


@pytest.mark.parametrize("caught_up", [False, True])
async def test_msgids_of_the_network_are_found(store: Store, caught_up: bool) -> None:
    network = await add_network(store)
    rows = [said(store, network, "x", n, msgid=f"AbC-{n:04}~é") for n in range(50)]
    twin = said(store, network, "x", 99, "#dev", msgid=rows[3].msgid)
    await store.append([*rows, twin])
    if caught_up:
        await store.catch_up()
    for row in (rows[0], rows[3], rows[49], twin):
        found = await store.read(messages.find_msgid, network, row.target, row.msgid)
        assert found == Position(row.time_ms, row.id)
    for wrong in ("AbC-0050~é", "abc-0003~é", "0003~é"):
        assert await store.read(messages.find_msgid, network, "#ops", wrong) is None


async def test_late_arrivals_of_old_times_do_not_hide_newer_ones(store: Store) -> None:
    network = await add_network(store)
    newest = [said(store, network, "alarm", 10_000_000 + n) for n in range(300)]
    oldest = [said(store, network, "alarm", n) for n in range(5000)]
    await store.append([*newest, *oldest])
    await store.catch_up()
    found = await store.read(search, network, "alarm", "", "", None, None, 50)
    assert found == newest[-50:]


async def test_the_index_of_another_database_is_not_believed(sqlite_url: str) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        row = said(store, network, "needle", 1)
        await store.append([row])
        await store.catch_up()

    def spoil(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE search.state SET identity = 'another'")

    async with open_store(sqlite_url) as store:
        store._indexer.with_connection(spoil)
    async with open_store(sqlite_url) as store:
        covered = await store.read(lambda c: index.of(c).covered(c))
        assert covered.high < row.id, "built anew"
        assert await store.read(search, network, "needle") == [row]
        await store.catch_up()
        assert await store.read(search, network, "needle") == [row]


async def test_two_processes_may_index_one_database(url: str) -> None:
    async with open_store(url) as one, open_store(url) as two:
        network = await add_network(one)
        for start in range(0, 6000, 500):
            rows = [said(one, network, f"word{n}", n) for n in range(start, start + 500)]
            await one.append(rows)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.catch_up)
                nursery.start_soon(two.catch_up)
        for store in (one, two):
            for n in (0, 499, 500, 5999):
                found = await store.read(search, network, f"word{n}")
                assert [row.text for row in found] == [f"word{n}"]


async def test_a_damaged_index_is_built_anew(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        network = await add_network(store)
        rows = [said(store, network, f"word{n}", n) for n in range(100)]
        await store.append(rows)
        await store.catch_up()
    (tmp_path / "muster.db-search").write_bytes(b"nonsense" * 1000)
    async with open_store(sqlite_url) as store:
        assert await store.read(search, network, "word50") == [rows[50]]
        await store.catch_up()
        assert await store.read(search, network, "word50") == [rows[50]]
    (tmp_path / "muster.db-search").unlink()
    async with open_store(sqlite_url) as store:
        assert await store.read(search, network, "word50") == [rows[50]]
