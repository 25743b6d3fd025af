"""JOIN of a client: few lines to the network, and one answer where it gave a label."""

from __future__ import annotations

from itertools import chain

import pytest

from bouncer.irc.wire import Message
from tests.bouncer.session.dialogue import Dialogue
from tests.bouncer.session.test_labels import LABELS, NETWORK_LABELS, labelled, said, shape


def test_joins_of_one_command_are_one_answer_and_everybody_sees_the_channel() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.attach(2, LABELS)
    talk.types(1, "@label=j JOIN #a,#b,#ops")
    pings = [line.split()[1] for line in talk.heard() if line.startswith("PING")]
    talk.joined("#a")
    talk.says(":irc.test 473 me #b :Cannot join (+i)")
    talk.says(*(f":irc.test PONG irc.test {token}" for token in pings))
    lines = said(talk)
    assert labelled(lines) == [("BATCH", "j")]
    assert shape(lines)[0] == "+BATCH"
    assert shape(lines)[-1] == "-BATCH"
    assert sorted(shape(lines)[1:-1]) == ["353", "353", "366", "366", "473", "JOIN"]
    assert shape(said(talk, 2)) == ["JOIN", "353", "366"]


def test_a_channel_that_gets_another_name_is_the_answer_to_its_join() -> None:
    """irc2.11.2p3: a safe channel gets an identifier from the server."""
    talk = Dialogue()
    talk.connect(isupport="CHANTYPES=#&!+ PREFIX=(ov)@+ IDCHAN=!:5")
    talk.attach(1, LABELS)
    talk.types(1, "@label=1 JOIN !!chan")
    *_, ping = talk.heard()
    talk.says(
        ":me!~alice@127.0.0.1 JOIN :!ZFYUXchan",
        ":ir1 353 me = !ZFYUXchan :@me ",
        ":ir1 366 me !ZFYUXchan :End of NAMES list.",
        f":ir1 PONG ir1 :{ping.split()[1]}",
    )
    lines = said(talk)
    assert labelled(lines) == [("BATCH", "1")]
    assert shape(lines) == ["+BATCH", "JOIN", "353", "366", "-BATCH"]


@pytest.mark.parametrize("line", ["JOIN #Ops[1]", "NAMES #Ops[1]", "PRIVMSG #Ops[1] :hi"])
def test_a_network_may_answer_with_a_name_as_it_folds_it(line: str) -> None:
    """RFC 1459: "the characters {}| are considered to be the lower case equivalents of the
    characters []\\, respectively"."""
    talk = Dialogue([])
    talk.connect("echo-message", isupport="CHANTYPES=# CASEMAPPING=rfc1459")
    for client in (1, 2):
        talk.attach(client, LABELS | {"echo-message"})
    talk.types(1, f"@label=1 {line}")
    pings = [line.split()[1] for line in talk.heard() if line.startswith("PING")]
    if line.startswith("JOIN"):
        talk.joined("#ops{1}")
    elif line.startswith("NAMES"):
        talk.says(":irc.test 366 me #ops{1} :End")
    else:
        talk.says(":irc.test 404 me #ops{1} :Cannot send to channel")
    talk.says(*(f":irc.test PONG irc.test {token}" for token in pings))
    first, *rest = said(talk)
    assert labelled([first, *rest]) == [(first.command, "1")]
    assert shape(said(talk, 2)) == (["JOIN", "353", "366"] if rest else [])


def test_channels_joined_by_one_command_share_one_ping() -> None:
    """Old servers take two seconds for each line, and a PING between the JOINs ended the answer."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=j JOIN #a,#b")
    *joins, ping = talk.heard()
    assert joins == ["JOIN #a,#b"]
    talk.joined("#a")
    talk.joined("#b")
    talk.says(f":irc.test PONG irc.test {ping.split()[1]}")
    assert shape(said(talk)) == ["+BATCH", *("JOIN", "353", "366") * 2, "-BATCH"]


@pytest.mark.parametrize("label", ["", "@label=j "])
@pytest.mark.parametrize("several", [True, False])
def test_a_network_that_takes_labels_is_asked_for_many_channels_in_one_line(
    label: str, several: bool
) -> None:
    """Each line waits for the rate limit. "This tag MUST be included in any response to this
    message": labeled-response, of all that comes of the line."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS, f"CHANTYPES=# PREFIX=(ov)@+ TARGMAX=JOIN:{10 if several else 1}")
    talk.attach(1, LABELS)
    talk.attach(2, LABELS)
    talk.types(1, f"{label}JOIN #a,#b,#c k")
    sent = [Message.parse(line) for line in talk.heard()]
    channels = ["#a,#b,#c"] if several else ["#a", "#b", "#c"]
    assert [join.params for join in sent] == [(channels[0], "k"), *((c,) for c in channels[1:])]
    answers = (
        [":me!user@host JOIN #a", ":irc.test 353 me = #a :@me", ":irc.test 366 me #a :End"],
        [":irc.test 473 me #b :Cannot join channel (+i)"],
        [":me!user@host JOIN #c", ":irc.test 353 me = #c :@me", ":irc.test 366 me #c :End"],
    )
    of_lines = [[*chain(*answers)]] if several else answers
    for number, (join, lines) in enumerate(zip(sent, of_lines, strict=True)):
        talk.says(f"@label={join.tags['label']} :irc.test BATCH +{number} labeled-response")
        talk.says(*(f"@batch={number} {line}" for line in lines))
        talk.says(f":irc.test BATCH -{number}")
    entered = ["JOIN", "353", "366"]
    if label:
        lines = said(talk)
        assert labelled(lines) == [("BATCH", "j")]
        assert shape(lines) == ["+BATCH", *entered, "473", *entered, "-BATCH"]
    else:
        assert shape(said(talk)) == [*entered, "473", *entered]
    assert shape(said(talk, 2)) == entered * 2
    assert talk.session.wanted["#a"] == ("#a", "k")
    assert talk.session.wanted.keys() == {"#ops", "#a", "#c"}


def test_who_is_in_a_channel_is_told_to_all_whatever_is_asked_of_another() -> None:
    """RFC 2812: "If a JOIN is successful, [...] is then sent the channel's topic (using RPL_TOPIC)
    and the list of users who are on the channel (using RPL_NAMREPLY)"."""
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, ())
    talk.types(2, "JOIN #new")
    talk.types(1, "TOPIC #new", "TOPIC #other")
    talk.says(":irc.test 442 me #new :You're not on that channel")
    talk.says(":irc.test 332 me #other :Another", ":irc.test 333 me #other bob!b@h 1700000000")
    assert (len(talk.seen(1)), len(talk.seen(2))) == (3, 0)
    talk.types(1, "NAMES #elsewhere", "TOPIC #elsewhere", "MODE #elsewhere")
    entering = [
        ":me!user@host JOIN #new",
        ":irc.test 332 me #new :The topic",
        ":irc.test 333 me #new bob!b@h 1700000000",
        ":irc.test 353 me = #new :me bob",
        ":irc.test 366 me #new :End of list",
        ":irc.test 324 me #new +nt",
        ":irc.test 329 me #new 1700000000",
    ]
    talk.says(*entering)
    assert talk.seen(1) == talk.seen(2) == entering
    asked = [
        ":irc.test 353 me = #elsewhere :x y",
        ":irc.test 366 me #elsewhere :End of list",
        ":irc.test 331 me #elsewhere :No topic",
        ":irc.test 324 me #elsewhere +n",
    ]
    talk.says(*asked)
    assert (talk.seen(1), talk.seen(2)) == (asked, [])
