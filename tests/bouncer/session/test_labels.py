"""IRCv3 labeled-response towards clients, with and without it on the network."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import ServiceCommand
from bouncer.session.events import Lost, ServiceSaid, Tick
from bouncer.session.routing import MAX_QUESTIONS, PATIENCE_MS
from tests.bouncer.session.dialogue import Dialogue

LABELS = frozenset({"labeled-response", "batch", "message-tags"})
ECHO = LABELS | {"echo-message"}
NETWORK_LABELS = "batch labeled-response message-tags"


def said(talk: Dialogue, client: int = 1) -> list[Message]:
    return [Message.parse(line) for line in talk.seen(client)]


def labelled(messages: list[Message]) -> list[tuple[str, str]]:
    """(command, label) of what carries a label."""
    return [(m.command, m.tags["label"]) for m in messages if "label" in m.tags]


def shape(messages: list[Message]) -> list[str]:
    return [m.command if m.command != "BATCH" else m.params[0][0] + "BATCH" for m in messages]


def test_a_command_without_an_answer_is_acknowledged() -> None:
    """ "Servers MUST respond with a labeled ACK message when a client sends a labeled command that
    normally produces no response." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=abc PONG :foobar")
    assert talk.seen(1) == ["@label=abc :muster.test ACK"]


def test_a_single_line_is_labelled_and_not_wrapped() -> None:
    """ "Servers MUST include the tag in exactly one logical message." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=a PING x", "@label=b WHOIS")
    assert talk.seen(1) == [
        "@label=a :muster.test PONG muster.test x",
        "@label=b :muster.test 431 me :No nickname given",
    ]


def test_several_lines_are_one_batch_that_carries_the_label() -> None:
    """ "If a response consists of more than one message, a batch MUST be used [...] The start of
    the batch MUST be tagged with the label tag." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=j JOIN #ops")
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "353", "366", "-BATCH"]
    assert lines[0].params[1] == "labeled-response"
    reference = lines[0].params[0][1:]
    assert [m.tags.get("batch") for m in lines] == [None, reference, reference, None]
    assert labelled(lines) == [("BATCH", "j")]


def test_a_label_needs_the_batch_capability() -> None:
    """ "This specification depends on the batch capability which MUST be negotiated to use labeled
    responses." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, {"labeled-response", "message-tags"})
    talk.types(1, "@label=a PING x")
    assert talk.seen(1) == [":muster.test PONG muster.test x"]


def test_a_label_that_is_too_long_is_none() -> None:
    """ "The value MUST NOT exceed 64 bytes." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, f"@label={'x' * 65} PING x")
    assert talk.seen(1) == [":muster.test PONG muster.test x"]


@pytest.mark.parametrize("caps", ["", NETWORK_LABELS])
def test_whois_of_the_network_comes_in_a_batch(caps: str) -> None:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, LABELS)
    talk.attach(2, LABELS)
    talk.types(1, "@label=w WHOIS bob")
    (sent,) = [Message.parse(line) for line in talk.heard()]
    assert sent._replace(raw_tags="") == Message("WHOIS", ("bob",))
    ours = sent.tags.get("label")
    if ours:
        assert ours != "w"
        talk.says(
            f"@label={ours} :irc.test BATCH +1 labeled-response",
            "@batch=1 :irc.test 311 me bob b h * :Bob",
            "@batch=1 :irc.test 318 me bob :End of WHOIS",
            ":irc.test BATCH -1",
        )
    else:
        talk.says(":irc.test 311 me bob b h * :Bob", ":irc.test 318 me bob :End of WHOIS")
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "311", "318", "-BATCH"]
    assert labelled(lines) == [("BATCH", "w")]
    assert talk.seen(2) == []


def test_a_single_reply_of_the_network_is_not_wrapped() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=i ISON bob carol")
    talk.says(":irc.test 303 me :bob")
    assert talk.seen(1) == ["@label=i :irc.test 303 me bob"]


def test_where_an_answer_has_no_end_a_ping_behind_it_shows_it() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=k KICK #ops bob :out", "@label=n FROB x")
    sent = talk.heard()
    assert [line.split()[0] for line in sent] == ["KICK", "PING", "FROB", "PING"]
    talk.says(":me!user@host KICK #ops bob :out", f":irc.test PONG irc.test {sent[1].split()[1]}")
    assert talk.seen(1) == ["@label=k;msgid=m2 :me!user@host KICK #ops bob :out"]
    talk.says(
        ":irc.test 421 me FROB :Unknown command", f":irc.test PONG irc.test {sent[3].split()[1]}"
    )
    assert talk.seen(1) == ["@label=n :irc.test 421 me FROB :Unknown command"]


def test_an_unlabelled_command_gets_no_ping_behind_it() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "KICK #ops bob :out")
    assert talk.heard() == ["KICK #ops bob out"]


def test_the_networks_labels_tell_even_alike_questions_apart() -> None:
    """ "labeled responses allow bouncers with multiple connected clients to direct responses [...]
    to the correct recipient" """
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, ())
    talk.attach(2, ())
    talk.types(1, "WHOIS bob")
    talk.types(2, "WHOIS bob")
    first, second = (Message.parse(line).tags["label"] for line in talk.heard())
    talk.says(f"@label={second} :irc.test 401 me bob :No such nick")
    assert (talk.seen(1), talk.seen(2)) == ([], [":irc.test 401 me bob :No such nick"])
    talk.says(f"@label={first} :irc.test 401 me bob :No such nick")
    assert (talk.seen(1), talk.seen(2)) == ([":irc.test 401 me bob :No such nick"], [])


def test_a_networks_ack_ends_the_answer() -> None:
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, LABELS)
    talk.attach(2, LABELS)
    talk.types(1, "@label=a FROB")
    ours = Message.parse(talk.heard()[0]).tags["label"]
    talk.says(f"@label={ours} :irc.test ACK")
    assert talk.seen(1) == ["@label=a :muster.test ACK"]
    assert talk.seen(2) == []


def test_the_services_answer_is_labelled() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, ECHO)
    talk.types(1, "@label=s PRIVMSG BouncerServ :help")
    command = talk.others[-1]
    assert command == ServiceCommand(1, "BouncerServ", "help", "s")
    assert isinstance(command, ServiceCommand)
    assert talk.seen(1) == []
    talk.event(ServiceSaid(command, ["one", "two"]))
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "PRIVMSG", "NOTICE", "NOTICE", "-BATCH"]
    assert labelled(lines) == [("BATCH", "s")]


def test_an_answer_that_never_comes_is_given_up() -> None:
    """ "the local server notices that the remote server is unavailable and sends a labeled ACK" """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=w WHOIS bob", "@label=l LIST")
    talk.says(":irc.test 311 me bob b h * :Bob", ":irc.test 319 me bob :#ops")
    talk.now_ms += PATIENCE_MS + 1
    talk.says(":bob!b@h PRIVMSG #ops :still alive")
    talk.seen(1)
    talk.event(Tick())
    assert shape(said(talk)) == ["-BATCH", "ACK"]


def test_answers_end_with_the_connection() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=w WHOIS bob")
    talk.event(Lost("reset"))
    assert labelled(said(talk)) == [("ACK", "w")]


def test_unanswered_questions_are_bounded() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    for number in range(MAX_QUESTIONS + 10):
        talk.types(1, f"@label=l{number} WHOIS bob")
    assert labelled(said(talk)) == [("ACK", f"l{number}") for number in range(10)]


def test_a_long_answer_is_not_collected() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=l LIST")
    talk.says(*(f":irc.test 322 me #c{n} 1 :t" for n in range(2_000)))
    assert len(said(talk)) == 2_001


def test_the_answer_to_a_nick_is_from_who_we_were() -> None:
    """InspIRCd 3 answers a labelled NICK from the new nick; RFC 1459 4.1.2: the prefix "shows the
    old nickname"."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.joined("#ops")
    talk.attach(1, ())
    talk.types(1, "NICK other")
    [asked] = talk.heard()
    label = Message.parse(asked).tags["label"]
    talk.says(f"@label={label} :other!user@host NICK other")
    assert talk.session.state.nick == "other"
    assert talk.seen(1) == [":me!user@host NICK other"]
    talk.says(":other!user@host PRIVMSG #ops :it is still I")
    assert talk.kept[-1].source == "other!user@host"
    assert talk.session.state.user_named("me") is None


def test_what_answers_a_longer_name_does_not_answer_a_shorter_one() -> None:
    """ "Servers MUST include the tag in exactly one logical message": that of this command."""
    talk = Dialogue(["#ops"])
    talk.connect()
    talk.attach(1, LABELS)
    talk.attach(2, ())
    talk.types(1, "@label=o MODE #opsx +o bob")
    (ping,) = (line.split()[1] for line in talk.heard() if line.startswith("PING"))
    talk.types(2, "MODE #ops +v bob")
    talk.says(":me!user@host MODE #ops +v bob", f":irc.test PONG irc.test {ping}")
    mode, ack = said(talk)
    assert (mode.command, labelled([mode, ack])) == ("MODE", [("ACK", "o")])


def test_a_batch_inside_of_an_answer_does_not_end_it() -> None:
    """batch: "Batches can be nested"."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, LABELS)
    talk.types(1, "@label=a FROB")
    ours = Message.parse(talk.heard()[0]).tags["label"]
    talk.says(
        f"@label={ours} :irc.test BATCH +1 labeled-response",
        "@batch=1 :irc.test BATCH +2 example.com/frobs",
        "@batch=2 :irc.test 999 me :one",
        "@batch=1 :irc.test BATCH -2",
        "@batch=1 :irc.test 999 me :two",
        ":irc.test BATCH -1",
    )
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "999", "999", "-BATCH"]
    assert labelled(lines) == [("BATCH", "a")]


def test_whois_of_nobody_is_over_with_its_end() -> None:
    """RFC 2812: 318 "is used to mark the end of processing a WHOIS message", after a 401, too."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1, LABELS)
    talk.types(1, "@label=w WHOIS ghost")
    talk.says(":irc.test 401 me ghost :No such nick", ":irc.test 318 me ghost :End of WHOIS")
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "401", "318", "-BATCH"]
    assert labelled(lines) == [("BATCH", "w")]
