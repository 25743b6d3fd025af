"""Texts that find no room in one line of the network: said in several, nothing of them lost.

RFC 1459 section 2.3: "these messages shall not exceed 512 characters in length, counting all
characters including the trailing CR-LF". Some servers end the connection of who sends more, others
cut it, also when it is the sender's mask, put before the line, that makes it too long.
"""

from __future__ import annotations

import pytest

from bouncer.irc.wire import MAX_LINE, Message
from bouncer.session.effects import ServiceCommand
from bouncer.session.events import BotSays, ServiceSaid
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts

LONG = "".join(f"word {number} and ünïcödé " for number in range(150))
MASK = "me!user@host"
SEVERAL = MODERN | {"draft/multiline"}


def connected(caps: str = "", isupport: str = "CHANTYPES=# PREFIX=(ov)@+") -> Dialogue:
    talk = Dialogue()
    talk.connect(caps, isupport)
    talk.heard()
    return talk


def as_others_see(line: str) -> bytes:
    return Message.parse(line)._replace(source=MASK, raw_tags="").encode()


@pytest.mark.parametrize("command", ["PRIVMSG", "NOTICE"])
def test_a_long_text_is_said_whole(command: str) -> None:
    talk = connected()
    talk.attach(1)
    talk.attach(2, ())
    talk.types(1, f"{command} #ops :{LONG}")
    heard = talk.heard()
    assert len(heard) > 1
    assert "".join(texts(heard)) == LONG
    assert all(len(as_others_see(line)) <= MAX_LINE for line in heard)
    assert texts(talk.seen(1)) == texts(talk.seen(2)) == [r.text for r in talk.kept] == texts(heard)


def test_a_line_that_only_the_mask_makes_too_long() -> None:
    talk = connected()
    talk.attach(1)
    line = "PRIVMSG #ops :".ljust(MAX_LINE - 2, "x")
    talk.types(1, line)
    heard = talk.heard()
    assert "".join(texts(heard)) == Message.parse(line).params[1]
    assert all(len(as_others_see(each)) <= MAX_LINE for each in heard)


def test_what_fits_is_one_line() -> None:
    talk = connected()
    talk.attach(1)
    fits = "x" * (MAX_LINE - len(f":{MASK} PRIVMSG #ops :\r\n"))
    talk.types(1, f"PRIVMSG #ops :{fits}")
    assert texts(talk.heard()) == [fits]


def test_the_network_s_own_length_of_lines_counts() -> None:
    talk = connected(isupport="CHANTYPES=# LINELEN=1024")
    talk.attach(1)
    talk.types(1, f"PRIVMSG #ops :{'y' * 900}")
    assert texts(talk.heard()) == ["y" * 900]


def test_an_action_is_several_actions() -> None:
    talk = connected()
    talk.attach(1)
    talk.types(1, f"PRIVMSG #ops :\x01ACTION {LONG}\x01")
    said = texts(talk.heard())
    assert len(said) > 1
    assert all(text.startswith("\x01ACTION ") and text.endswith("\x01") for text in said)
    assert "".join(text.removeprefix("\x01ACTION ")[:-1] for text in said) == LONG


def test_where_the_network_knows_several_lines_it_stays_one_message() -> None:
    talk = connected("batch draft/multiline echo-message labeled-response message-tags")
    talk.says(":irc.test CAP me NEW :draft/multiline=max-bytes=8000,max-lines=24")
    talk.heard()
    talk.attach(1, SEVERAL | {"labeled-response"})
    talk.types(1, f"@label=mine;+draft/reply=x PRIVMSG #ops :{LONG}")
    opening, *lines, closing = talk.heard()
    assert opening.endswith(";+draft/reply=x BATCH +m draft/multiline #ops")
    assert all("draft/multiline-concat" in line for line in lines[1:])
    assert "".join(texts(lines)) == LONG
    assert closing == "BATCH -m"


def test_the_lines_of_a_message_of_several_are_cut_too() -> None:
    talk = connected()
    talk.attach(1, SEVERAL)
    talk.types(1, "BATCH +1 draft/multiline #ops", "@batch=1 PRIVMSG #ops :short",
               f"@batch=1 PRIVMSG #ops :{LONG[:490]}", "BATCH -1")  # fmt: skip
    heard = talk.heard()
    assert "".join(texts(heard)) == "short" + LONG[:490]
    assert all(len(as_others_see(line)) <= MAX_LINE for line in heard)


def test_a_labelled_one_has_one_answer() -> None:
    talk = connected()
    talk.attach(1, MODERN | {"labeled-response"})
    talk.types(1, f"@label=mine PRIVMSG #ops :{LONG}")
    opening, *echoes, closing = talk.seen(1)
    assert opening.startswith("@label=mine ")
    assert " labeled-response" in opening
    assert texts(echoes) == texts(talk.heard())
    assert " BATCH -" in closing


@pytest.mark.parametrize("target", ["BouncerServ", "*status", "*playback"])
def test_what_is_for_the_bouncer_is_whole(target: str) -> None:
    talk = connected()
    talk.attach(1, MODERN | {"znc.in/playback"})
    effects = talk.types(1, f"PRIVMSG {target} :help {'x' * 600}")
    assert talk.heard() == []
    assert len(effects.others) == (target != "*playback")


def test_a_secret_is_not_torn_apart() -> None:
    """Its second half would not be known for one, and be kept."""
    talk = connected()
    talk.attach(1)
    talk.types(1, f"PRIVMSG NickServ :identify me {'p' * 600}")
    assert len(talk.heard()) == 1
    assert talk.kept == []


PEOPLE = " ".join(f"person{number}=?;" for number in range(60))


def test_what_the_ops_bot_says_is_said_whole() -> None:
    talk = connected()
    talk.event(BotSays("#ops", [PEOPLE, "two"]))
    heard = talk.heard()
    assert all(len(as_others_see(line)) <= MAX_LINE for line in heard)
    *pieces, last = texts(heard)
    assert ("".join(pieces), last) == (PEOPLE, "two")


def test_what_the_service_answers_is_said_whole() -> None:
    talk = connected()
    talk.attach(1, ())
    talk.types(1, "PRIVMSG BouncerServ :roster")
    command = talk.others[-1]
    assert isinstance(command, ServiceCommand)
    talk.event(ServiceSaid(command, [PEOPLE, "two"]))
    seen = talk.seen(1)
    assert all(len(f"{line}\r\n".encode()) <= MAX_LINE for line in seen)
    *pieces, last = texts(seen)
    assert ("".join(pieces), last) == (PEOPLE, "two")
