"""The time of what a network says: the past is believed, the future is not.

server-time has nothing on wrong clocks. A line "from" 2038 would be the last of its conversation
for years, for everybody who asks for the latest.
"""

from __future__ import annotations

import pytest

from bouncer.irc.timestamps import format_time
from bouncer.session.stamps import AHEAD_MS
from tests.bouncer.session.dialogue import MODERN, Dialogue

FUTURE = "2038-01-19T03:14:08.000Z"


def here(caps: str = "server-time message-tags batch") -> Dialogue:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, MODERN)
    return talk


@pytest.mark.parametrize("tags", [
    f"time={FUTURE};msgid=x", f"msgid=x;time={FUTURE}", f"time={FUTURE}",
    f"time={FUTURE};msgid=x;+a=b",
])  # fmt: skip
@pytest.mark.parametrize("text", ["hello", "!hello", "\x01ACTION waves\x01"])
def test_a_line_from_the_future_is_said_now(tags: str, text: str) -> None:
    talk = here()
    talk.says(f"@{tags} :bob!b@h PRIVMSG #ops :{text}")
    (row,) = talk.kept
    assert row.time_ms == talk.now_ms
    (line,) = [line for line in talk.seen(1) if "PRIVMSG" in line]
    assert f"time={format_time(talk.now_ms)}" in line
    assert FUTURE not in line


def test_so_is_what_happens() -> None:
    talk = here()
    talk.says(
        f"@time={FUTURE} :bob!b@h TOPIC #ops :new",
        f"@time={FUTURE};+draft/react=x :bob!b@h TAGMSG #ops",
        f"@time={FUTURE} :irc.test NOTICE me :to be looked at",
    )
    assert [row.time_ms for row in talk.events[-2:]] == [talk.now_ms] * 2
    assert FUTURE not in "".join(talk.seen(1))


def test_so_is_a_message_of_several_lines() -> None:
    talk = here("server-time message-tags batch draft/multiline")
    talk.says(
        f"@time={FUTURE};msgid=x :bob!b@h BATCH +1 draft/multiline #ops",
        "@batch=1 :bob!b@h PRIVMSG #ops :one",
        "@batch=1 :bob!b@h PRIVMSG #ops :two",
        ":bob!b@h BATCH -1",
    )
    (row,) = talk.kept
    assert row.time_ms == talk.now_ms


def test_a_clock_a_little_ahead_is_believed() -> None:
    talk = here()
    told_ms = talk.now_ms + AHEAD_MS
    talk.says(f"@time={format_time(told_ms)};msgid=x :bob!b@h PRIVMSG #ops :hello")
    (row,) = talk.kept
    assert row.time_ms == told_ms
    assert not [line for line in talk.seen(1) if "clock" in line]


@pytest.mark.parametrize("kind", ["chathistory", "znc.in/playback"])
def test_what_a_network_plays_back_keeps_its_times(kind: str) -> None:
    talk = here()
    old = "2019-01-04T14:33:26.123Z"
    talk.says(
        f":irc.test BATCH +1 {kind} #ops",
        f"@batch=1;time={old};msgid=x :bob!b@h PRIVMSG #ops :of old",
        f"@time={old};msgid=y;batch=1 :bob!b@h PRIVMSG #ops :of old, too",
        ":irc.test BATCH -1",
    )
    assert [format_time(row.time_ms) for row in talk.kept] == [old, old]
    assert sum(old in line for line in talk.seen(1)) == 2


def test_the_user_is_told_once_and_when_somebody_is_there() -> None:
    talk = Dialogue()
    talk.connect("server-time")
    line = f"@time={FUTURE} :bob!b@h PRIVMSG #ops :hello"
    talk.says(line)
    talk.attach(1, MODERN)
    talk.says(line, line)
    talk.says(line)
    (told,) = [line for line in talk.seen(1) if "clock" in line]
    assert told.startswith(":BouncerServ!")
    assert "The clock of net is" in told
