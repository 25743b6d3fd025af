"""Read markers: IRCv3 read-marker and soju.im/read, its forerunner."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.irc.wire import Message
from bouncer.session.marks import Noted
from bouncer.session.session import Session
from bouncer.session.stamps import AHEAD_MS
from tests.bouncer.session.dialogue import MODERN, Dialogue
from tests.bouncer.session.stored import stored

READING = MODERN | {"draft/read-marker"}
OLD = "timestamp=2019-01-04T14:33:26.123Z"
NEW = "timestamp=2019-01-04T14:40:00.000Z"


async def test_a_marker_is_kept_and_told_to_all_clients_of_the_user(tmp_path: Path) -> None:
    """ "after the last read timestamp of a target changes, the server SHOULD send a MARKREAD
    command for that target to all the clients of the user" """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, READING)
        talk.attach(2, READING | {"soju.im/read"})
        talk.attach(3, MODERN)
        assert await talk.ask(1, f"MARKREAD #ops {OLD}") == [f":muster.test MARKREAD #ops {OLD}"]
        assert talk.seen(2) == [
            f":muster.test MARKREAD #ops {OLD}",
            f":me!user@host READ #ops {OLD}",
        ]
        assert talk.seen(3) == []
        assert await talk.ask(2, "MARKREAD #ops") == [f":muster.test MARKREAD #ops {OLD}"]


async def test_a_marker_only_ever_moves_forward(tmp_path: Path) -> None:
    """ "If the provided timestamp is older than the server's stored value, the server MUST reply to
    the client with a MARKREAD command carrying the server's stored value." """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, READING)
        talk.attach(2, READING)
        await talk.ask(1, f"MARKREAD #ops {NEW}")
        talk.seen(2)
        assert await talk.ask(2, f"MARKREAD #OPS {OLD}") == [f":muster.test MARKREAD #OPS {NEW}"]
        assert await talk.ask(1, f"MARKREAD #ops {NEW}") == [f":muster.test MARKREAD #ops {NEW}"]
        assert talk.seen(1) == []
        assert talk.seen(2) == []


async def test_two_clients_that_mark_at_once_end_at_the_later_mark(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, READING)
        talk.attach(2, READING)
        talk.types(1, f"MARKREAD bob {NEW}")
        talk.types(2, f"MARKREAD bob {OLD}")
        await talk.settle()
        assert talk.seen(1) == [f":muster.test MARKREAD bob {NEW}"]
        assert talk.seen(2) == [f":muster.test MARKREAD bob {NEW}"] * 2


async def test_a_marker_from_the_future_is_cut(tmp_path: Path) -> None:
    """ "it can clamp it between the last read timestamp and the current time" """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, READING)
        await talk.ask(1, "MARKREAD #ops timestamp=9999-01-01T00:00:00.000Z")
        known = talk.session.markers.of("#ops")
        assert known is not None
        assert known <= talk.now_ms + AHEAD_MS


def test_a_conversation_without_a_marker_has_a_star() -> None:
    """ "If there is no known last message read timestamp, the timestamp parameter is a literal
    *." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, READING | {"labeled-response"})
    talk.types(1, "@label=r MARKREAD bob")
    assert talk.seen(1) == ["@label=r :muster.test MARKREAD bob *"]


@pytest.mark.parametrize("cap", ["draft/read-marker", "soju.im/read"])
def test_the_marker_comes_between_join_and_the_end_of_names(cap: str) -> None:
    """ "after the server sends a server JOIN command to the client for a corresponding channel, the
    server MUST send a MARKREAD command for that channel. The command MUST be sent before the
    RPL_ENDOFNAMES reply for that channel following the JOIN." """
    talk = Dialogue()
    talk.session.markers.move("#ops", 1_546_612_406_123)
    talk.connect()
    said = "MARKREAD" if cap == "draft/read-marker" else "READ"
    burst = [Message.parse(line) for line in talk.attach(1, MODERN | {cap})]
    talk.joined("#new")
    live = [Message.parse(line) for line in talk.seen(1)]
    for lines, channel, marker in ((burst, "#ops", OLD), (live, "#new", "*")):
        commands = [m.command for m in lines]
        at = commands.index("JOIN")
        assert commands[at : at + 2] == ["JOIN", said]
        assert commands.index("366") > at
        assert lines[at + 1].params == (channel, marker)


def test_the_session_begins_with_what_the_store_has_noted() -> None:
    talk = Dialogue()
    noted = Noted({"#ops": 1_546_612_406_123}, {})
    session = Session(talk.network, (), server_name="s", new_id=talk.session.new_id, noted=noted)
    assert session.markers.of("#ops") == 1_546_612_406_123


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("MARKREAD", ":muster.test FAIL MARKREAD NEED_MORE_PARAMS :Missing parameters"),
        ("READ", ":muster.test FAIL READ NEED_MORE_PARAMS :Missing parameters"),
        ("MARKREAD #ops *", ":muster.test FAIL MARKREAD INVALID_PARAMS #ops :Invalid timestamp"),
        ("MARKREAD #ops 12", ":muster.test FAIL MARKREAD INVALID_PARAMS #ops :Invalid timestamp"),
    ],
)
def test_what_is_wrong_is_said_as_a_fail(asked: str, answer: str) -> None:
    """ "If the server receives a MARKREAD command with missing parameters, the NEED_MORE_PARAMS
    error code MUST be returned." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, READING)
    talk.types(1, asked)
    assert talk.seen(1) == [answer]


async def test_read_answers_with_the_clients_own_mask(tmp_path: Path) -> None:
    """soju.im/read: "The prefix is the prefix of the client the message is sent to." """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, MODERN | {"soju.im/read"})
        assert await talk.ask(1, f"READ #ops {OLD}") == [f":me!user@host READ #ops {OLD}"]
        assert await talk.ask(1, "READ #ops") == [f":me!user@host READ #ops {OLD}"]


REDACTING = "draft/message-redaction message-tags echo-message"


async def test_a_redacted_message_leaves_history(tmp_path: Path) -> None:
    """IRCv3 message-redaction: "After a message is redacted, chathistory responses SHOULD either:
    exclude it entirely"; "MUST not forward this REDACT to target recipients that have not
    negotiated this capability" """
    async with stored(tmp_path) as talk:
        talk.connect(REDACTING)
        talk.attach(1, MODERN | {"draft/message-redaction"})
        talk.attach(2, MODERN)
        talk.says(
            "@msgid=123 :bob!b@h PRIVMSG #ops :an example",
            "@msgid=124 :bob!b@h PRIVMSG #ops :another",
        )
        talk.types(1, "REDACT #ops 123 :bad example")
        assert talk.heard() == ["REDACT #ops 123 :bad example"]
        talk.seen(1)
        talk.seen(2)
        await talk.settle()
        talk.says("@msgid=125 :me!user@host REDACT #ops 123 :bad example")
        (line,) = talk.seen(1)
        assert line.endswith(":me!user@host REDACT #ops 123 :bad example")
        assert talk.seen(2) == []
        lines = await talk.ask(1, "CHATHISTORY LATEST #ops * 10")
        assert [Message.parse(line).params[-1] for line in lines[1:-1]] == ["another"]
        assert len(await talk.ask(1, "SEARCH text=example")) == 2


async def test_a_private_message_is_redacted_by_its_sender(tmp_path: Path) -> None:
    """ "SHOULD forward this REDACT, with an appropriate prefix, to the target recipients [...] in
    the same way as PRIVMSG messages" """
    async with stored(tmp_path) as talk:
        talk.connect(REDACTING)
        talk.attach(1, MODERN)
        talk.says("@msgid=5 :bob!b@h PRIVMSG me :oops")
        await talk.settle()
        talk.says("@msgid=6 :bob!b@h REDACT me 5")
        assert len(await talk.ask(1, "CHATHISTORY LATEST bob * 10")) == 2


def test_a_network_that_cannot_delete_is_not_asked_to() -> None:
    """ "FAIL REDACT INVALID_TARGET <target> :You cannot delete messages from <target>" """
    talk = Dialogue()
    talk.connect("message-tags")
    talk.attach(1, MODERN | {"draft/message-redaction"})
    talk.types(1, "REDACT #ops 123")
    assert talk.heard() == []
    assert talk.seen(1)[0].startswith(":muster.test FAIL REDACT INVALID_TARGET #ops :")
