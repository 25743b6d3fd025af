"""How a network folds names: known from the last time, and followed when it changes.

Source: RFC 2812 section 2.2: "the characters {}|^ are considered to be the lower case equivalents
of the characters []\\~, respectively. This is a critical issue when determining the equivalence of
two nicknames or channel names." A network with CASEMAPPING=ascii has none of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import ForgetChannel, Lookup, RememberCasemapping, RememberChannel
from bouncer.session.events import Connected, Found
from bouncer.session.lookups import Marker, ReadHistory
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue, texts

NETWORK = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me")
ASCII = "CHANTYPES=# PREFIX=(ov)@+ CASEMAPPING=ascii"
CAPS = {"draft/read-marker", "batch", "draft/metadata-2", "message-tags", "server-time"}


def late(casemapping: str) -> str:
    return f":irc.test 005 me CASEMAPPING={casemapping} :are supported by this server"


def started(*channels: str, casemapping: str = "", isupport: str = ASCII) -> Dialogue:
    talk = Dialogue(channels, replace(NETWORK, casemapping=casemapping))
    talk.connect(isupport=isupport)
    talk.attach(1, CAPS)
    return talk


# --- before a greeting ---


@pytest.mark.parametrize(("casemapping", "folded"), [("ascii", "#a[b]"), ("rfc1459", "#a{b}")])
def test_names_are_folded_as_the_network_folded_them_last(casemapping: str, folded: str) -> None:
    talk = Dialogue(["#A[b]"], replace(NETWORK, casemapping=casemapping))
    talk.attach(1, CAPS)
    talk.event(Connected(tls=False))
    talk.types(1, "CHATHISTORY LATEST #a[B] * 10")
    (asked,) = [o.question for o in talk.others if isinstance(o, Lookup)]
    assert isinstance(asked, ReadHistory)
    assert asked.target == folded
    talk.types(1, "PART #a[b]")
    assert ForgetChannel("#A[b]") in talk.others


def test_two_channels_that_differ_under_ascii_are_two_from_the_start() -> None:
    talk = Dialogue(["#a[b]", "#a{b}"], replace(NETWORK, casemapping="ascii"))
    talk.connect(isupport=ASCII)
    assert set(talk.session.state.channels) == {"#a[b]", "#a{b}"}


def test_the_way_is_kept_once_where_it_is_news() -> None:
    talk = started("#ops")
    assert talk.others.count(RememberCasemapping("ascii")) == 1
    talk.others.clear()
    talk.says(late("ascii"))
    assert not [o for o in talk.others if isinstance(o, RememberCasemapping)]
    talk.says(late("rfc1459"))
    assert RememberCasemapping("rfc1459") in talk.others


def test_a_network_that_says_nothing_of_it_any_more_has_the_default() -> None:
    """Without the token it is as RFC 1459 has it."""
    talk = started("#a[b]", casemapping="ascii", isupport="CHANTYPES=#")
    assert set(talk.session.state.channels) == {"#a{b}"}
    assert set(talk.session.wanted) == {"#a{b}"}
    assert RememberCasemapping("rfc1459") in talk.others


def test_clients_that_come_before_the_network_fold_names_as_we_do() -> None:
    talk = Dialogue([], replace(NETWORK, casemapping="ascii"))
    assert "CASEMAPPING=ascii" in tokens(talk.attach(1, CAPS))
    assert not [t for t in tokens(Dialogue([]).attach(1, CAPS)) if t.startswith("CASEMAPPING")]
    talk.connect(isupport="CHANTYPES=# CASEMAPPING=rfc1459")
    assert [t for t in tokens(talk.attach(2, CAPS)) if t.startswith("CASEMAPPING")] == [
        "CASEMAPPING=rfc1459"
    ]


# --- a change in the middle ---

CHANGES = [("ascii", "rfc1459"), ("rfc1459", "ascii")]


def changed(before: str, after: str, caps: str = "") -> tuple[Dialogue, Callable[[], object]]:
    """In #A[b], and how to change the way then."""
    talk = Dialogue(["#A[b]"], NETWORK)
    talk.connect(caps, f"CHANTYPES=# PREFIX=(ov)@+ MONITOR=100 CASEMAPPING={before}")
    talk.attach(1, CAPS)
    talk.heard()
    return talk, partial(talk.says, late(after))


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_channel_that_we_are_in_is_not_taken_for_left(before: str, after: str) -> None:
    talk, change = changed(before, after)
    change()
    talk.passes(200_000)
    assert not [line for line in talk.heard() if line.startswith("JOIN")]
    talk.types(1, "PART #a[b]")
    assert ForgetChannel("#A[b]") in talk.others


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_refused_channel_waits_as_long_as_before(before: str, after: str) -> None:
    talk, change = changed(before, after)
    talk.says(":bob!b@h KICK #A[b] me :go")
    talk.passes(70_000)
    talk.says(":irc.test 474 me #A[b] :You are banned")
    talk.heard()
    change()
    talk.passes(200_000)
    assert not [line for line in talk.heard() if line.startswith("JOIN")]
    talk.passes(60_000)
    assert "JOIN #A[b]" in talk.heard()


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_the_key_given_with_a_join_is_kept(before: str, after: str) -> None:
    talk, change = changed(before, after)
    talk.types(1, "JOIN #x[y] secret")
    change()
    talk.says(":me!user@host JOIN #x[y]")
    assert RememberChannel("#x[y]", "secret") in talk.others


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_detached_channel_stays_out_of_sight(before: str, after: str) -> None:
    talk, change = changed(before, after)
    talk.types(1, "PART #a[b] detach")
    change()
    talk.seen(1)
    talk.says(":bob!b@h PRIVMSG #A[b] :hello")
    assert not texts(talk.seen(1))
    assert len(talk.kept) == 1


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_who_is_watched_is_watched_on(before: str, after: str) -> None:
    talk, change = changed(before, after)
    talk.types(1, "MONITOR + x[y]")
    talk.says(":irc.test 730 me :x[y]!u@h")
    talk.seen(1)
    change()
    talk.says(":irc.test 730 me :x[y]!u@h")
    assert not [line for line in talk.seen(1) if " 730 " in line]  # no news
    talk.says(":irc.test 731 me :x[y]")
    assert [line for line in talk.seen(1) if " 731 " in line] == [":muster.test 731 me x[y]"]
    talk.types(1, "MONITOR - X[y]")
    assert "MONITOR - x[y]" in talk.heard()


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_markers_and_notes_are_found_again(before: str, after: str) -> None:
    talk, change = changed(before, after)
    talk.types(
        1,
        "METADATA #A[b] SET soju.im/pinned 1",
        "MARKREAD #A[b] timestamp=2026-01-02T03:04:05.000Z",
    )
    (lookup,) = [o for o in talk.others if isinstance(o, Lookup)]
    talk.event(Found(1, lookup.question, Marker(1_767_323_045_000), ""))
    talk.seen(1)
    change()
    talk.types(1, "MARKREAD #a[b]", "METADATA #a[b] GET soju.im/pinned")
    marker, *noted = [line for line in talk.seen(1) if " 005 " not in line]
    assert marker == ":muster.test MARKREAD #a[b] timestamp=2026-01-02T03:04:05.000Z"
    assert [line.partition(" 761 ")[2] for line in noted if " 761 " in line]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_an_echo_that_is_on_its_way_is_known(before: str, after: str) -> None:
    talk, change = changed(before, after, "echo-message")
    talk.types(1, "PRIVMSG #A[b] :mine")
    change()
    talk.seen(1)
    talk.says(":me!user@host PRIVMSG #A[b] :mine")
    assert not texts(talk.seen(1))  # it has no echo-message: it has said it


# --- what clients are told of it ---


def tokens(lines: list[str]) -> list[str]:
    """The words of the 005s among the lines."""
    told = [Message.parse(line) for line in lines]
    return [word for m in told if m.command == "005" for word in m.params[1:-1]]


def test_who_was_there_before_the_network_is_told_what_it_supports() -> None:
    """Without PREFIX `~bob` would be a nick; soju tells it, too."""
    talk = Dialogue(["#ops"])
    assert "PREFIX=(qo)~@" not in tokens(talk.attach(1, CAPS))
    talk.connect(isupport="CHANTYPES=# PREFIX=(qo)~@ CASEMAPPING=ascii NETWORK=Test")
    seen = talk.seen(1)
    assert {"PREFIX=(qo)~@", "CASEMAPPING=ascii", "NETWORK=Test"} <= set(tokens(seen))
    first_join = next(n for n, line in enumerate(seen) if " JOIN " in line)
    assert not tokens(seen[first_join:])


def test_a_reconnect_that_changes_nothing_tells_nothing() -> None:
    talk = started("#ops")
    talk.connect(isupport=ASCII)
    assert not tokens(talk.seen(1))


def test_a_later_change_is_told_as_it_holds_behind_the_bouncer() -> None:
    talk = started("#ops")
    talk.says(":irc.test 005 me CHATHISTORY=20 MONITOR=3 NICKLEN=31 -EXCEPTS -WHOX :are supported")
    told = tokens(talk.seen(1))
    assert {"NICKLEN=31", "-EXCEPTS", "MONITOR=100", "WHOX"} <= set(told)
    assert not {"CHATHISTORY=20", "MONITOR=3", "-WHOX"} & set(told)
    talk.says(":irc.test 005 me NICKLEN=31 :are supported by this server")
    assert not tokens(talk.seen(1))
