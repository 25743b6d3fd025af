"""What a public network may answer to a JOIN, besides letting us in."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from bouncer.irc.wire import Message
from fallback import claims
from tests.fallback.desk.test_reception import open_scene
from tests.fallback.networks.test_announcer import announcing
from tests.fallback.voters import until

CROWD = 4000


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


async def test_a_split_of_thousands_does_not_hide_that_the_network_is_lost(tmp_path: Path) -> None:
    """SPEAKING: "network lost … no CLAIM: the next rank takes this network"."""
    async with open_scene(tmp_path) as scene:
        conduct = scene.agent.conduct
        await until(lambda: conduct.performer.speaks("pub"))
        people = [f":p{number}!p@h{number}.example" for number in range(CROWD)]
        await scene.ircd.says(*(f"{one} JOIN #lobby" for one in people))
        people_of = scene.agent.reception._people["pub"]
        await until(lambda: people_of.known("p0") and people_of.known(f"p{CROWD - 1}"))
        for one in people:  # in one go, as a fast network brings it
            quits = Message.parse(f"{one} QUIT :a.example b.example")
            scene.agent.reception.received("pub", quits)
        assert not conduct.dropped
        scene.agent.reception.lost("pub")
        await until(lambda: not conduct.performer.speaks("pub"))


async def test_who_leaves_right_behind_a_claim_is_not_verified_when_it_is_looked_at(
    tmp_path: Path,
) -> None:
    """VERIFIED: "QUIT, split, … no shared channel any more" -> SUSPENDED."""
    async with open_scene(tmp_path) as scene:
        await scene.joins("al")
        await until(lambda: scene.agent.reception.connection("pub", "al"))
        code = scene.codes["alice"].pop()
        for line in (f"PRIVMSG fb-fra :claim alice {code}", "QUIT :bye"):  # in one go
            said = Message.parse(f":al!al@al.example {line}")
            scene.agent.reception.received("pub", said)
        await until(lambda: scene.verified().get("alice") == "al")
        await until(lambda: not claims.standing(scene.agent.conduct.desk))
