"""A page is read ahead for who goes on from page to page, and is what it would be if read later."""

from __future__ import annotations

import pytest
from outcome import Error, Value

from bouncer.hub.ahead import BLOCK_ROWS, FRESH_S, Ahead, Block, Page
from bouncer.irc.chathistory import HistoryRequest, MsgId, Selector, Subcommand, Timestamp
from bouncer.session.lookups import Answer, Marker, NoAnswer, ReadHistory, ReadMarker, Rows
from storage.message import Row, msgid_of

LIMIT = 3
LATEST = ReadHistory(HistoryRequest(Subcommand.LATEST, "#Ops", None, None, LIMIT), "#ops")
DEV = ReadHistory(HistoryRequest(Subcommand.LATEST, "#Dev", None, None, LIMIT), "#dev")


def page(*ids: int) -> Value[Answer]:
    return Value(Rows([row(number) for number in ids]))


def row(number: int, time_ms: int = 0) -> Row:
    msgid = f"net-{number}" if number % 2 else ""  # of every other message the network tells one
    return Row(
        number,
        1,
        "#ops",
        "#Ops",
        time_ms or 1_000 + number,
        msgid,
        "PRIVMSG",
        "bob!b@h",
        "",
        "",
        "hello",
    )


def question(command: Subcommand, start: Selector, limit: int = LIMIT) -> ReadHistory:
    return ReadHistory(HistoryRequest(command, "#Ops", start, None, limit), "#ops")


def before(start: Selector) -> ReadHistory:
    return question(Subcommand.BEFORE, start)


def after(start: Selector) -> ReadHistory:
    return question(Subcommand.AFTER, start)


def given(read: Page | Block | None) -> list[int]:
    """The numbers of the messages of a page that was read ahead."""
    assert isinstance(read, Page)
    answer = read.answer.value
    assert isinstance(answer, Rows)
    return [row.id for row in answer.rows]


class Client:
    """Asks page by page of a history, as `Fetching` has it answered."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.ahead = Ahead()
        self.reads: list[int] = []  # how many messages each question put to the store was for
        self.now = 0.0

    def ask(self, asked: ReadHistory) -> list[Row]:
        read = self.ahead.take(asked, self.now)
        if isinstance(read, Block):
            raise AssertionError("blocks are read at once here")
        answer = self.read(asked) if read is None else read.answer
        block = self.ahead.answered(asked, answer, self.now)
        if block is not None:
            assert self.ahead.has_read(block, self.read(block.question)) is None
        assert isinstance(answer.value, Rows)
        return answer.value.rows

    def read(self, asked: ReadHistory) -> Value[Answer]:
        """The answer of the store."""
        request = asked.request
        self.reads.append(request.limit)
        match request.start:
            case MsgId(msgid):
                at = next(n for n, row in enumerate(self.rows) if msgid_of(row) == msgid)
                earlier, later = self.rows[:at], self.rows[at + 1 :]
            case Timestamp(time_ms):
                earlier = [row for row in self.rows if row.time_ms < time_ms]
                later = [row for row in self.rows if row.time_ms > time_ms]
            case None:
                earlier, later = self.rows, []
        if request.subcommand.goes_back:
            return Value(Rows(earlier[-request.limit :]))
        return Value(Rows(later[: request.limit]))


@pytest.mark.parametrize("total", range(40))
@pytest.mark.parametrize("by_time", [False, True])
def test_all_pages_are_what_they_would_be_without(total: int, by_time: bool) -> None:
    """Of each millisecond up to five messages; pages by time leave the rest of one out."""
    rows = [row(number, 1_000 + number // 5 * (number % 7)) for number in range(1, total + 1)]
    rows = sorted(rows, key=lambda row: (row.time_ms, row.id))
    for command, first in ((Subcommand.BEFORE, LATEST), (Subcommand.AFTER, after(Timestamp(0)))):
        client, plain = Client(rows), Client(rows)
        asked = first
        for _ in range(total + 2):
            got = client.ask(asked)
            answer = plain.read(asked).value
            assert isinstance(answer, Rows)
            assert got == answer.rows
            if not got:
                break
            end = got[0] if command is Subcommand.BEFORE else got[-1]
            start = Timestamp(end.time_ms) if by_time else MsgId(msgid_of(end))
            asked = question(command, start)
        else:
            raise AssertionError("it comes to no end")


def test_blocks_grow_up_to_a_bound() -> None:
    client = Client([row(number) for number in range(1, 2_001)])
    asked = LATEST
    for _ in range(2_000 // LIMIT):
        asked = before(MsgId(msgid_of(client.ask(asked)[0])))
    longest = BLOCK_ROWS // LIMIT * LIMIT
    assert client.reads[:7] == [3, 3, 3, 6, 12, 24, 48], "two pages, then what is read ahead"
    assert max(client.reads) == longest
    assert len(client.reads) < 20


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
    assert third.first == third.question == before(MsgId("m4"))
    assert client.has_read(third, page(1, 2, 3)) is None
    return client


def test_who_goes_on_gets_the_page_that_was_read_ahead(ahead: Ahead) -> None:
    assert given(ahead.take(before(MsgId("m4")), 1.0)) == [1, 2, 3]
    assert ahead.take(before(MsgId("m4")), 1.0) is None, "a page is given once"


def test_who_asks_while_it_is_read_waits_for_it() -> None:
    client = Ahead()
    client.answered(LATEST, page(7, 8, 9), 0.0)
    client.take(before(MsgId("net-7")), 0.0)
    block = client.answered(before(MsgId("net-7")), page(4, 5, 6), 0.0)
    assert block is not None
    assert client.take(block.first, 0.0) is block
    block.then = lambda _: None
    assert given(client.has_read(block, page(1, 2, 3))) == [1, 2, 3]
    assert client.take(block.first, 0.0) is None, "a page is given once"


def test_who_waits_is_told_of_a_read_that_failed() -> None:
    for answer in (Error(OSError()), Value(NoAnswer(unknown_message=False)), Value(Marker(1))):
        client = Ahead()
        client.answered(LATEST, page(7, 8, 9), 0.0)
        client.take(before(MsgId("net-7")), 0.0)
        block = client.answered(before(MsgId("net-7")), page(4, 5, 6), 0.0)
        assert block is not None
        block.then = lambda _: None
        assert client.has_read(block, answer) is None
        assert client.take(block.first, 0.0) is None


def test_the_numbers_of_messages_go_along_and_make_no_other_question(ahead: Ahead) -> None:
    ahead.take(before(MsgId("m4")), 0.0)
    following = ahead.answered(before(MsgId("m4")), page(1, 2, 3), 0.0)
    assert following is not None
    assert following.first.numbers == (1,), "found by its number, without a search"
    assert following.first == before(MsgId("net-1"))


def test_who_went_through_a_conversation_is_read_ahead_in_the_next() -> None:
    """As far as in the one before: after the first page, three and one with nothing."""
    client = Client([row(number) for number in range(1, 13)])
    asked = LATEST
    while got := client.ask(asked):
        asked = before(MsgId(msgid_of(got[0])))
    client.reads.clear()
    client.ask(LATEST)
    assert client.reads == [LIMIT, 4 * LIMIT]
    client.ask(before(MsgId(msgid_of(row(10)))))
    assert client.reads == [LIMIT, 4 * LIMIT], "it is there"


def test_who_looks_into_many_conversations_is_not_read_ahead(ahead: Ahead) -> None:
    assert ahead.take(DEV, 0.0) is None
    assert ahead.answered(DEV, page(17, 18, 19), 0.0) is not None, "it went on the last time"
    assert ahead.take(LATEST, 0.0) is None, "it has not gone on"
    assert ahead.answered(LATEST, page(7, 8, 9), 0.0) is None


def test_nothing_is_read_beyond_the_last_page(ahead: Ahead) -> None:
    last = before(MsgId("m4"))
    ahead.take(last, 0.0)
    assert ahead.answered(last, page(2, 3), 0.0) is None
    assert ahead.answered(last, page(), 0.0) is None
    around = question(Subcommand.AROUND, MsgId("m4"))
    assert ahead.answered(around, page(3, 4, 5), 0.0) is None
    assert ahead.answered(last, Value(NoAnswer(unknown_message=True)), 0.0) is None
    assert ahead.answered(last, Error(OSError()), 0.0) is None


@pytest.mark.parametrize(
    ("asked", "now"),
    [
        (before(MsgId("net-5")), 0.0),
        (question(Subcommand.BEFORE, MsgId("m4"), LIMIT + 1), 0.0),
        (before(MsgId("m4")), FRESH_S + 1),
    ],
)
def test_another_question_or_a_later_one_is_asked_of_the_store(
    ahead: Ahead, asked: ReadHistory, now: float
) -> None:
    assert ahead.take(ReadMarker("#ops", "#ops", None), 0.0) is None
    assert ahead.take(asked, now) is None
    assert ahead.take(before(MsgId("m4")), 0.0) is None, "it has left the way"


def test_what_was_not_asked_for_is_given_up(ahead: Ahead) -> None:
    ahead.expire(FRESH_S)
    ahead.expire(FRESH_S + 1)
    assert ahead.take(before(MsgId("m4")), FRESH_S) is None


def test_one_block_at_a_time_is_read_ahead(ahead: Ahead) -> None:
    ahead.take(before(MsgId("m4")), 0.0)
    first = ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0)
    assert first is not None
    assert ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0) is None
    ahead.has_read(first, page())
    ahead.take(before(MsgId("net-7")), 0.0)
    assert ahead.answered(before(MsgId("net-7")), page(4, 5, 6), 0.0) is not None


def test_what_is_read_for_a_way_that_was_left_is_not_kept(ahead: Ahead) -> None:
    ahead.take(before(MsgId("m4")), 0.0)
    block = ahead.answered(before(MsgId("m4")), page(7, 8, 9), 0.0)
    assert block is not None
    ahead.take(LATEST, 0.0)
    ahead.has_read(block, page(4, 5, 6))
    assert ahead.take(block.first, 0.0) is None


def test_what_was_deleted_since_is_not_shown(ahead: Ahead) -> None:
    assert ahead.take(before(MsgId("m4")), 0.0, removals=1) is None


def test_what_may_still_grow_is_read_when_it_is_asked_for() -> None:
    """A message may come between the last of a page and its end; between two it may not."""
    back, on = Ahead(), Ahead()
    for client, command in ((back, Subcommand.BEFORE), (on, Subcommand.AFTER)):
        asked = question(command, MsgId("m4"))
        client.answered(asked, page(4, 5, 6), 0.0)
        asked = question(command, MsgId("m4" if client is back else "m6"))
        client.take(asked, 0.0)
        block = client.answered(asked, page(4, 5, 6), 0.0)
        assert block is not None
        client.has_read(block, page(1))
        assert (client.take(block.first, 0.0) is None) is (client is on)
