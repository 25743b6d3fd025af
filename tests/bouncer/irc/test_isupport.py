"""005, token by token. Sentences quoted are of modern.ircdocs.horse, RPL_ISUPPORT."""

from __future__ import annotations

import pytest

from bouncer.irc.casemap import CaseMapping
from bouncer.irc.isupport import MAX_TOKENS, ISupport
from bouncer.irc.wire import MAX_LINE, Message


def told(*tokens: str) -> ISupport:
    isupport = ISupport()
    isupport.update(["me", *tokens, "are supported by this server"])
    return isupport


def test_without_a_word_the_defaults_hold() -> None:
    isupport = ISupport()
    assert isupport.casemapping is CaseMapping.RFC1459
    assert isupport.prefix == {"o": "@", "v": "+"}
    assert isupport.is_channel("#a")
    assert isupport.is_channel("&a")
    assert not isupport.is_channel("a")
    assert not isupport.is_channel("")
    assert isupport.nicklen == 9
    assert isupport.targmax("JOIN") == 1
    assert isupport.lines("me", "s") == []


def test_a_token_without_a_value_is_kept() -> None:
    # The `irc` library drops these: SAFELIST, WHOX, KNOCK.
    isupport = told("SAFELIST", "WHOX", "MONITOR")
    assert isupport.tokens == {"SAFELIST": None, "WHOX": None, "MONITOR": None}
    assert isupport.whox
    assert isupport.monitor
    assert isupport.monitor_limit is None


def test_prefixes_run_from_the_highest_down() -> None:
    assert list(told("PREFIX=(qaohv)~&@%+").prefix.items()) == [
        ("q", "~"), ("a", "&"), ("o", "@"), ("h", "%"), ("v", "+"),
    ]  # fmt: skip


def test_an_empty_prefix_means_there_are_none() -> None:
    """
    "The value is OPTIONAL and when it is not specified indicates that no prefixes are
    supported."""
    assert told("PREFIX=").prefix == {}
    assert told("PREFIX").prefix == {}


@pytest.mark.parametrize("value", ["ov@+", "(ov@+", "(ov)@", "(", ")", "()@", "(ov)@+%"])
def test_a_broken_prefix_leaves_the_default(value: str) -> None:
    assert told(f"PREFIX={value}").prefix == {"o": "@", "v": "+"}


def test_chanmodes_come_in_four_kinds_and_more_may_follow() -> None:
    modes = told("CHANMODES=eIbq,k,flj,CFL,new").chanmodes
    assert list(modes) == [set("eIbq"), set("k"), set("flj"), set("CFL")]
    assert list(told("CHANMODES=b").chanmodes) == [set("b"), set(), set(), set()]


def test_an_empty_chantypes_means_there_are_no_channels() -> None:
    assert not told("CHANTYPES=").is_channel("#a")
    assert told("CHANTYPES=+!").is_channel("!a")


def test_a_status_prefix_is_taken_off_a_target() -> None:
    isupport = told("STATUSMSG=@+", "CHANTYPES=#")
    assert isupport.without_status("@#ops") == "#ops"
    assert isupport.without_status("@+#ops") == "#ops"
    assert isupport.without_status("#ops") == "#ops"
    assert isupport.without_status("@nobody") == "@nobody"
    assert told("CHANTYPES=#").without_status("@#ops") == "@#ops"


def test_a_minus_takes_a_token_back() -> None:
    isupport = told("EXCEPTS=e", "NICKLEN=30")
    isupport.update(["me", "-EXCEPTS", "-NICKLEN", "are supported by this server"])
    assert isupport.tokens == {}
    assert isupport.nicklen == 9


def test_values_are_unescaped_and_escaped_again() -> None:
    isupport = told(r"NETWORK=Example\x20Net", r"X=\x5Cx\x3D")
    assert isupport.network == "Example Net"
    assert isupport.tokens["X"] == "\\x="
    (line,) = isupport.lines("me", "s")
    assert line.params[1:3] == (r"NETWORK=Example\x20Net", r"X=\x5Cx\x3D")
    assert told(r"NETWORK=a\x0D\x0Ab\x00").network == "ab"  # no value ends the line that tells it


@pytest.mark.parametrize("value", ["", "x", "-5", "1_0", "٣", "²", "9" * 50, "1e3", " 5"])
def test_a_number_that_is_none_is_not_taken(value: str) -> None:
    assert told(f"NICKLEN={value}").nicklen == 9


def test_targets_and_lists() -> None:
    isupport = told("TARGMAX=PRIVMSG:4,NOTICE:,join:x,", "MAXLIST=beI:100,q:50,z")
    assert isupport.targmax("privmsg") == 4
    assert isupport.targmax("NOTICE") is None
    assert isupport.targmax("KICK") == 1
    assert isupport.targmax("JOIN", unlisted=None) is None
    assert isupport.maxlist == {"b": 100, "e": 100, "I": 100, "q": 50}


def test_a_server_cannot_fill_memory_with_tokens() -> None:
    isupport = ISupport()
    for start in range(0, 5000, 10):
        isupport.update(["me", *(f"T{start + i}=x" for i in range(10)), "are supported"])
    assert len(isupport.tokens) == MAX_TOKENS
    isupport.update(["me", "T1=y", "are supported by this server"])
    assert isupport.tokens["T1"] == "y"


def test_a_client_is_told_the_same_on_lines_that_fit() -> None:
    isupport = told(*(f"TOKEN{i}={'x' * 60}" for i in range(40)), "CHATHISTORY=50", "VAPID=k")
    lines = isupport.lines("me", "irc.example", {"CHATHISTORY": "1000", "WHOX": None})
    assert all(len(line.encode()) <= MAX_LINE for line in lines)
    assert all(len(line.params) <= 15 for line in lines)
    again = ISupport()
    for line in lines:
        again.update(Message.parse(str(line)).params)
    # History and push are the bouncer's own affair: the network's word on them is not passed on.
    expected = {k: v for k, v in isupport.tokens.items() if k != "VAPID"}
    assert again.tokens == expected | {"CHATHISTORY": "1000", "WHOX": None}


def test_what_one_client_would_switch_on_for_all_is_not_told() -> None:
    """HexChat and mIRC answer NAMESX and UHNAMES by PROTOCTL, which the network would take to be
    said by all of the user's clients: they have multi-prefix and userhost-in-names. What WATCH
    brings is for none of them in particular: they have MONITOR."""
    isupport = told("NAMESX", "UHNAMES", "STARTTLS", "WATCH=128", "NICKLEN=30")
    (line,) = isupport.lines("me", "muster.test")
    assert line.params[1:-1] == ("NICKLEN=30",)
