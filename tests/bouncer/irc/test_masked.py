"""What a log may show of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.masked import MAX_SHOWN, masked
from bouncer.irc.wire import Message, ProtocolError


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("PASS alice:sesame", "PASS …"),
        ("AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN"),
        ("AUTHENTICATE c2VzYW1l", "AUTHENTICATE …"),
        ("OPER me sesame", "OPER me …"),
        ("JOIN #ops sesame", "JOIN #ops …"),
        ("MODE #ops +k sesame", "MODE #ops +k …"),
        ("MODE #ops -ov bob alice", "MODE #ops -ov bob alice"),
        ("MODE #ops +i +k sesame", "MODE #ops +i +k …"),
        ("MODE #ops +ov kate bob", "MODE #ops +ov kate bob"),
        (":s 696 me #ops k sesame :No", ":s 696 me #ops k …"),
        (":s FAIL WEBPUSH X REGISTER https://push/sesame :No", ":s FAIL WEBPUSH X REGISTER …"),
        (":s FAIL SETNAME X :No", ":s FAIL SETNAME X No"),
        (":s 324 me #ops +ntk sesame", ":s 324 me #ops +ntk …"),
        ("PRIVMSG NickServ :IDENTIFY sesame", "PRIVMSG NickServ …"),
        ("PRIVMSG BouncerServ :user passwd --password sesame", "PRIVMSG BouncerServ …"),
        (":bob!b@h NOTICE #ops :sesame", ":bob!b@h NOTICE #ops …"),
        ("NS IDENTIFY sesame", "NS …"),
        ("IDENTIFY sesame", "IDENTIFY …"),
        ("REGISTER * * sesame", "REGISTER …"),
        ("LOGIN me sesame", "LOGIN …"),  # of a network that nobody has heard of
        ("BOUNCER ADDNETWORK host=h;pass=sesame", "BOUNCER ADDNETWORK …"),
        ("BOUNCER CHANGENETWORK 4 pass=sesame", "BOUNCER CHANGENETWORK …"),
        ("WEBPUSH REGISTER https://push/sesame p256dh=x;auth=y", "WEBPUSH REGISTER …"),
        (":bob!b@h QUIT :sesame", ":bob!b@h QUIT …"),
        ("AWAY sesame", "AWAY …"),
        (":s 332 me #ops :sesame", ":s 332 me #ops …"),
        ("@+draft/reply=sesame;time=t;label=x TAGMSG #ops", "@time=t;label=x TAGMSG #ops"),
        (":s 001 me :Welcome", ":s 001 me Welcome"),
        ("CAP REQ :sasl batch", "CAP REQ sasl batch"),
        ("sesame! sesame", "(14 characters that are no message)"),
    ],
)
def test_nothing_secret_is_shown(line: str, shown: str) -> None:
    assert masked(line) == shown


@given(st.text())
def test_every_line_has_one_that_stands_for_it(line: str) -> None:
    shown = masked(line)
    assert len(shown) <= MAX_SHOWN
    try:
        command = Message.parse(line).command
    except ProtocolError:
        assert shown.endswith("no message)")
    else:
        assert len(shown) == MAX_SHOWN or command in shown
