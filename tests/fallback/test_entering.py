"""What a public network may answer to a JOIN, besides letting us in."""

from __future__ import annotations

import pytest
import trio

from tests.fallback.networks.test_announcer import announcing
from tests.fallback.voters import until


@pytest.mark.parametrize(
    "answer",
    [[":irc.test 470 fb #room ##away :Forwarding to another channel", ":fb!f@h JOIN ##away"], []],
    ids=["elsewhere", "not at all"],
)
async def test_a_room_that_answers_otherwise_does_not_silence_the_lobby(answer: list[str]) -> None:
    async with announcing() as (ircd, announcer, listener):
        announcer.enter_again_s = 0.2
        await ircd.welcomes("fb")
        await ircd.lets_in("fb", "#lobby")
        await ircd.hears("JOIN #room")
        await ircd.says(*answer)
        with trio.fail_after(5):
            await listener.stands.wait()
        assert "#room" in announcer.error
        announcer.look_again_s = 0.1
        await ircd.lets_in("fb", "#room", op=True)  # it is tried again
        await until(lambda: announcer.is_op and not announcer.error)
