"""The common log format, read and written."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bouncer.importers.loglines import Conversation, Said, format_row, parse_line, rows_of
from storage.messages import Row

OPS = Conversation(1, "#ops", "alice")
DAY = date(2024, 5, 1)
MIDNIGHT_MS = 1_714_521_600_000


def test_each_form_is_read_and_written_back() -> None:
    for line, command, source, text in (
        ("<bob> hello :) there", "PRIVMSG", "bob", "hello :) there"),
        ("<bob> ", "PRIVMSG", "bob", ""),
        ("* bob waves", "PRIVMSG", "bob", "\x01ACTION waves\x01"),
        ("-srv- maintenance", "NOTICE", "srv", "maintenance"),
        ("*** Joins: bob (b@example.net)", "JOIN", "bob!b@example.net", ""),
        ("*** Parts: bob (b@example.net) (bye (really))", "PART", "bob!b@example.net",
         ":bye (really)"),
        ("*** Quits: bob (b@example.net) ()", "QUIT", "bob!b@example.net", ""),
        ("*** carol was kicked by bob (out)", "KICK", "bob", "carol :out"),
        ("*** bob is now known as bob_", "NICK", "bob", ":bob_"),
        ("*** bob changes topic to 'it's fine'", "TOPIC", "bob", ":it's fine"),
        ("*** bob sets mode: +ov carol dave", "MODE", "bob", "+ov carol dave"),
    ):  # fmt: skip
        assert parse_line(f"[01:02:03] {line}") == Said(3723, command, source, text)
        row = Row(1, 1, "#ops", "#ops", 0, "", command, source, "", "", text)
        assert format_row(row) == line


def test_what_is_no_message_gives_none() -> None:
    for line in ("", "hello", "[1:2:3] <a> b", "[01:02:03] nothing", "[01:02:03] *** Connected!"):
        assert parse_line(line) is None


@given(st.text())
def test_any_line_is_a_value(text: str) -> None:
    parse_line(text)
    parse_line(f"[00:00:00] {text}")
    parse_line(f"[00:00:00] *** {text}")


def test_lines_of_one_second_keep_their_order() -> None:
    lines = ["[00:00:01] <bob> a", "[00:00:01] <bob> b", "- a remark -", "[00:00:02] <bob> c"]
    rows = list(rows_of(lines, DAY, UTC, OPS))
    assert rows[2] is None
    assert [row.time_ms - MIDNIGHT_MS for row in rows if row] == [1000, 1001, 2000]


def test_the_hour_that_comes_twice() -> None:
    lines = ["[02:30:00] <bob> summer", "[02:59:59] <bob> still", "[02:00:01] <bob> winter"]
    zone = ZoneInfo("Europe/Berlin")
    times = [row.time_ms for row in rows_of(lines, date(2023, 10, 29), zone, OPS) if row]
    assert times == sorted(times)
    assert times[2] - times[1] == 2000


def test_private_messages_know_whom_they_were_for_and_secrets_are_dropped() -> None:
    query = Conversation(1, "Bob", "alice")
    lines = ["[00:00:00] <bob> psst", "[00:00:01] <alice> what"]
    to_us, from_us = rows_of(lines, DAY, UTC, query)
    assert to_us is not None
    assert from_us is not None
    assert (to_us.target, to_us.addressee, from_us.addressee) == ("bob", "alice", "")
    services = Conversation(1, "nickserv", "alice")
    lines = ["[00:00:00] <alice> IDENTIFY hunter2", "[00:00:01] <alice> info bob"]
    identify, info = rows_of(lines, DAY, UTC, services)
    assert identify is None
    assert info is not None
