"""Detached channels and ignored people: kept or not, and never in a client's way."""

from __future__ import annotations

import pytest

from bouncer.irc.people import full_mask, matches
from bouncer.session.effects import ChangeChannel
from bouncer.session.events import ChannelsWanted, Connected, Lost, Tick
from storage.records import Channel
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts


def detached(ignored: tuple[str, ...] = (), **settings: object) -> Dialogue:
    """In #quiet, which is detached, and #ops, which is not."""
    talk = Dialogue(["#ops", "#quiet"])
    quiet = Channel(1, "#quiet", detached=True, **settings)  # type: ignore[arg-type]
    pairs = (("#ops", ""), ("#quiet", ""))
    talk.event(ChannelsWanted(pairs, (Channel(1, "#ops"), quiet), ignored))
    talk.connect()
    talk.attach(1, caps=())
    talk.heard()
    return talk


def last_change(talk: Dialogue, name: str) -> ChangeChannel | None:
    changes = [o for o in talk.others if isinstance(o, ChangeChannel) and o.name == name]
    return changes[-1] if changes else None


def is_detached(talk: Dialogue, name: str) -> bool:
    """Whether the store was told so, with the message after which it is."""
    change = last_change(talk, name)
    return change is not None and change.detached and change.detached_id > change.attached_id


def is_attached(talk: Dialogue, name: str) -> bool:
    change = last_change(talk, name)
    return change is not None and not change.detached and change.attached_id > change.detached_id


def test_a_detached_channel_is_kept_and_not_shown() -> None:
    talk = Dialogue(["#ops", "#quiet"])
    pairs = (("#ops", ""), ("#quiet", ""))
    talk.event(ChannelsWanted(pairs, (Channel(1, "#quiet", detached=True),)))
    talk.connect()
    greeting = talk.attach(1)
    assert [line for line in greeting if "JOIN #ops" in line]
    assert not [line for line in greeting if "#quiet" in line]
    talk.says(
        ":bob!b@h PRIVMSG #quiet :nobody sees this",
        ":carol!c@h JOIN #quiet",
        ":carol!c@h TOPIC #quiet :new",
        ":irc.test MODE #quiet +m",
    )
    assert talk.seen(1) == []
    assert [row.text for row in talk.kept if row.command == "PRIVMSG"] == ["nobody sees this"]
    assert not [line for line in talk.attach(2) if "#quiet" in line]  # nor as backlog


@pytest.mark.parametrize(
    ("relay", "text", "told"),
    [
        ("", "just talk", False),
        ("", "me: look at this", True),
        ("message", "just talk", True),
        ("none", "me: look at this", False),
        ("highlight", "some metal", False),
    ],
)
def test_what_is_relayed_of_it(relay: str, text: str, told: bool) -> None:
    talk = detached(relay_detached=relay)
    talk.says(f":bob!b@h PRIVMSG #quiet :{text}")
    assert texts(talk.seen(1)) == ([f"#quiet (detached): <bob> {text}"] if told else [])


def test_a_channel_that_always_notifies_is_relayed_whole() -> None:
    talk = detached(always_notify=True)
    talk.says(":bob!b@h PRIVMSG #quiet :just talk")
    assert texts(talk.seen(1)) == ["#quiet (detached): <bob> just talk"]


def test_joining_attaches_it_for_every_client() -> None:
    talk = detached()
    talk.attach(2, caps=())
    talk.types(1, "JOIN #quiet")
    assert talk.heard() == []
    assert is_attached(talk, "#quiet")
    for client in (1, 2):
        assert [line.split()[1] for line in talk.seen(client)] == ["JOIN", "353", "366"]
    talk.says(":bob!b@h PRIVMSG #quiet :now it is seen")
    assert texts(talk.seen(1)) == ["now it is seen"]


def test_parting_with_the_word_detach_stays_in_it() -> None:
    talk = detached()
    talk.types(1, "PART #ops detach")
    assert talk.heard() == []
    assert is_detached(talk, "#ops")
    assert talk.seen(1)[0].startswith(":me!user@host PART #ops")
    talk.says(":bob!b@h PRIVMSG #ops :unseen")
    assert talk.seen(1) == []


@pytest.mark.parametrize(("on", "text"), [("message", "hello"), ("highlight", "hello me")])
def test_it_comes_back_by_itself_when_told_to(on: str, text: str) -> None:
    talk = detached(reattach_on=on)
    talk.says(f":bob!b@h PRIVMSG #quiet :{text}")
    said = talk.seen(1)
    assert "JOIN #quiet" in said[0]
    assert texts(said) == [text]


def test_a_quiet_channel_detaches_itself() -> None:
    talk = Dialogue(["#ops"])
    pairs = (("#ops", ""),)
    talk.event(ChannelsWanted(pairs, (Channel(1, "#ops", detach_after_s=600),)))
    talk.connect()
    talk.attach(1, caps=())
    talk.event(Tick())
    talk.now_ms += 500_000
    talk.says(":bob!b@h PRIVMSG #ops :still busy")
    talk.now_ms += 500_000
    talk.says(":irc.test PONG irc.test x")
    talk.event(Tick())
    assert not is_detached(talk, "#ops")
    talk.now_ms += 100_001
    talk.event(Tick())
    assert is_detached(talk, "#ops")


def test_a_reconnecting_client_does_not_get_the_hidden_lines_later() -> None:
    talk = detached()
    talk.says(":bob!b@h PRIVMSG #quiet :one", ":bob!b@h PRIVMSG #ops :two")
    talk.seen(1)
    assert talk.leaves(1) == talk.kept[-1].id


def test_who_is_ignored_is_neither_shown_nor_kept() -> None:
    talk = detached(("*!*@spam.example", "troll"))
    talk.attach(2, MODERN)
    talk.says(
        ":x!y@spam.example PRIVMSG #ops :buy",
        ":Troll!t@h PRIVMSG me :hey",
        "@+typing=active :Troll!t@h TAGMSG #ops",
        "@+draft/react=x :Troll!t@h TAGMSG me",
        ":Troll!t@h INVITE me #trap",
        ":bob!b@h PRIVMSG #ops :hello",
    )
    for client in (1, 2):
        (line,) = talk.seen(client)
        assert line.endswith(":bob!b@h PRIVMSG #ops :hello")
    assert [row.text for row in talk.kept] == ["hello"]
    assert talk.events == []


def test_a_channel_is_detached_by_its_name_also_while_its_network_comes_back() -> None:
    talk = Dialogue(["#Ops[1]"])
    talk.connect(isupport="CHANTYPES=# CASEMAPPING=rfc1459")
    talk.attach(1, caps=())
    talk.event(Lost("Ping timeout"))
    talk.event(Connected(tls=False))
    talk.heard()
    talk.seen(1)
    talk.types(1, "PART #ops{1} detach", "PART #elsewhere detach")
    assert talk.heard() == []
    part, refusal = talk.seen(1)
    assert part.split()[1:3] == ["PART", "#Ops[1]"]
    assert refusal == ":muster.test 442 me #elsewhere :You're not on that channel"
    assert is_detached(talk, "#Ops[1]")


def test_that_somebody_types_in_a_detached_channel_is_not_shown() -> None:
    talk = detached()
    talk.attach(2, MODERN)
    talk.says("@+typing=active :bob!b@h TAGMSG #quiet", "@+typing=active :bob!b@h TAGMSG #ops")
    (line,) = talk.seen(2)
    assert line.endswith(" TAGMSG #ops")


def test_a_command_shows_and_hides_at_once() -> None:
    talk = Dialogue(["#ops"])
    talk.connect()
    talk.attach(1, MODERN)
    talk.event(ChannelsWanted((("#ops", ""),), (Channel(1, "#ops", detached=True),)))
    assert "PART #ops" in talk.seen(1)[-1]
    talk.event(ChannelsWanted((("#ops", ""),), (Channel(1, "#ops"),)))
    assert "JOIN #ops" in "".join(talk.seen(1))


@pytest.mark.parametrize(
    ("mask", "source", "fits"),
    [
        ("troll!*@*", "troll!t@h", True),
        ("*!*@*.example", "a!b@c.example", True),
        ("*!*@*.example", "a!b@c.example.org", False),
        ("t?oll!*@*", "troll!t@h", True),
        ("[x]!*@*", "[x]!a@b", True),
        ("*a*a*a*a*b", "a" * 200, False),
        ("*", "", True),
        ("", "x", False),
    ],
)
def test_masks(mask: str, source: str, fits: bool) -> None:
    assert matches(mask, source) is fits


def test_short_masks_are_filled_in() -> None:
    assert full_mask("troll") == "troll!*@*"
    assert full_mask("*@spam.example") == "*!*@spam.example"


def test_a_detached_channel_that_was_left_can_be_joined_again() -> None:
    talk = detached()
    talk.types(1, "PART #quiet :bye")
    talk.says(":me!user@host PART #quiet :bye")
    talk.heard()
    talk.others.clear()
    talk.types(1, "JOIN #quiet")
    assert talk.heard() == ["JOIN #quiet"]
    assert not [o for o in talk.others if isinstance(o, ChangeChannel)], "it is kept no more"
    talk.seen(1)
    talk.joined("#quiet")
    assert [line for line in talk.seen(1) if "JOIN #quiet" in line]


def test_a_detached_channel_that_we_are_kept_out_of_is_joined_when_asked_for() -> None:
    talk = detached()
    talk.says(":bob!b@h KICK #quiet me :out")
    talk.types(1, "JOIN #quiet")
    assert talk.heard() == ["JOIN #quiet"]
    assert is_attached(talk, "#quiet")
