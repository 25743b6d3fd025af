"""Away while nobody is there; the user's own words stay."""

from __future__ import annotations

from dataclasses import replace

from bouncer.session.events import Connected, Lost, Tick
from bouncer.session.presence import GRACE_MS
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue

NET = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me", auto_away=True)
PRE_AWAY = ("draft/pre-away",)


def pass_time(talk: Dialogue, ms: int = GRACE_MS + 1) -> list[str]:
    talk.now_ms += ms
    talk.event(Tick())
    return talk.heard()


def connect(talk: Dialogue) -> list[str]:
    """Register; what the network has heard since."""
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :")
    talk.heard()
    talk.says(":irc.test 001 me :Welcome me!user@host", ":irc.test 422 me :no MOTD")
    return talk.heard()


def test_the_network_is_told_when_nobody_is_there() -> None:
    talk = Dialogue([], NET)
    assert connect(talk) == ["AWAY :No client is attached"]
    talk.attach(1, caps=())
    assert talk.heard() == ["AWAY"]
    talk.says(":irc.test 305 me :You are no longer marked as being away")
    assert talk.seen(1) == []
    talk.leaves(1)
    assert talk.heard() == []
    assert pass_time(talk) == ["AWAY :No client is attached"]
    assert pass_time(talk) == []


def test_a_client_that_comes_back_at_once_was_never_gone() -> None:
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.connect()
    talk.leaves(1)
    talk.attach(1, caps=())
    assert pass_time(talk) == []


def test_what_the_user_says_by_hand_keeps_its_text_and_stays() -> None:
    """soju sends an AWAY without its text on the way up; here it is whole."""
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.connect()
    talk.types(1, "AWAY :out for lunch, back at 2")
    assert talk.heard() == ["AWAY :out for lunch, back at 2"]
    talk.leaves(1)
    assert pass_time(talk) == []
    talk.attach(2, caps=())
    assert pass_time(talk) == []
    talk.event(Lost("reset"))
    assert connect(talk) == ["AWAY :out for lunch, back at 2"]
    talk.types(2, "AWAY")
    assert talk.heard() == ["AWAY"]


def test_a_client_that_runs_without_its_user_counts_as_nobody() -> None:
    """draft/pre-away: "servers SHOULD treat the form: AWAY * ... as indicating that the user is
    not present for an unspecified reason" and "it should not supersede a human-readable AWAY
    message set by another connection"."""
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.connect()
    talk.attach(2, caps=PRE_AWAY)
    talk.types(2, "AWAY *")
    assert talk.heard() == []
    assert talk.seen(2) == [":muster.test 306 me :You have been marked as being away"]
    talk.leaves(1)
    assert pass_time(talk) == []
    assert pass_time(talk) == ["AWAY :No client is attached"]
    talk.types(2, "AWAY")
    assert talk.heard() == ["AWAY"]


def test_a_star_is_a_text_like_any_other_without_pre_away() -> None:
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.connect()
    talk.types(1, "AWAY *")
    assert talk.heard() == ["AWAY *"]


def test_nothing_is_said_where_the_user_does_not_want_it() -> None:
    talk = Dialogue([], replace(NET, auto_away=False))
    talk.connect()
    assert pass_time(talk) == []


def test_away_is_remembered_while_the_network_is_not_there() -> None:
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.types(1, "AWAY :gone fishing")
    assert talk.seen(1) == [":muster.test 306 me :You have been marked as being away"]
    assert connect(talk) == ["AWAY :gone fishing"]
