"""A detached channel is attached again: who cannot fetch history gets what was said meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import ChangeChannel
from bouncer.session.events import Attached, ChannelsWanted, Tick
from bouncer.session.screen import Screen
from storage.records import Channel
from tests.bouncer.session.dialogue import MODERN, PAGE, Dialogue, texts

QUIET = Channel(1, "#quiet", detached=True)
PAIRS = (("#ops", ""), ("#quiet", ""))


def in_both() -> Dialogue:
    talk = Dialogue(["#ops", "#quiet"])
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #quiet :seen by all")
    return talk


def detach(talk: Dialogue) -> None:
    talk.event(ChannelsWanted(PAIRS, (QUIET,)))
    for client in talk.down:
        talk.seen(client)


def by_join(talk: Dialogue) -> None:
    talk.types(1, "JOIN #quiet")


def by_command(talk: Dialogue) -> None:
    talk.event(ChannelsWanted(PAIRS, (replace(QUIET, detached=False),)))


@pytest.mark.parametrize("attach", [by_join, by_command])
def test_who_was_there_gets_what_was_said_meanwhile_after_the_names(
    attach: Callable[[Dialogue], None],
) -> None:
    talk = in_both()
    talk.attach(1)
    talk.attach(2, MODERN)
    detach(talk)
    talk.says(
        ":bob!b@h PRIVMSG #quiet :one",
        ":bob!b@h PRIVMSG #ops :elsewhere",
        ":bob!b@h PRIVMSG #quiet :two",
    )
    for client in (1, 2):
        assert texts(talk.seen(client)) == ["elsewhere"]
    attach(talk)
    for client in (1, 2):
        seen = talk.seen(client)
        commands = [Message.parse(line).command for line in seen]
        assert commands == ["JOIN", "353", "366", "BATCH", "PRIVMSG", "PRIVMSG", "BATCH"]
        assert texts(seen) == ["one", "two"]
    talk.says(":bob!b@h PRIVMSG #quiet :now")
    assert texts(talk.seen(1)) == ["now"], "it follows live again"


def test_once_also_when_it_is_detached_again() -> None:
    talk = in_both()
    talk.attach(1)
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :one")
    talk.types(1, "JOIN #quiet")
    talk.types(1, "PART #quiet detach")
    talk.says(":bob!b@h PRIVMSG #quiet :two")
    assert texts(talk.seen(1)) == ["one"]
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == ["two"]
    assert texts(talk.attach(2, delivered_id=talk.leaves(1))) == []


def test_nothing_of_it_when_nothing_was_said() -> None:
    talk = in_both()
    talk.attach(1, caps=())
    detach(talk)
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == []
    talk.says(":bob!b@h PRIVMSG #quiet :now")
    assert texts(talk.seen(1)) == ["now"], "and no time before it"


def test_who_came_while_it_was_detached_gets_what_it_missed_of_before_too() -> None:
    talk = in_both()
    had = talk.kept[-1].id
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #quiet :before")
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    assert texts(talk.attach(2, delivered_id=had)) == []
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == ["meanwhile"]
    assert texts(talk.seen(2)) == ["before", "meanwhile"]


@pytest.mark.parametrize("reattach_on", ["none", "message"])
def test_who_was_gone_when_it_was_attached_gets_it_when_it_is_back(reattach_on: str) -> None:
    talk = in_both()
    talk.attach(1)
    talk.attach(2)
    detach(talk)
    talk.event(ChannelsWanted(PAIRS, (replace(QUIET, reattach_on="none"),)))
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile", ":bob!b@h PRIVMSG #ops :elsewhere")
    phone = talk.leaves(2)
    talk.event(ChannelsWanted(PAIRS, (replace(QUIET, reattach_on=reattach_on),)))
    if reattach_on == "none":
        talk.types(1, "JOIN #quiet")
    talk.says(":bob!b@h PRIVMSG #quiet :now")
    assert texts(talk.seen(1)) == ["elsewhere", "meanwhile", "now"]
    assert texts(talk.attach(2, delivered_id=phone)) == ["meanwhile", "now"]
    assert texts(talk.attach(3, delivered_id=talk.leaves(2))) == [], "once"
    assert texts(talk.attach(4, delivered_id=talk.leaves(1))) == [], "nor again who was there"


def test_nor_again_where_nothing_was_said_after_it() -> None:
    talk = in_both()
    talk.attach(1)
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == ["meanwhile"]
    assert texts(talk.attach(2, delivered_id=talk.leaves(1))) == []


def test_what_attaches_it_comes_after_what_was_missed() -> None:
    talk = in_both()
    talk.attach(1, MODERN)
    talk.event(ChannelsWanted(PAIRS, (replace(QUIET, reattach_on="highlight"),)))
    talk.says(":bob!b@h PRIVMSG #quiet :missed")
    talk.seen(1)
    talk.says(":bob!b@h PRIVMSG #quiet :me: look", ":bob!b@h PRIVMSG #quiet :and more")
    seen = talk.seen(1)
    assert "JOIN #quiet" in seen[0]
    assert texts(seen) == ["missed", "me: look", "and more"]


def test_who_fetches_history_fetches_this_as_well() -> None:
    """IRCv3 chathistory: "the server (or bouncer) SHOULD NOT play back any history that would
    otherwise be sent automatically"."""
    talk = in_both()
    talk.attach(1, MODERN | {"draft/chathistory"})
    talk.types(1, "CHATHISTORY LATEST #quiet * 10")
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == []


def test_who_could_and_has_never_fetched_gets_it_like_all_else() -> None:
    talk = in_both()
    talk.attach(1, MODERN | {"draft/chathistory"})
    talk.passes(6_000)
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == ["meanwhile"]


def test_a_client_without_history_gets_none() -> None:
    talk = in_both()
    talk.down[1] = []
    talk.event(Attached(1, "bot", "me", MODERN, 0, autoplay=False))
    detach(talk)
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == []


def test_it_is_as_much_as_one_page_and_the_newest() -> None:
    talk = in_both()
    talk.attach(1)
    detach(talk)
    said = [f"line {number}" for number in range(PAGE + 10)]
    talk.says(*(f":bob!b@h PRIVMSG #quiet :{text}" for text in said))
    talk.types(1, "JOIN #quiet")
    assert texts(talk.seen(1)) == said[10:]


def test_since_when_is_kept_over_a_restart() -> None:
    talk = in_both()
    talk.attach(1)
    detach(talk)
    kept = [o for o in talk.others if isinstance(o, ChangeChannel)][-1]
    assert kept.detached_id > talk.kept[-1].id
    talk.says(":bob!b@h PRIVMSG #quiet :meanwhile")
    settings = (replace(QUIET, detached_id=kept.detached_id),)
    later = Dialogue(["#ops", "#quiet"])
    later.session.screen = Screen(settings)
    later.session.screen.begin(str.lower)
    later.session.screened = True
    later.kept = talk.kept
    later.connect()
    later.attach(1, delivered_id=talk.leaves(1))
    later.types(1, "JOIN #quiet")
    assert texts(later.seen(1)) == ["meanwhile"]


def test_one_imported_as_detached_counts_from_the_first_look_on() -> None:
    talk = in_both()
    talk.session.screen = Screen((QUIET,))
    talk.session.screen.begin(str.lower)
    talk.session.screened = True
    talk.attach(1, delivered_id=talk.kept[-1].id)
    talk.event(Tick())
    (change,) = [o for o in talk.others if isinstance(o, ChangeChannel)]
    assert change.detached
    assert change.detached_id > talk.kept[-1].id
    talk.event(Tick())
    assert [o for o in talk.others if isinstance(o, ChangeChannel)] == [change]
