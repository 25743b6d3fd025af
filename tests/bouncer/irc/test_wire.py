"""Lines and messages: RFC 1459 section 2.3, IRCv3 message-tags, and what hostile bytes do."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import (
    MAX_RECEIVED,
    LineReader,
    Message,
    ProtocolError,
    decode,
    encode_all,
)


def parse(line: str) -> Message:
    return Message.parse(line)


def test_a_line_has_tags_source_command_and_parameters() -> None:
    message = parse("@time=12;+x=y :n!u@h PRIVMSG #c :hello  world ")
    assert message == Message("PRIVMSG", ("#c", "hello  world "), "n!u@h", "time=12;+x=y")
    assert message.nick == "n"
    assert message.tags == {"time": "12", "+x": "y"}


def test_commands_are_upper_case_and_spaces_may_be_many() -> None:
    assert parse("privmsg   #c    x") == Message("PRIVMSG", ("#c", "x"))
    assert parse(":s  PING   :a") == Message("PING", ("a",), "s")


def test_only_the_space_separates_parameters() -> None:
    # The `irc` library splits at any Unicode space and at \x1d, which starts italics.
    message = parse("KICK #c\u3000d \x1dnick :why")
    assert message.params == ("#c\u3000d", "\x1dnick", "why")


@pytest.mark.parametrize("line", ["", " ", ":", ":source", "@tags", "@a :b", ":a :b", "é x", "ß"])
def test_what_has_no_command_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse(line)


def test_the_last_parameter_gets_a_colon_where_it_needs_one() -> None:
    assert str(Message("PRIVMSG", ("#c", ""))) == "PRIVMSG #c :"
    assert str(Message("PRIVMSG", ("#c", ":)"))) == "PRIVMSG #c ::)"
    assert str(Message("PRIVMSG", ("#c", "two words"))) == "PRIVMSG #c :two words"
    assert str(Message("PRIVMSG", ("#c", "one"))) == "PRIVMSG #c one"


@pytest.mark.parametrize(
    "text",
    ["PRIVMSG #c", "NOTICE #c", "TOPIC #c", "KICK #c bob", "PART #c", "QUIT", "332 me #c",
     "301 me bob", "353 me = #c", "CAP * ACK"],
)  # fmt: skip
def test_a_text_for_clients_always_has_its_colon(text: str) -> None:
    """sic and ii show it only after one; names alone, as of a PART without a reason, have none."""
    command, *params = text.split(" ")
    assert str(Message(command, (*params, "one"), "bob!b@h")) == f":bob!b@h {text} :one"
    assert str(Message(command, (*params, "one"))) == f"{text} one"
    if params:
        assert str(Message(command, tuple(params), "bob!b@h")) == f":bob!b@h {text}"


def test_tag_values_are_unescaped_as_message_tags_says() -> None:
    message = parse(r"@a=1\:2\s3\\4\r\n5;b;c=;d=\x;e=end\ PING")
    assert message.tags == {"a": "1;2 3\\4\r\n5", "b": "", "c": "", "d": "x", "e": "end"}


def test_tags_survive_the_way_out_and_in() -> None:
    tags = {"a": "; \\\r\n", "+draft/b": "é", "c": ""}
    assert parse(str(Message("PING").with_tags(tags))).tags == tags


def test_no_part_of_a_message_ends_its_line_early() -> None:
    line = Message("PRIVMSG", ("#c", "hi\r\nQUIT :gone\0")).encode()
    assert line == b"PRIVMSG #c :hi  QUIT :gone\r\n"


def test_half_a_surrogate_pair_does_not_raise() -> None:
    assert Message("PRIVMSG", ("#c", "\ud800x")).encode() == b"PRIVMSG #c ?x\r\n"


def test_many_messages_make_one_buffer() -> None:
    assert encode_all([Message("A"), Message("B", ("c",))]) == b"A\r\nB c\r\n"


def test_bytes_are_utf8_or_else_latin1_for_that_line_alone() -> None:
    lines = LineReader().feed("PRIVMSG #c :é\r\n".encode() + b"PRIVMSG #c :\xe9\r\n")
    assert lines == ["PRIVMSG #c :é", "PRIVMSG #c :é"]
    assert decode(b"\xff") == "ÿ"


def test_a_line_may_come_in_pieces_and_end_in_lf_alone() -> None:
    reader = LineReader()
    assert reader.feed(b"PI") == []
    assert reader.feed(b"NG a\r") == []
    assert reader.feed(b"\nPING b\nPI") == ["PING a", "PING b"]
    assert reader.feed(b"NG c\r\n") == ["PING c"]


def test_empty_lines_vanish() -> None:
    # "Empty messages are silently ignored": RFC 1459 section 2.3.1.
    assert LineReader().feed(b"\r\n\n\r\r\nPING\r\n") == ["PING"]


def test_nul_and_cr_inside_a_line_are_removed() -> None:
    assert LineReader().feed(b"PRIVMSG #c :a\0b\rQUIT\r\n") == ["PRIVMSG #c :abQUIT"]


def test_a_line_too_long_is_dropped_and_counted_and_the_next_is_read() -> None:
    reader = LineReader(limit=10)
    assert reader.feed(b"x" * 11 + b"\nPING\n") == ["PING"]
    assert reader.overlong == 1
    assert reader.feed(b"y" * 8) == []
    assert reader.feed(b"y" * 8) == []
    assert reader.feed(b"y" * 8) == []
    assert reader.feed(b"y\nPING\n") == ["PING"]
    assert reader.overlong == 2


def test_a_line_without_end_holds_no_more_than_the_limit() -> None:
    reader = LineReader()
    for _ in range(100):
        reader.feed(b"x" * 4096)
        assert len(reader._rest) <= MAX_RECEIVED
    assert reader.overlong == 1


def test_a_line_that_was_cut_inside_a_character_is_still_utf8() -> None:
    """Servers cut at 512 octets, wherever that is: RFC 1459 section 2.3."""
    line = "дом, сад".encode()[:-1]
    assert decode(line) == "дом, са\ufffd"
    assert decode("мир 🌍".encode()[:-2]) == "мир \ufffd"
    assert decode(b"caf\xe9") == "café", "nothing else says that this is UTF-8"
    assert decode("дом".encode() + b"\xff") == "дом".encode().decode("latin-1") + "ÿ"
