"""What must fit into a line does, and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.split import join_lines, room_for_text, split_text
from bouncer.irc.wire import MAX_LINE, Message


def test_channels_with_keys_come_first() -> None:
    # "JOIN #foo,#bar fubar,foobar": keys belong to channels by position, RFC 1459 section 4.2.1.
    lines = join_lines([("#a", None), ("#b", "kb"), ("#c", ""), ("#d", "kd")])
    assert lines == [Message("JOIN", ("#b,#d,#a,#c", "kb,kd"))]


def test_two_hundred_channels_take_few_lines_of_512_octets() -> None:
    channels = [(f"#channel-with-a-name-{n}", f"key{n}" if n % 3 else None) for n in range(200)]
    lines = join_lines(channels)
    assert all(len(line.encode()) <= MAX_LINE for line in lines)
    assert len(lines) < 18
    joined = {
        (name, key or None)
        for line in lines
        for name, key in zip(
            line.params[0].split(","),
            (line.params[1].split(",") if len(line.params) > 1 else []) + [""] * 200,
            strict=False,
        )
    }
    assert joined == set(channels)


def test_a_server_may_limit_the_targets() -> None:
    lines = join_lines([("#a", None), ("#b", None), ("#c", None)], targets=2)
    assert [line.params for line in lines] == [("#a,#b",), ("#c",)]


def test_what_cannot_stand_in_a_list_is_left_out() -> None:
    assert join_lines([("#a,#b", None), ("", None), ("#c d", None), ("#e", "k,l")]) == []


def test_a_key_may_begin_with_a_colon() -> None:
    (line,) = join_lines([("#a", ":key"), ("#b", None)])
    assert str(line) == "JOIN #a,#b ::key"


def test_long_text_is_cut_at_a_space_where_one_is_near() -> None:
    assert split_text("aaaa bbbb cccc", 10) == ["aaaa bbbb ", "cccc"]
    assert split_text("aaaaaaaaaaaa", 5) == ["aaaaa", "aaaaa", "aa"]
    assert split_text("", 5) == [""]


def test_an_emoji_is_never_cut_in_half() -> None:
    assert split_text("🙂🙂🙂", 9) == ["🙂🙂", "🙂"]


@given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(4, 600))
def test_pieces_fit_and_give_the_text_back(text: str, room: int) -> None:
    pieces = split_text(text, room)
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= room for piece in pieces)


def test_the_room_leaves_place_for_our_mask() -> None:
    source = "alice!alice@host.example"
    room = room_for_text("PRIVMSG", "#ops", source)
    line = Message("PRIVMSG", ("#ops", " " + "x" * (room - 1)), source)
    assert len(line.encode()) == MAX_LINE
