"""A network that plays back its own history: nothing of it twice, nothing that we have missed lost.

So do UnrealIRCd and InspIRCd at a JOIN of a channel with mode +H, and bouncers as networks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.session.events import Lost
from bouncer.session.replays import MAX_LINES, MAX_OPEN
from tests.bouncer.networks import SlowNetwork
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts
from tests.complaints.venue import MODERN as TAGGED
from tests.complaints.venue import running_bouncer, running_network, until

CAPS = "server-time message-tags batch draft/multiline"


def at(second: int, ms: int = 500) -> str:
    return f"time=2026-01-02T03:04:{second:02d}.{ms:03d}Z"


def here() -> Dialogue:
    talk = Dialogue()
    talk.connect(CAPS)
    talk.attach(1, MODERN)
    return talk


def replay(talk: Dialogue, *lines: str, kind: str = "chathistory", target: str = "#ops") -> None:
    """The lines are those of one batch: tags, and the rest."""
    framed = [f"@batch=h;{line}" for line in lines]
    talk.says(f":irc.test BATCH +h {kind} {target}", *framed, ":irc.test BATCH -h")


@pytest.mark.parametrize("kind", ["chathistory", "znc.in/playback"])
def test_what_we_have_is_not_kept_again(kind: str) -> None:
    talk = here()
    heard = f"{at(1)};msgid=a :bob!b@h PRIVMSG #ops :heard"
    talk.says("@" + heard)
    talk.connect(CAPS)
    talk.seen(1)
    missed = f"{at(5)};msgid=b :bob!b@h PRIVMSG #ops :missed"
    replay(talk, heard, missed, kind=kind)
    assert [row.text for row in talk.kept] == ["heard", "missed"]
    assert texts(talk.seen(1)) == ["missed"]


def test_the_same_words_said_again_are_another_message() -> None:
    talk = here()
    talk.says(f"@{at(1)};msgid=a :bob!b@h PRIVMSG #ops :yes")
    replay(
        talk, *(f"{at(n)};msgid={m} :bob!b@h PRIVMSG #ops :yes" for n, m in ((1, "a"), (1, "b")))
    )
    assert [row.msgid for row in talk.kept] == ["a", "b"]


def test_without_msgids_who_said_what_in_which_second_tells() -> None:
    talk = here()
    talk.says(f"@{at(1)} :bob!b@h PRIVMSG #ops :one", f"@{at(2)} :bob!b@h PRIVMSG #ops :one")
    replay(
        talk,
        f"{at(1, 0)} :bob!b@other PRIVMSG #ops :one",  # it remembers seconds alone
        f"{at(2)};msgid=x :bob!b@h PRIVMSG #ops :one",
        f"{at(3)} :bob!b@h PRIVMSG #ops :one",
    )
    assert len(talk.kept) == 3


def test_a_message_of_several_lines_is_one_there_too() -> None:
    talk = here()
    lines = (
        ":bob!b@h BATCH +m draft/multiline #ops",
        "@batch=m :bob!b@h PRIVMSG #ops :one",
        "@batch=m :bob!b@h PRIVMSG #ops :two",
        ":bob!b@h BATCH -m",
    )
    talk.says(f"@{at(1)};msgid=a {lines[0]}", *lines[1:])
    inner = (f"@batch=h;{at(1)};msgid=a {lines[0]}", *lines[1:])
    talk.says(":irc.test BATCH +h chathistory #ops", *inner, ":irc.test BATCH -h")
    assert [row.text for row in talk.kept] == ["one\ntwo"]


def test_what_happened_then_does_not_happen_again() -> None:
    talk = here()
    replay(talk, f"{at(1)} :bob!b@h PART #ops", f"{at(2)} :eve!e@h JOIN #ops")
    assert set(talk.session.state.channels["#ops"].members) == {"me", "bob"}
    assert talk.seen(1) == []


def test_a_replay_that_its_connection_did_not_end_is_kept_as_far_as_it_came() -> None:
    talk = here()
    talk.says(
        ":irc.test BATCH +h chathistory #ops", f"@batch=h;{at(1)} :bob!b@h PRIVMSG #ops :missed"
    )
    assert talk.kept == []
    talk.event(Lost("cut"))
    assert [row.text for row in talk.kept] == ["missed"]


def test_live_lines_between_are_said_at_once() -> None:
    talk = here()
    talk.says(":irc.test BATCH +h chathistory #ops")
    talk.says(f"@{at(9)} :bob!b@h PRIVMSG #ops :live")
    assert texts(talk.seen(1)) == ["live"]


def test_many_channels_may_be_played_back_in_one_go() -> None:
    """All are joined again after a reconnect, and each says its last lines."""
    talk = here()
    lines = [f"{at(n)};msgid=m{n} :bob!b@h PRIVMSG #c{n} :line {n}" for n in range(50)]
    talk.says(*("@" + line for line in lines))
    batches = [
        (f":irc.test BATCH +{n} chathistory #c{n}", f"@batch={n};{line}", f":irc.test BATCH -{n}")
        for n, line in enumerate(lines)
    ]
    talk.says(*(line for batch in batches for line in batch))
    assert len(talk.kept) == 50


def test_a_replay_without_end_is_bounded() -> None:
    talk = here()
    talk.says(*(f":irc.test BATCH +h{n} chathistory #ops" for n in range(MAX_OPEN + 5)))
    line = "@batch=h1;time=2026-01-02T03:04:05.{:03d}Z :bob!b@h PRIVMSG #ops :{}"
    talk.says(*(line.format(n % 1000, n) for n in range(MAX_LINES + 1)))
    assert len(talk.kept) == MAX_LINES


async def test_it_is_once_in_the_history_also_after_a_restart(tmp_path: Path) -> None:
    lines = [f"@batch=h;{at(n)};msgid=m{n} :bob!b@h PRIVMSG #ops :line {n}" for n in range(3)]
    whole = (":irc.test BATCH +h chathistory #ops", *lines, ":irc.test BATCH -h")
    async with running_network(SlowNetwork(labels=True, echoes=True)) as network:
        for _ in range(2):
            async with running_bouncer(tmp_path, network) as muster:
                client = await muster.client("alice/net", TAGGED)
                await network.says(*whole)
                await network.says("@time=2026-01-02T04:00:00.000Z :bob!b@h PRIVMSG #ops :the end")
                await client.hears("the end")
                await until(lambda: not muster.session.replays._waiting)
        async with running_bouncer(tmp_path, network) as muster:
            reader = await muster.client("alice/net@new", TAGGED)
            await reader.hears("the end")
            assert reader.texts.count("line 1") == 1
