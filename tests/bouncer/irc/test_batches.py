"""Batches, labels, messages of several lines. Quotes: IRCv3 labeled-response and multiline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.batch import MAX_OPEN, OpenBatches, wrap
from bouncer.irc.labels import label_of, labelled
from bouncer.irc.multiline import Multiline, MultilineReader, readable, single_lines
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message


def parse(*lines: str) -> list[Message]:
    return [Message.parse(line) for line in lines]


def shown(messages: list[Message]) -> list[str]:
    return [str(message) for message in messages]


def test_lines_are_wrapped() -> None:
    lines = parse("@time=1 :a PRIVMSG #c :x", ":b PRIVMSG #c y")
    assert shown(wrap("r1", "chathistory", ("#c",), lines, "s", {"label": "l"})) == [
        "@label=l :s BATCH +r1 chathistory #c",
        "@batch=r1;time=1 :a PRIVMSG #c :x",
        "@batch=r1 :b PRIVMSG #c :y",
        ":s BATCH -r1",
    ]


def test_a_batch_in_a_batch() -> None:
    inner = wrap("in", "draft/multiline", ("#c",), parse("PRIVMSG #c x"), "s")
    assert shown(wrap("out", "chathistory", ("#c",), inner, "s")) == [
        ":s BATCH +out chathistory #c",
        "@batch=out :s BATCH +in draft/multiline #c",
        "@batch=in PRIVMSG #c x",
        ":s BATCH -in",
        ":s BATCH -out",
    ]


def test_a_networks_lines_belong_to_their_batch() -> None:
    batches = OpenBatches()
    lines = parse(
        "@label=q1 :s BATCH +1 labeled-response",
        "@batch=1 :s BATCH +2 netsplit a.example b.example",
        "@batch=2 :x!y@z QUIT :a b",
        "@batch=1 :s 311 me x",
        ":s PRIVMSG me :no batch",
        "BATCH -2",
        "BATCH -1",
        "@batch=1 :s 311 me late",
    )
    found = [batches.receive(line) for line in lines]
    assert [batch and (batch.kind, batch.label) for batch in found] == [
        ("labeled-response", "q1"),
        ("netsplit", "q1"),
        ("netsplit", "q1"),
        ("labeled-response", "q1"),
        None,
        ("netsplit", "q1"),
        ("labeled-response", "q1"),
        None,
    ]
    assert len(batches) == 0


def test_a_network_cannot_fill_memory_with_open_batches() -> None:
    batches = OpenBatches()
    for n in range(1000):
        batches.receive(Message("BATCH", (f"+{n}", "x"), raw_tags=f"batch={n - 1}"))
        assert len(batches) <= MAX_OPEN
    depth, batch = 0, batches.receive(Message("PING", raw_tags="batch=999"))
    while batch is not None:
        depth, batch = depth + 1, batch.parent
    assert depth <= MAX_OPEN


def test_one_line_carries_the_label_itself() -> None:
    """A single labelled reply is not wrapped in a batch."""
    assert shown(labelled("l", parse(":s 401 me x :No such nick"), "s", "r")) == [
        "@label=l :s 401 me x :No such nick"
    ]


def test_several_lines_become_a_batch() -> None:
    """
    "If a response consists of more than one message, a batch MUST be used to group them ...
    The start of the batch MUST be tagged with the label tag."""
    assert shown(labelled("l", parse(":s 311 me x", ":s 318 me x"), "s", "r")) == [
        "@label=l :s BATCH +r labeled-response",
        "@batch=r :s 311 me x",
        "@batch=r :s 318 me x",
        ":s BATCH -r",
    ]


def test_an_answer_that_is_a_batch_is_labelled_at_its_opening() -> None:
    """
    "The batch type MUST be one of: an existing type applicable to the entire response ..."."""
    history = wrap("h", "chathistory", ("#c",), parse("PRIVMSG #c x"), "s")
    assert shown(labelled("l", history, "s", "r"))[0] == "@label=l :s BATCH +h chathistory #c"
    assert len(labelled("l", history, "s", "r")) == 3


def test_nothing_to_say_is_acknowledged() -> None:
    assert shown(labelled("l;", [], "s", "r")) == [r"@label=l\: :s ACK"]


def test_a_label_of_more_than_64_bytes_is_none() -> None:
    assert label_of(Message("PING", raw_tags="label=" + "x" * 64)) == "x" * 64
    assert label_of(Message("PING", raw_tags="label=" + "x" * 65)) == ""
    assert label_of(Message("PING", raw_tags="+x/label=1")) == ""
    assert label_of(Message("PING")) == ""


def reads(*lines: str, max_bytes: int = 100, max_lines: int = 5) -> Multiline | None:
    reader = MultilineReader(max_bytes, max_lines)
    whole = None
    for message in parse(*lines):
        assert reader.takes(message)
        whole = reader.receive(message)
    return whole


def test_the_example_of_the_specification() -> None:
    whole = reads(
        "@+draft/reply=1 BATCH +123 draft/multiline #channel",
        "@batch=123 PRIVMSG #channel hello",
        "@batch=123 privmsg #channel :how is ",
        "@batch=123;draft/multiline-concat PRIVMSG #channel :everyone?",
        "BATCH -123",
    )
    assert whole is not None
    assert readable(whole.text) == "hello\nhow is everyone?"
    assert (whole.target, whole.command, whole.raw_tags) == (
        "#channel",
        "PRIVMSG",
        "+draft/reply=1",
    )
    assert single_lines(whole.text) == ["hello", "how is ", "everyone?"]


def test_blank_lines_count_but_are_not_shown_to_others() -> None:
    whole = reads("BATCH +1 draft/multiline #c", "@batch=1 PRIVMSG #c a", "@batch=1 PRIVMSG #c :",
                  "@batch=1 PRIVMSG #c b", "BATCH -1")  # fmt: skip
    assert whole is not None
    assert whole.text == "a\n\nb"
    assert single_lines(whole.text) == ["a", "b"]


OPEN = "BATCH +1 draft/multiline #c"
LONG = "@batch=1 PRIVMSG #c :" + "x" * 60


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ([OPEN, LONG, LONG], "MULTILINE_MAX_BYTES 100 :"),
        ([OPEN, *["@batch=1 PRIVMSG #c x"] * 6], "MULTILINE_MAX_LINES 5 :"),
        ([OPEN, "@batch=1 PRIVMSG #d x"], "MULTILINE_INVALID_TARGET #c #d :"),
        ([OPEN, "@batch=1 PRIVMSG #c"], "MULTILINE_INVALID :"),
        ([OPEN, "@batch=1 JOIN #c"], "MULTILINE_INVALID :"),
        ([OPEN, "@batch=1 PRIVMSG #c x", "@batch=1 NOTICE #c x"], "MULTILINE_INVALID :"),
        ([OPEN, "@batch=1;draft/multiline-concat PRIVMSG #c x"], "MULTILINE_INVALID :"),
        ([OPEN, "BATCH -1"], "MULTILINE_INVALID :"),
        ([OPEN, "BATCH +2 draft/multiline #c"], "MULTILINE_INVALID :"),
        (["BATCH -1"], "MULTILINE_INVALID :"),
        (["BATCH"], "MULTILINE_INVALID :"),
        (["BATCH +1 draft/multiline"], "MULTILINE_INVALID :"),
        (["BATCH +1 netsplit a b"], "UNKNOWN_TYPE netsplit :"),
    ],
)
def test_what_breaks_a_rule_is_refused(lines: list[str], reply: str) -> None:
    with pytest.raises(Refused) as caught:
        reads(*lines)
    assert str(caught.value.reply("s")).startswith(f":s FAIL BATCH {reply}")


def test_a_refused_batch_is_swallowed_to_its_end_and_the_next_is_read() -> None:
    reader = MultilineReader(10, 5)
    reader.receive(Message.parse(OPEN))
    with pytest.raises(Refused):
        reader.receive(Message.parse(LONG))
    for _ in range(50):
        assert reader.receive(Message.parse(LONG)) is None
    assert reader.receive(Message.parse("BATCH -1")) is None
    assert not reader.takes(Message.parse(LONG))
    for line in ("BATCH +2 draft/multiline #c", "@batch=2 PRIVMSG #c x"):
        reader.receive(Message.parse(line))
    whole = reader.receive(Message.parse("BATCH -2"))
    assert whole is not None
    assert whole.text == "x"


LINES = st.sampled_from([
    OPEN, LONG, "BATCH -1", "@batch=1 PRIVMSG #c :", "@batch=1 PRIVMSG #d x", "BATCH", "BATCH +",
    "@batch=1;draft/multiline-concat PRIVMSG #c y", "@batch=1 QUIT", "BATCH +2 draft/multiline #c",
])  # fmt: skip


@given(st.lists(LINES, max_size=30))
def test_any_lines_are_read_or_refused_within_bounds(lines: list[str]) -> None:
    reader = MultilineReader(100, 5)
    for message in parse(*lines):
        try:
            whole = reader.receive(message)
        except Refused:
            whole = None
        assert len(reader._lines) <= 5
        assert whole is None or len(readable(whole.text).encode()) <= 100
