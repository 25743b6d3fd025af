"""What one has said is not lost with the echo that never comes."""

from __future__ import annotations

from bouncer.connections.send_queue import QUEUE_LINES
from bouncer.session.events import Lost, Tick
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts

NOT_SURE = "The last messages, {} of them, may not have reached net"


def echoing(caps: str = "echo-message message-tags") -> Dialogue:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, MODERN)
    talk.attach(2, MODERN)
    return talk


def test_what_was_said_before_the_connection_broke_is_kept_and_told() -> None:
    talk = echoing()
    talk.types(1, "PRIVMSG #ops :heard", "PRIVMSG #ops :one", "NOTICE bob :two")
    said_ms = talk.now_ms
    talk.says("@msgid=x :me!user@host PRIVMSG #ops :heard")
    talk.seen(1)
    talk.passes(5_000)
    talk.event(Lost("reset by peer"))
    for client in (1, 2):
        assert texts(talk.seen(client))[-4:] == [
            "one", "two", "The connection to net was lost: reset by peer", NOT_SURE.format(2)
        ]  # fmt: skip
    assert [row.text for row in talk.kept] == ["heard", "one", "two"]
    assert {row.time_ms for row in talk.kept[1:]} == {said_ms}
    assert (talk.kept[1].source, talk.kept[2].name) == ("me!user@host", "bob")
    talk.event(Lost("again"))
    assert len(talk.kept) == 3, "once"


def test_what_surely_did_not_go_out_is_told_apart() -> None:
    talk = echoing()
    talk.types(1, *(f"PRIVMSG #ops :{number}" for number in range(3)))
    talk.event(Lost("reset by peer", unsent=2))
    assert texts(talk.seen(2))[-2:] == [
        "The last messages, 2 of them, did not reach net",
        "The last messages, 1 before these, may not have reached net",
    ]


def test_what_the_network_has_refused_or_changed_is_not_kept_as_said() -> None:
    talk = echoing()
    talk.types(1, "PRIVMSG #ops :refused")
    talk.says(":irc.test 404 me #ops :Cannot send to channel")
    talk.types(1, "PRIVMSG #ops :darn", "PRIVMSG #ops :next")
    talk.says(":me!user@host PRIVMSG #ops :****", ":me!user@host PRIVMSG #ops :next")
    talk.event(Lost("reset by peer"))
    assert [row.text for row in talk.kept] == ["****", "next"]


def test_nor_what_has_had_no_echo_for_so_long_that_none_was_to_come() -> None:
    talk = echoing()
    talk.types(1, "PRIVMSG #ops :swallowed")
    for _ in range(3):
        talk.passes(50_000)
        talk.says(":irc.test PONG irc.test x")
    talk.event(Lost("reset by peer"))
    assert talk.kept == []


def test_what_waits_for_its_turn_is_not_lost_however_long() -> None:
    """A paste of 100 lines takes 200 s."""
    talk = echoing()
    talk.passes(1_000)
    talk.types(1, *(f"PRIVMSG #ops :{number}" for number in range(100)))
    for number in range(75):
        talk.now_ms += 2_000
        talk.event(Tick(waiting=True))
        talk.says(f":me!user@host PRIVMSG #ops :{number}")
    talk.event(Lost("reset by peer", unsent=24))
    assert [row.text for row in talk.kept] == [str(number) for number in range(100)]
    assert texts(talk.seen(2))[-2:] == [
        "The last messages, 24 of them, did not reach net",
        "The last messages, 1 before these, may not have reached net",
    ]


def test_as_many_echoes_are_known_as_lines_may_wait() -> None:
    talk = echoing()
    talk.attach(3, ())
    lines = [f"PRIVMSG #ops :{number}" for number in range(QUEUE_LINES)]
    talk.types(3, *lines)
    talk.says(*(f":me!user@host {line}" for line in lines))
    assert len(texts(talk.seen(1))) == QUEUE_LINES
    assert texts(talk.seen(3)) == [], "it has no echo-message"


def test_a_labelled_one_has_it_as_its_answer() -> None:
    talk = echoing("batch echo-message labeled-response message-tags")
    talk.attach(3, MODERN | {"labeled-response"})
    talk.types(3, "@label=l PRIVMSG #ops :one")
    talk.event(Lost("reset by peer"))
    first = talk.seen(3)[0]
    assert first.startswith("@label=l;")
    assert texts([first]) == ["one"]


def test_what_waits_for_its_echo_when_the_network_stops_to_echo_is_kept() -> None:
    talk = echoing("cap-notify echo-message message-tags")
    talk.types(1, "PRIVMSG #ops :one")
    talk.says(":irc.test CAP me DEL :echo-message")
    assert texts(talk.seen(2)) == ["one"]
    talk.types(1, "PRIVMSG #ops :two")
    assert [row.text for row in talk.kept] == ["one", "two"]
