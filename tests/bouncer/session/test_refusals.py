"""Whom it is told that a message was not delivered, where the network does not say whose it was."""

from __future__ import annotations

from bouncer.session.events import Tick
from bouncer.session.routing import MAX_UNREFUSED, REFUSED_MS
from tests.bouncer.session.dialogue import Dialogue


def two(caps: str = "") -> Dialogue:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    return talk


def two_say(pause_ms: int = 0) -> Dialogue:
    """Two clients write to somebody who is not there, on a network without labels and echoes."""
    talk = two()
    talk.types(1, "PRIVMSG ghost :boo")
    talk.passes(pause_ms)
    talk.types(2, "PRIVMSG Ghost :boo", "PRIVMSG ghost :are you there?")
    return talk


def test_each_error_about_a_message_goes_to_who_said_that_one() -> None:
    """A network answers in order: the first error is about the first message."""
    talk = two_say()
    error = ":irc.test 401 me ghost :No such nick"
    talk.says(error)
    assert (talk.seen(1), talk.seen(2)) == ([error], [])
    talk.says(error, error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error] * 2)
    talk.says(error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error]), "of no message: for the last speaker"


def test_what_was_not_refused_for_a_while_has_been_taken() -> None:
    """Ghost may have been there for the first, and have gone before the next."""
    talk = two_say(pause_ms=REFUSED_MS + 1_000)
    error = ":irc.test 401 me ghost :No such nick"
    talk.says(error, error, error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error] * 3)


def test_what_still_waits_to_be_sent_may_be_refused() -> None:
    talk = two()
    talk.types(1, "PRIVMSG ghost :boo")
    for _ in range(10):
        talk.now_ms += 1_000
        talk.event(Tick(waiting=True))
    talk.types(2, "PRIVMSG ghost :boo")
    error = ":irc.test 401 me ghost :No such nick"
    talk.says(error, error)
    assert (talk.seen(1), talk.seen(2)) == ([error], [error])


def test_who_is_gone_leaves_no_errors_behind() -> None:
    """Kept for who is gone, the one would be told to nobody."""
    talk = two_say()
    talk.leaves(1)
    error = ":irc.test 401 me ghost :No such nick"
    talk.says(error)
    assert talk.seen(2) == [error]


def test_two_numerics_about_one_message_go_to_one() -> None:
    """ircd-hybrid on somebody who lets nobody write to him (+g): 716 for each message, and 717
    behind it once a minute."""
    talk = two_say()
    first, told = ":irc.test 716 me ghost :is in +g mode", ":irc.test 717 me ghost :has been told"
    talk.says(first, told, first, first)
    assert (talk.seen(1), talk.seen(2)) == ([first, told], [first, first])


def test_what_came_back_is_not_refused() -> None:
    talk = two("echo-message")
    talk.types(1, "PRIVMSG #ops :hi")
    talk.says(":me!user@host PRIVMSG #ops :hi")
    talk.seen(1), talk.seen(2)
    talk.types(2, "PRIVMSG #ops :\x01VERSION\x01")
    error = ":irc.test 404 me #ops :no CTCPs"
    talk.says(error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error])


def test_it_is_remembered_of_so_many_messages() -> None:
    talk = two()
    talk.types(1, "PRIVMSG ghost :boo")
    talk.types(2, *["PRIVMSG ghost :boo"] * MAX_UNREFUSED)
    error = ":irc.test 401 me ghost :No such nick"
    talk.says(error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error])
