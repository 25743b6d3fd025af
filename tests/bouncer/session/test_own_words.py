"""What one says oneself: its echo, its label, its place among what others say."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import OpsCommand
from bouncer.session.routing import PATIENCE_MS
from tests.bouncer.session.dialogue import Dialogue
from tests.bouncer.session.test_labels import ECHO, LABELS, NETWORK_LABELS, labelled, said, shape


@pytest.mark.parametrize("caps", ["", "echo-message", NETWORK_LABELS])
@pytest.mark.parametrize("echo", [True, False])
def test_an_own_message_is_labelled_on_its_echo(caps: str, echo: bool) -> None:
    """ "a client can use labeled responses to correlate a server's acknowledgment of their own
    messages" """
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, ECHO if echo else LABELS)
    talk.attach(2, ECHO)
    talk.types(1, "@label=m PRIVMSG #ops :hi")
    (sent,) = talk.heard()
    if caps == "echo-message":
        talk.says(":me!user@host PRIVMSG #ops :hi")
    elif caps:
        talk.says(f"@label={Message.parse(sent).tags['label']} :irc.test ACK")
    lines = said(talk)
    assert labelled(lines) == [("PRIVMSG" if echo else "ACK", "m")]
    assert len(lines) == 1
    (elsewhere,) = said(talk, 2)
    assert elsewhere.params == ("#ops", "hi")
    assert "label" not in elsewhere.tags
    assert [row.text for row in talk.kept] == ["hi"]


def test_an_own_message_stands_where_the_network_has_taken_it() -> None:
    """Without echo-message its answer says so: who labels sees the order that all others see."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, ECHO)
    talk.attach(2, ECHO)
    talk.types(1, "@label=a;+draft/reply=x PRIVMSG #ops :hi", "@label=b PRIVMSG #ops :!status")
    first, second = (Message.parse(line).tags["label"] for line in talk.heard())
    talk.says(":bob!b@host PRIVMSG #ops :hello", f"@label={first} :irc.test ACK")
    talk.says(":bob!b@host PRIVMSG #ops :bye", f"@label={second} :irc.test ACK")
    words = ["hello", "hi", "bye", "!status"]
    for client in (1, 2):
        assert [message.params[-1] for message in said(talk, client)] == words
    assert [row.text for row in talk.kept] == words
    assert talk.kept[1].tags == "+draft/reply=x"
    assert [other for other in talk.others if isinstance(other, OpsCommand)]


def test_what_the_network_has_refused_is_not_said() -> None:
    """404 is "returned to a user who is […] not on a channel which is mode +n": RFC 1459."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, ECHO)
    talk.attach(2, ECHO)
    talk.types(1, "@label=a PRIVMSG #ops :hi", "@label=b PRIVMSG bob :hi")
    ours = [Message.parse(line).tags["label"] for line in talk.heard()]
    talk.says(f"@label={ours[0]} :irc.test 404 me #ops :Cannot send to channel")
    talk.says(f"@label={ours[1]} :irc.test 301 me bob :Lunch")
    assert labelled(said(talk)) == [("404", "a"), ("BATCH", "b")]
    assert [row.name for row in talk.kept] == ["bob"]
    assert [message.params[0] for message in said(talk, 2)] == ["bob"]


def test_what_a_network_never_answers_is_kept_after_a_while() -> None:
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, ECHO)
    talk.types(1, "@label=a PRIVMSG #ops :hi")
    talk.passes(PATIENCE_MS + 2_000)
    assert labelled(said(talk)) == [("PRIVMSG", "a")]
    assert [row.text for row in talk.kept] == ["hi"]


def test_with_labels_and_echo_of_the_network_the_echo_finds_its_sender() -> None:
    talk = Dialogue()
    talk.connect(NETWORK_LABELS + " echo-message")
    talk.attach(1, ECHO)
    talk.attach(2, ECHO)
    talk.types(1, "@label=one PRIVMSG #ops :\x02same\x02")
    talk.types(2, "@label=two PRIVMSG #ops :\x02same\x02")
    ours = [Message.parse(line).tags["label"] for line in talk.heard()]
    for label in ours:  # "a message that has been modified by the server to remove formatting"
        talk.says(f"@label={label};msgid=x{label} :me!user@host PRIVMSG #ops :same")
    assert labelled(said(talk, 1)) == [("PRIVMSG", "one")]
    assert labelled(said(talk, 2)) == [("PRIVMSG", "two")]
    assert "label" not in "".join(row.tags for row in talk.kept)


@pytest.mark.parametrize("caps", ["echo-message", NETWORK_LABELS])
def test_an_error_about_an_own_message_is_its_answer(caps: str) -> None:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, LABELS)
    talk.types(1, "@label=dc11f13f11 PRIVMSG nick :Hello")
    ours = Message.parse(talk.heard()[0]).tags.get("label")
    tag = f"@label={ours} " if ours else ""
    talk.says(f"{tag}:irc.test 401 me nick :No such nick/channel")
    assert labelled(said(talk)) == [("401", "dc11f13f11")]


@pytest.mark.parametrize("caps", ["", "echo-message", NETWORK_LABELS + " echo-message"])
def test_what_one_says_to_oneself_is_kept_once(caps: str) -> None:
    """ "When a client sends a message to itself, the server MUST NOT include the label tag, except
    for any acknowledgment sent with the echo-message mechanism." """
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, ECHO)
    talk.attach(2, ECHO)
    talk.types(1, "@label=s PRIVMSG me :note")
    ours = Message.parse(talk.heard()[0]).tags.get("label")
    if "echo-message" in caps:
        talk.says(
            f"@label={ours} :me!user@host PRIVMSG me :note"
            if ours
            else ":me!user@host PRIVMSG me :note"
        )
    talk.says(":me!user@host PRIVMSG me :note")
    echo, delivered = said(talk)
    assert labelled([echo, delivered]) == [("PRIVMSG", "s")]
    assert [m.params for m in (echo, delivered)] == [("me", "note")] * 2
    assert [m.params for m in said(talk, 2)] == [("me", "note")]
    assert [(row.target, row.text) for row in talk.kept] == [("me", "note")]


@pytest.mark.parametrize("line", ["PRIVMSG #ops,bob :hi", f"PRIVMSG #ops :{'x' * 600}"])
def test_what_a_network_does_not_echo_is_one_batch_where_it_is_several(line: str) -> None:
    """ "If a response consists of more than one message, a batch MUST be used to group them into a
    single logical response." """
    talk = Dialogue()
    talk.connect(NETWORK_LABELS)
    talk.attach(1, ECHO)
    talk.types(1, f"@label=s {line}")
    first, second = [sent.split()[0] for sent in talk.heard()]
    talk.says(f"{first} :irc.test ACK", f"{second} :irc.test ACK")
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "PRIVMSG", "PRIVMSG", "-BATCH"]
    assert labelled(lines) == [("BATCH", "s")]
    reference = lines[0].params[0][1:]
    assert [each.tags.get("batch") for each in lines] == [None, reference, reference, None]


@pytest.mark.parametrize("caps", [NETWORK_LABELS, "echo-message", NETWORK_LABELS + " echo-message"])
def test_the_first_of_several_stands_before_what_others_say_next(caps: str) -> None:
    """It does not wait for the second to be answered, too: all clients see one order."""
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, ECHO)
    talk.attach(2, ECHO)
    talk.types(1, f"@label=s PRIVMSG #ops :{'x' * 400} {'y' * 400}")
    for sent in map(Message.parse, talk.heard()):
        tag = f"@{sent.raw_tags} " if sent.raw_tags else ""
        echo = f":me!user@host PRIVMSG #ops :{sent.params[1]}"
        answer = echo if "echo-message" in caps else ":irc.test ACK"
        talk.says(f"{tag}{answer}", ":bob!b@host PRIVMSG #ops :and then")
    mine, others = said(talk), said(talk, 2)
    assert shape(mine) == ["+BATCH", *["PRIVMSG"] * 3, "-BATCH", "PRIVMSG"]
    words = [row.text[:1] for row in talk.kept]
    assert words == ["x", "a", "y", "a"]
    for lines in mine, others:
        assert [m.params[1][0] for m in lines if m.command == "PRIVMSG"] == words


def test_what_comes_with_an_echo_belongs_to_the_answer() -> None:
    """ "If a response consists of more than one message, a batch MUST be used": ergo says the echo,
    and that who was written to is away."""
    talk = Dialogue()
    talk.connect(NETWORK_LABELS + " echo-message")
    talk.attach(1, ECHO)
    talk.types(1, "@label=a PRIVMSG bob :hi")
    ours = Message.parse(talk.heard()[0]).tags["label"]
    talk.says(
        f"@label={ours} :irc.test BATCH +1 labeled-response",
        "@batch=1;msgid=x :me!user@host PRIVMSG bob :hi",
        "@batch=1 :irc.test 301 me bob :Out to lunch",
        ":irc.test BATCH -1",
    )
    lines = said(talk)
    assert shape(lines) == ["+BATCH", "PRIVMSG", "301", "-BATCH"]
    assert labelled(lines) == [("BATCH", "a")]
    assert [row.msgid for row in talk.kept] == ["x"]
