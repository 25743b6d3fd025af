"""draft/metadata-2: what the user's clients note about conversations. Quotes: IRCv3 metadata."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import KeepMark
from bouncer.session.marks import Noted
from bouncer.session.session import Session
from tests.bouncer.session.dialogue import MODERN, Dialogue


def said(talk: Dialogue) -> list[Message]:
    return [Message.parse(line) for line in talk.seen(1)]


NOTING = MODERN | {"labeled-response", "draft/metadata-2"}


def test_what_is_pinned_is_noted_kept_and_told() -> None:
    """metadata: "If the request is successful, the server carries out the requested change and
    responds with one RPL_KEYVALUE event"; subscribers "will receive a METADATA message" """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, NOTING)
    talk.attach(2, NOTING)
    talk.types(2, "METADATA * SUB soju.im/pinned soju.im/muted")
    assert talk.seen(2) == [":muster.test 770 me soju.im/pinned soju.im/muted"]
    talk.types(1, "METADATA #OPS SET soju.im/pinned :1")
    assert talk.seen(1) == [":muster.test 761 me #ops soju.im/pinned * 1"]
    assert talk.seen(2) == [":muster.test METADATA #ops soju.im/pinned * 1"]
    assert talk.others[-1] == KeepMark("#ops", "soju.im/pinned", "1")
    talk.types(1, "METADATA #ops GET soju.im/pinned soju.im/muted")
    assert [m.command for m in said(talk)] == ["BATCH", "761", "766", "BATCH"]
    talk.types(1, "METADATA #ops SET soju.im/pinned")
    assert talk.seen(1) == [":muster.test 766 me #ops soju.im/pinned :key not set"]
    assert talk.seen(2) == [":muster.test METADATA #ops soju.im/pinned *"]
    assert talk.heard() == []


def test_subscribing_tells_what_is_noted_already() -> None:
    """metadata: "When subscribing to a key, clients SHOULD receive the current value of that key
    for channels/users they are receiving updates for." """
    first = Dialogue()
    noted = Noted({}, {("#ops", "soju.im/muted"): "1"})
    talk = Dialogue()
    talk.session = Session(
        first.network, [("#ops", "")], server_name="muster.test",
        new_id=first.session.new_id, noted=noted,
    )  # fmt: skip
    talk.connect()
    talk.attach(1, NOTING)
    talk.types(1, "METADATA * SUB soju.im/muted")
    assert talk.seen(1)[1:] == [":muster.test METADATA #ops soju.im/muted * 1"]
    talk.types(1, "METADATA #ops SYNC", "METADATA #ops LIST", "METADATA * SUBS")
    kinds = [m.command for m in said(talk)]
    assert kinds == ["BATCH", "METADATA", "BATCH", "BATCH", "761", "BATCH", "772"]
    talk.types(1, "METADATA * UNSUB soju.im/muted", "METADATA #ops CLEAR")
    assert [m.command for m in said(talk)] == ["771", "BATCH", "766", "BATCH"]


def test_the_greeting_has_a_batch_of_metadata() -> None:
    """metadata: "If none exists, the server MUST send an empty batch instead." """
    talk = Dialogue()
    talk.connect()
    lines = [Message.parse(line) for line in talk.attach(1, NOTING)]
    assert [m.params[1:] for m in lines if m.command == "BATCH"] == [("metadata", "me"), ()]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("#ops SET homepage :x", "KEY_NO_PERMISSION #ops homepage"),
        ("* SET soju.im/muted 1", "KEY_NO_PERMISSION * soju.im/muted"),
        ("#ops SET soju.im/muted maybe", "VALUE_INVALID"),
        ("#ops SET $x 1", "KEY_INVALID $x"),
        ("#ops FROB", "SUBCOMMAND_INVALID FROB"),
    ],
)
def test_what_cannot_be_noted_is_said_as_a_fail(asked: str, answer: str) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, NOTING)
    talk.types(1, f"METADATA {asked}")
    assert talk.seen(1)[0].startswith(f":muster.test FAIL METADATA {answer} :")


def test_subscriptions_are_bounded() -> None:
    """metadata: "The <key> parameter of the FAIL METADATA TOO_MANY_SUBS reply MUST be this first
    key that the client could not subscribe to" """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, NOTING)
    for start in range(0, 60, 10):
        talk.types(1, "METADATA * SUB " + " ".join(f"k{n}" for n in range(start, start + 10)))
    fails = [m for m in said(talk) if m.command == "FAIL"]
    assert [m.params[:3] for m in fails] == [("METADATA", "TOO_MANY_SUBS", "k50")]
