"""A page is read ahead for who goes on from page to page, and is what it would be if read later."""

from __future__ import annotations

import pytest
from outcome import Error, Value

from bouncer.ahead import FRESH_S, Ahead
from bouncer.irc.chathistory import HistoryRequest, MsgId, Selector, Subcommand, Timestamp
from bouncer.session.lookups import Marker, NoAnswer, ReadHistory, ReadMarker, Rows
from storage.message import Row

LIMIT = 3
LATEST = ReadHistory(HistoryRequest(Subcommand.LATEST, "#Ops", None, None, LIMIT), "#ops")


def page(*ids: int) -> Value[Rows]:
    return Value(Rows([row(number) for number in ids]))


def row(number: int) -> Row:
    msgid = f"net-{number}" if number % 2 else ""  # of every other message the network tells one
    return Row(
        number, 1, "#ops", "#Ops", 1_000 + number, msgid, "PRIVMSG", "bob!b@h", "", "", "hello"
    )


def question(command: Subcommand, start: Selector, limit: int = LIMIT) -> ReadHistory:
    return ReadHistory(HistoryRequest(command, "#Ops", start, None, limit), "#ops")


def before(start: Selector) -> ReadHistory:
    return question(Subcommand.BEFORE, start)


@pytest.fixture
def ahead() -> Ahead:
    """Of a client that has gone on from its first page, to a page that ends at 4."""
    client = Ahead()
    assert client.take(LATEST, 0.0) is None
    assert client.answered(LATEST, page(7, 8, 9), 0.0) is None, "who knows whether it goes on"
    second = before(MsgId("net-7"))
    assert client.take(second, 0.0) is None
    third = client.answered(second, page(4, 5, 6), 0.0)
    assert third is not None
    assert third.question == before(MsgId("m4"))
    third.answer = page(1, 2, 3)
    return client


def test_who_goes_on_gets_the_page_that_was_read_ahead(ahead: Ahead) -> None:
    found = ahead.take(before(MsgId("m4")), 1.0)
    assert found is not None
    assert found.answer == page(1, 2, 3)
    assert ahead.take(before(MsgId("m4")), 1.0) is None, "a page is given once"


def test_the_numbers_of_messages_go_along_and_make_no_other_question(ahead: Ahead) -> None:
    following = ahead.answered(before(MsgId("m4")), page(1, 2, 3), 0.0)
    assert following is not None
    assert following.question.numbers == (1,), "found by its number, without a search"
    assert following.question == before(MsgId("net-1"))


def test_who_goes_on_by_time_is_read_ahead_by_time() -> None:
    client = Ahead()
    client.answered(LATEST, page(7, 8, 9), 0.0)
    client.take(before(Timestamp(1_007)), 0.0)
    found = client.answered(before(Timestamp(1_007)), page(4, 5, 6), 0.0)
    assert found is not None
    assert found.question == before(Timestamp(1_004))


def test_forwards_from_the_last_message() -> None:
    client = Ahead()
    first = question(Subcommand.AFTER, MsgId("net-1"))
    client.answered(first, page(2, 3, 4), 0.0)
    client.take(question(Subcommand.AFTER, MsgId("m4")), 0.0)
    found = client.answered(question(Subcommand.AFTER, MsgId("m4")), page(5, 6, 7), 0.0)
    assert found is not None
    assert found.question == question(Subcommand.AFTER, MsgId("net-7"))


def test_who_looks_into_many_conversations_is_not_read_ahead(ahead: Ahead) -> None:
    assert ahead.take(LATEST, 0.0) is None, "it has not gone on"
    assert ahead.answered(LATEST, page(7, 8, 9), 0.0) is None


def test_nothing_is_read_beyond_the_last_page(ahead: Ahead) -> None:
    last = before(MsgId("m4"))
    assert ahead.answered(last, page(2, 3), 0.0) is None
    assert ahead.answered(last, page(), 0.0) is None
    around = question(Subcommand.AROUND, MsgId("m4"))
    assert ahead.answered(around, page(3, 4, 5), 0.0) is None
    assert ahead.answered(last, Value(NoAnswer(unknown_message=True)), 0.0) is None
    assert ahead.answered(last, Error(OSError()), 0.0) is None


def test_another_question_or_a_later_one_is_asked_of_the_store(ahead: Ahead) -> None:
    assert ahead.take(before(MsgId("net-5")), 0.0) is None
    assert ahead.take(ReadMarker("#ops", "#ops", None), 0.0) is None
    other_limit = question(Subcommand.BEFORE, MsgId("m4"), LIMIT + 1)
    assert ahead.take(other_limit, 0.0) is None
    assert ahead.take(before(MsgId("m4")), FRESH_S + 1) is None


def test_one_page_at_a_time_is_read_ahead(ahead: Ahead) -> None:
    first = ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0)
    assert first is not None
    assert ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0) is None
    ahead.forget(first)
    assert ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0) is not None


def test_what_may_still_grow_is_read_when_it_is_asked_for() -> None:
    """A message may come between the last of a page and its end; between two it may not."""
    back, on = Ahead(), Ahead()
    for client, command in ((back, Subcommand.BEFORE), (on, Subcommand.AFTER)):
        asked = question(command, MsgId("m4"))
        client.answered(asked, page(4, 5, 6), 0.0)
        client.take(question(command, MsgId("m4" if client is back else "m6")), 0.0)
        found = client.answered(asked, page(4, 5, 6), 0.0)
        assert found is not None
        assert found.is_answered_by(page(1, 2, 3))
        assert found.is_answered_by(page(1)) is (client is back)
        assert not found.is_answered_by(Value(NoAnswer(unknown_message=False)))
        assert not found.is_answered_by(Value(Marker(1)))
        assert not found.is_answered_by(Error(OSError()))
