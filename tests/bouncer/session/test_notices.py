"""Notices of servers that answer a command go to who gave it; all others to everybody."""

from __future__ import annotations

import pytest

from tests.bouncer.session.dialogue import MODERN, Dialogue

LABELS = MODERN | {"labeled-response"}


def two(caps: frozenset[str] = frozenset()) -> Dialogue:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps)
    talk.attach(2, ())
    return talk


@pytest.mark.parametrize("command", ["HELP", "REHASH", "CONNECT leaf.test", "GLINE", "FROB x"])
def test_a_command_is_answered_by_notices_until_our_ping_is(command: str) -> None:
    talk = two()
    talk.types(1, command)
    sent, ping = talk.heard()
    assert sent == command
    told = [f":irc.test NOTICE me :{word}" for word in ("ADMIN", "AWAY", "DIE")]
    talk.says(*told, f":irc.test PONG irc.test {ping.removeprefix('PING ')}")
    assert (talk.seen(1), talk.seen(2)) == (told, [])
    later = ":irc.test NOTICE me :*** Restarting in five minutes"
    talk.says(later)
    assert (talk.seen(1), talk.seen(2)) == ([later], [later])


@pytest.mark.parametrize(
    "line",
    [
        ":irc.test NOTICE me :*** Notice -- Client connecting: bob",  # to operators, at any time
        ":irc.test NOTICE $*.test :We restart at noon",
        ":irc.test NOTICE * :to everybody",
        ":oper!o@h NOTICE $$* :by an operator",
    ],
)
def test_what_is_no_answer_is_for_everybody(line: str) -> None:
    talk = two()
    talk.types(1, "HELP")
    talk.says(line)
    assert (talk.seen(1), talk.seen(2)) == ([line], [line])


def test_what_a_command_with_an_end_of_its_own_has_in_notices_is_of_its_answer() -> None:
    talk = two()
    talk.types(1, "STATS u")
    assert talk.heard() == ["STATS u"]
    talk.says(
        ":irc.test NOTICE me :up 3 days", ":irc.test 219 me u :End", ":irc.test NOTICE me :hi"
    )
    assert [line.split()[1] for line in talk.seen(1)] == ["NOTICE", "219", "NOTICE"]
    assert [line.split()[1] for line in talk.seen(2)] == ["NOTICE"]


def test_none_is_lost_when_who_asked_is_gone() -> None:
    talk = two()
    talk.types(1, "HELP")
    talk.leaves(1)
    talk.says(":irc.test NOTICE me :ADMIN")
    assert talk.seen(2) == [":irc.test NOTICE me :ADMIN"]


def test_no_ping_goes_behind_what_is_never_answered_so() -> None:
    talk = two()
    talk.types(1, "NICKSERV INFO me", "TOPIC #ops", "WHOIS bob", "MODE #ops +o bob", "PART #x")
    assert [line.split()[0] for line in talk.heard()] == [
        "NICKSERV", "TOPIC", "WHOIS", "MODE", "PART"
    ]  # fmt: skip


def test_a_labelled_command_has_them_as_its_answer() -> None:
    """IRCv3 labeled-response: "the server MUST include the same tag and value in any response
    produced from this message"."""
    talk = two(LABELS)
    talk.types(1, "@label=h HELP")
    _, ping = talk.heard()
    talk.says(
        ":irc.test NOTICE me :ADMIN",
        ":irc.test NOTICE me :AWAY",
        f":irc.test PONG irc.test {ping.removeprefix('PING ')}",
    )
    opening, *lines, closing = talk.seen(1)
    assert opening.startswith("@label=h ")
    assert [line.rpartition(":")[2] for line in lines] == ["ADMIN", "AWAY"]
    assert " BATCH -" in closing
    assert talk.seen(2) == []


@pytest.mark.parametrize("batched", [True, False])
def test_the_label_of_the_network_says_whose_a_notice_is(batched: bool) -> None:
    """IRCv3 labeled-response: "If a response consists of more than one message, a batch MUST be
    used to group them into a single logical response"."""
    talk = Dialogue()
    talk.connect("batch labeled-response message-tags")
    talk.attach(1, LABELS)
    talk.attach(2, ())
    talk.types(1, "@label=h FROB x")
    (sent,) = talk.heard()
    label = sent.split()[0]
    if batched:
        talk.says(
            f"{label} :irc.test BATCH +b labeled-response",
            "@batch=b :irc.test NOTICE me :one",
            "@batch=b :irc.test NOTICE me :two",
            ":irc.test BATCH -b",
        )
    else:
        talk.says(f"{label} :irc.test NOTICE me :one")
    seen = talk.seen(1)
    assert seen[0].startswith("@label=h")
    assert sum(" NOTICE me " in line for line in seen) == 1 + batched
    assert len(seen) == (4 if batched else 1)
    assert talk.seen(2) == []
