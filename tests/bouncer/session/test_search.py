"""soju.im/search on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.irc.wire import Message
from tests.bouncer.session.dialogue import MODERN, texts
from tests.bouncer.session.stored import stored

SEARCHING = MODERN | {"soju.im/search", "labeled-response"}
SAID = (
    "@time=2026-01-02T03:04:05.000Z :bob!b@h PRIVMSG #ops :disk one is full",
    "@time=2026-01-02T03:04:06.000Z :carol!c@h PRIVMSG #ops :which disk?",
    "@time=2026-01-02T03:04:07.000Z :bob!b@h PRIVMSG me :the disk of db1",
    "@time=2026-01-02T03:04:08.000Z :bob!b@h NOTICE #ops :disk replaced",
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("text=disk", [0, 1, 2, 3]),
        ("text=disk;in=#OPS", [0, 1, 3]),
        ("in=bob", [2]),
        ("text=disk;from=Bob", [0, 2, 3]),
        ("text=disk;limit=2", [2, 3]),
        # "the message was sent at or after this time", "at or before this time"
        ("text=disk;after=2026-01-02T03:04:06.000Z", [1, 2, 3]),
        ("text=disk;before=2026-01-02T03:04:06.000Z", [0, 1]),
        ("text=disk\\sfull", [0]),
        ("text=tape", []),
    ],
)
async def test_messages_are_found_by_all_that_is_given(
    tmp_path: Path, asked: str, found: list[int]
) -> None:
    """ "messages matching all the specified attributes"; "If no content exists to return, the
    server SHOULD return an empty batch" """
    async with stored(tmp_path) as talk:
        talk.connect("server-time")
        talk.says(*SAID)
        talk.attach(1, SEARCHING)
        lines = await talk.ask(1, f"@label=q SEARCH {asked}")
        opening, *_, closing = map(Message.parse, lines)
        assert opening.params[1] == "soju.im/search"
        assert opening.tags == {"label": "q"}
        assert closing.params == ("-" + opening.params[0][1:],)
        assert texts(lines) == [Message.parse(SAID[n]).params[1] for n in found]


async def test_what_is_wrong_is_said_as_a_fail(tmp_path: Path) -> None:
    """ "If the selectors were invalid, the INVALID_PARAMS error code SHOULD be returned." """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, MODERN)
        (line,) = await talk.ask(1, "SEARCH after=yesterday")
        assert line.startswith(":muster.test FAIL SEARCH INVALID_PARAMS yesterday :")
