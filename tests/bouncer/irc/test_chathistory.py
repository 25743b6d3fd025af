"""CHATHISTORY and MARKREAD as clients send them. Quotes: IRCv3 chathistory, read-marker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.chathistory import (
    HistoryRequest,
    MsgId,
    Subcommand,
    Timestamp,
    invalid_target,
    message_error,
    parse_request,
    target_line,
)
from bouncer.irc.read_marker import MarkRead, markread_line, parse_markread
from bouncer.irc.standard_replies import Refused
from bouncer.irc.timestamps import format_time, parse_time
from bouncer.irc.wire import Message

TIME = "2019-01-04T14:34:17.123Z"
TIME_MS = 1546612457123


def asks(line: str, max_limit: int = 100) -> HistoryRequest:
    return parse_request(Message.parse(line).params, max_limit)


def refusal(line: str) -> str:
    with pytest.raises(Refused) as caught:
        asks(line)
    return str(caught.value.reply("s"))


def test_the_subcommands() -> None:
    at, msgid = Timestamp(TIME_MS), MsgId("1234")
    assert asks("CHATHISTORY LATEST #c * 50") == (Subcommand.LATEST, "#c", None, None, 50)
    assert asks("CHATHISTORY latest #c msgid=1234 50") == (
        Subcommand.LATEST, "#c", msgid, None, 50,
    )  # fmt: skip
    assert asks(f"CHATHISTORY BEFORE bob timestamp={TIME} 50") == (
        Subcommand.BEFORE, "bob", at, None, 50,
    )  # fmt: skip
    assert asks("CHATHISTORY AFTER #c msgid=1234 50").start == msgid
    assert asks("CHATHISTORY AROUND #c msgid=1234 50").subcommand is Subcommand.AROUND
    assert asks(f"CHATHISTORY BETWEEN #c msgid=1234 timestamp={TIME} 50") == (
        Subcommand.BETWEEN, "#c", msgid, at, 50,
    )  # fmt: skip
    assert asks(f"CHATHISTORY TARGETS timestamp={TIME} timestamp={TIME} 50") == (
        Subcommand.TARGETS, "", at, at, 50,
    )  # fmt: skip


def test_a_msgid_may_hold_an_equals_sign() -> None:
    assert asks("CHATHISTORY AFTER #c msgid=a=b== 1").start == MsgId("a=b==")


def test_the_limit_is_what_the_server_allows() -> None:
    assert asks("CHATHISTORY LATEST #c * 1000").limit == 100
    assert asks("CHATHISTORY LATEST #c * 0").limit == 100
    assert asks("CHATHISTORY LATEST #c * 1000", max_limit=0).limit == 1000


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("CHATHISTORY", "* :Insufficient parameters"),
        ("CHATHISTORY FOO #c * 5", "FOO :Unknown command"),
        ("CHATHISTORY :a b", "a_b :Unknown command"),
        ("CHATHISTORY LATEST #c *", "LATEST :Insufficient parameters"),
        ("CHATHISTORY BETWEEN #c * 5", "BETWEEN :Insufficient parameters"),
        ("CHATHISTORY LATEST #c * 5 6", "LATEST :Too many parameters"),
        ("CHATHISTORY LATEST #c * x", "LATEST x :Invalid limit"),
        ("CHATHISTORY LATEST #c * -5", "LATEST -5 :Invalid limit"),
        ("CHATHISTORY LATEST #c * ٣", "LATEST ٣ :Invalid limit"),
        ("CHATHISTORY AFTER #c timestamp=1 5", "AFTER timestamp=1 :Invalid timestamp"),
        ("CHATHISTORY AFTER #c msgid= 5", "AFTER msgid= :Invalid message id"),
    ],
)
def test_what_cannot_be_read_is_answered_by_invalid_params(line: str, reply: str) -> None:
    assert refusal(line) == f":s FAIL CHATHISTORY INVALID_PARAMS {reply}"


def test_references_nobody_knows() -> None:
    for line in ("CHATHISTORY AFTER #c * 5", "CHATHISTORY AFTER #c id=4 5"):
        assert refusal(line).startswith(":s FAIL CHATHISTORY INVALID_MSGREFTYPE AFTER #c ")
    # TARGETS: "they MUST be timestamps and not msgids"
    assert "INVALID_MSGREFTYPE" in refusal("CHATHISTORY TARGETS msgid=1 msgid=2 5")


def test_the_replies_the_caller_needs() -> None:
    request = asks("CHATHISTORY LATEST #c * 5")
    assert str(invalid_target(request).reply("s")) == (
        ":s FAIL CHATHISTORY INVALID_TARGET LATEST #c :Messages could not be retrieved"
    )
    assert "MESSAGE_ERROR LATEST #c" in str(message_error(request).reply("s"))
    assert str(target_line("#c", TIME_MS, "s")) == f":s CHATHISTORY TARGETS #c {TIME}"


@given(st.lists(st.text(max_size=20), max_size=7))
def test_any_parameters_are_a_request_or_a_refusal(params: list[str]) -> None:
    reply = Message("FAIL")
    try:
        assert parse_request(params, 100).limit <= 100
    except Refused as refused:
        reply = refused.reply("s")
    assert Message.parse(str(reply)) == reply


def test_times() -> None:
    assert parse_time(TIME) == TIME_MS
    assert parse_time("2019-01-04T14:34:17Z") == TIME_MS - 123
    assert parse_time("2019-01-04T14:34:17.1239999Z") == TIME_MS
    assert parse_time("1970-01-01T00:00:00.000Z") == 0
    assert parse_time("2016-12-31T23:59:60.000Z") == parse_time("2016-12-31T23:59:59.000Z")
    for text in (
        "",
        "2019-02-30T00:00:00.000Z",
        "2019-01-04 14:34:17Z",
        "٢019-01-04T14:34:17Z",
        "2019-01-04T25:00:00Z",
        "2019-01-04T14:34:61Z",
        "0000-01-01T00:00:00Z",
        TIME + "x",
    ):
        assert parse_time(text) is None


@given(st.integers(-62135596800000, 253402300799999))
def test_times_survive_the_wire(time_ms: int) -> None:
    assert parse_time(format_time(time_ms)) == time_ms


def test_markread() -> None:
    assert parse_markread(("#c",)) == MarkRead("#c", None)
    assert parse_markread(("#c", f"timestamp={TIME}")) == MarkRead("#c", TIME_MS)
    assert str(markread_line("#c", TIME_MS, "s")) == f":s MARKREAD #c timestamp={TIME}"
    assert str(markread_line("#c", None, "s")) == ":s MARKREAD #c *"
    wrong: list[tuple[tuple[str, ...], str]] = [
        ((), "NEED_MORE_PARAMS"),
        (("",), "NEED_MORE_PARAMS"),
        (("#c", "x"), "INVALID_PARAMS"),
        (("#c", "timestamp=x"), "INVALID_PARAMS"),
    ]
    for params, code in wrong:
        with pytest.raises(Refused) as caught:
            parse_markread(params)
        assert caught.value.code == code
