"""The nick its user wants: regained when it is free, not fought for, and changed by NICK."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.session.effects import RememberNick
from bouncer.session.events import Connected, NetworkSet, Tick
from bouncer.session.wanted_nick import ISON_MS, LONGEST_RETRY_MS
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue

MONITOR = "CHANTYPES=# MONITOR=100"
NET = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me")


def connect_as_other(talk: Dialogue, isupport: str = "CHANTYPES=#") -> list[str]:
    """The wanted nick is taken; we come in as me_. What the network has heard after that."""
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :", ":irc.test 433 * me :Nickname is already in use")
    talk.heard()
    talk.says(
        ":irc.test 001 me_ :Welcome me_!user@host",
        f":irc.test 005 me_ {isupport} :are supported by this server",
        ":irc.test 422 me_ :no MOTD",
    )
    return [line for line in talk.heard() if not line.startswith("JOIN")]


def pass_time(talk: Dialogue, ms: int) -> None:
    talk.now_ms += ms
    talk.event(Tick())


def test_who_leaves_is_told_by_monitor() -> None:
    """IRCv3 monitor: "RPL_MONOFFLINE ... used to indicate to a client that a target has just left
    the IRC network"."""
    talk = Dialogue([], NET)
    assert connect_as_other(talk, MONITOR) == ["MONITOR + me", "WHOIS me"]
    talk.attach(1, caps=())
    talk.says(
        ":irc.test 730 me_ :me!x@y", ":irc.test 311 me_ me x y * :X", ":irc.test 318 me_ me :"
    )
    assert talk.heard() == []
    talk.says(":irc.test 731 me_ :me")
    assert talk.heard() == ["NICK me"]
    talk.says(":me_!user@host NICK me")
    assert talk.heard() == ["MONITOR - me"]
    assert talk.seen(1) == [":me_!user@host NICK me"]


def test_without_monitor_ison_looks_once_a_minute() -> None:
    talk = Dialogue([], NET)
    assert connect_as_other(talk) == ["WHOIS me"]
    talk.attach(1, caps=())
    talk.says(":irc.test 311 me_ me x y * :X", ":irc.test 318 me_ me :End")
    pass_time(talk, ISON_MS)
    assert "ISON me" in talk.heard()
    talk.says(":irc.test 303 me_ :me")
    pass_time(talk, ISON_MS // 2)
    assert "ISON me" not in talk.heard()
    pass_time(talk, ISON_MS // 2)
    assert "ISON me" in talk.heard()
    talk.says(":irc.test 303 me_ :")
    assert talk.heard() == ["NICK me"]
    assert talk.seen(1) == []


def test_our_tries_that_fail_are_hidden_from_clients_and_grow_rare() -> None:
    """solanum answers a NICK to a nick it still holds with 437."""
    talk = Dialogue([], NET)
    connect_as_other(talk, MONITOR)
    talk.attach(1, caps=())
    talk.says(":irc.test 401 me_ me :No such nick", ":irc.test 318 me_ me :End of WHOIS")
    tries = talk.heard().count("NICK me")
    talk.says(":irc.test 437 me_ me :Nick/channel is temporarily unavailable")
    for _ in range(600):
        pass_time(talk, 2_000)
        talk.says(":irc.test PONG irc.test muster")
        if "NICK me" in talk.heard():
            tries += 1
            talk.says(":irc.test 437 me_ me :Nick/channel is temporarily unavailable")
    assert talk.seen(1) == []
    assert 4 <= tries <= 5 + 600 * 2_000 // LONGEST_RETRY_MS


def test_services_give_it_back_by_the_words_they_know() -> None:
    kept = replace(NET, sasl_password="hunter2")
    talk = Dialogue([], kept)
    first = connect_as_other(talk, MONITOR)
    assert first == ["PRIVMSG NickServ :IDENTIFY hunter2"]
    talk.says(":NickServ!n@services NOTICE me_ :You are now identified for me.")
    assert talk.heard() == ["MONITOR + me", "WHOIS me"]
    talk.says(":irc.test 311 me_ me x y * :X", ":irc.test 318 me_ me :End of WHOIS")
    assert talk.heard() == ["PRIVMSG NickServ :REGAIN me hunter2"]
    talk.says(":NickServ!n@services NOTICE me_ :Unknown command REGAIN.")
    assert talk.heard() == ["PRIVMSG NickServ :RECOVER me hunter2"]
    talk.says(":NickServ!n@services NOTICE me_ :Ghost with your nickname has been killed.")
    pass_time(talk, 1_000)
    assert talk.heard() == ["NICK me"]
    assert not talk.kept or all("hunter2" not in row.text for row in talk.kept)


def test_who_holds_it_with_our_own_account_is_not_fought() -> None:
    """A person who took their nick elsewhere during an outage keeps it."""
    talk = Dialogue([], NET)
    connect_as_other(talk, MONITOR)
    talk.says(":irc.test 900 me_ me_!user@host alice :You are now logged in as alice")
    talk.heard()
    talk.says(
        ":irc.test 311 me_ me phone elsewhere * :Alice",
        ":irc.test 330 me_ me Alice :is logged in as",
        ":irc.test 318 me_ me :End of WHOIS",
        ":irc.test 730 me_ :me!phone@elsewhere",
    )
    for _ in range(20):
        pass_time(talk, 60_000)
        talk.says(":irc.test PONG irc.test muster")
    assert [line for line in talk.heard() if "NICK" in line or "NickServ" in line] == []
    talk.says(":irc.test 731 me_ :me")
    assert talk.heard() == ["NICK me"]


def test_a_stranger_who_holds_it_is_sent_away_by_services() -> None:
    talk = Dialogue([], NET)
    connect_as_other(talk, MONITOR)
    talk.says(":irc.test 900 me_ me_!user@host alice :You are now logged in as alice")
    talk.heard()
    talk.says(":irc.test 330 me_ me mallory :is logged in as", ":irc.test 318 me_ me :End")
    assert talk.heard() == ["PRIVMSG NickServ :REGAIN me"]


def test_who_leaves_before_our_eyes_is_followed_at_once() -> None:
    talk = Dialogue([], NET)
    connect_as_other(talk)
    talk.says(":irc.test 318 me_ me :End")
    talk.says(":me!x@y QUIT :bye")
    assert talk.heard() == ["NICK me"]


def test_a_clients_nick_becomes_the_wanted_one_when_the_network_agrees() -> None:
    talk = Dialogue([], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "NICK taken")
    talk.says(":irc.test 433 me taken :Nickname is already in use")
    assert talk.seen(1) == [":irc.test 433 me taken :Nickname is already in use"]
    assert talk.session.network.nick == "me"
    talk.types(1, "NICK alice")
    talk.says(":me!user@host NICK alice")
    assert RememberNick("alice") in talk.others
    assert talk.session.network.nick == "alice"
    assert talk.heard() == ["NICK taken", "NICK alice"]


def test_a_nick_chosen_while_the_network_is_away_is_kept() -> None:
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.types(1, "NICK alice")
    assert RememberNick("alice") in talk.others
    assert talk.seen(1) == [":me NICK :alice"]
    talk.event(Connected(tls=False))
    assert "NICK alice" in talk.heard()


def test_a_nick_set_by_a_command_is_taken_without_a_new_connection() -> None:
    talk = Dialogue([], NET)
    talk.connect()
    talk.event(NetworkSet(replace(NET, nick="alice")))
    assert talk.heard() == ["NICK alice"]


def test_a_nick_that_is_cut_at_every_connect_is_not_asked_for_for_ever() -> None:
    """modern.ircdocs.horse, NICKLEN: "the maximum length of a nickname that a client may set"; a
    server cuts what is longer."""
    talk = Dialogue([], replace(NET, nick="maintenance"))
    talk.event(Connected(tls=False))
    talk.says(
        ":irc.test CAP * LS :",
        ":irc.test 001 mainten :Welcome mainten!user@host",
        ":irc.test 005 mainten NICKLEN=7 :are supported by this server",
        ":irc.test 422 mainten :no MOTD",
    )
    talk.heard()
    pass_time(talk, 200_000)
    assert [line for line in talk.heard() if not line.startswith("PING")] == []
    assert talk.session.network.nick == "maintenance"
    talk.says(":mainten!user@host NICK Guest1")
    pass_time(talk, 120_000)
    assert "ISON maintenance" in talk.heard()


def test_a_forced_rename_is_not_a_wish() -> None:
    talk = Dialogue([], NET)
    talk.connect()
    talk.says(":me!user@host NICK Guest123")
    assert talk.session.network.nick == "me"
    pass_time(talk, 120_000)
    assert "ISON me" in talk.heard()


@pytest.mark.parametrize("isupport", ["CHANTYPES=#", MONITOR])
def test_services_that_rename_us_each_time_are_not_fought(isupport: str) -> None:
    """Atheme and Anope rename who has not logged in half a minute after they took the nick."""
    talk = Dialogue([], NET)
    talk.connect(isupport=isupport)
    taken_at = []
    for second in range(3_600):
        nick = talk.session.state.nick
        if nick == "me" and (not taken_at or second - taken_at[-1] >= 30):
            talk.says(":me!user@host NICK Guest1", ":irc.test 731 Guest1 :me")
        pass_time(talk, 1_000)
        for line in talk.heard():
            if line == "NICK me":
                taken_at.append(second)
                talk.says(":Guest1!user@host NICK me")
            elif line.startswith("ISON"):
                talk.says(":irc.test 303 Guest1 :")
            elif line.startswith("PING"):
                talk.says(":irc.test PONG irc.test muster")
    assert taken_at[0] < 120, "once it may have been an accident"
    assert 2 <= len(taken_at) <= 6
    talk.says(":irc.test 900 Guest1 Guest1!user@host me :You are now logged in as me")
    assert "WHOIS me" in talk.heard(), "now it is ours"


def test_a_nick_that_the_network_has_cut_is_the_wanted_one() -> None:
    """Servers shorten what is longer than NICKLEN: the old nick is not to be taken back then."""
    talk = Dialogue([], NET)
    talk.connect(isupport=MONITOR + " NICKLEN=9")
    talk.attach(1, caps=())
    talk.types(1, "NICK alexandria")
    talk.says(":me!user@host NICK alexandri")
    assert RememberNick("alexandri") in talk.others
    talk.says(":irc.test 731 alexandri :me")
    pass_time(talk, LONGEST_RETRY_MS)
    assert talk.heard() == ["NICK alexandria"]


def test_a_wish_outlives_a_try_of_ours_that_succeeds_before_it() -> None:
    talk = Dialogue([], NET)
    connect_as_other(talk, MONITOR)
    talk.attach(1, caps=())
    talk.says(":irc.test 731 me_ :me")
    talk.types(1, "NICK alice")
    assert talk.heard() == ["NICK me", "NICK alice"]
    talk.says(":me_!user@host NICK me", ":me!user@host NICK alice")
    assert talk.session.network.nick == "alice"
