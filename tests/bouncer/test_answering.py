"""Commands to the bouncer itself that come faster than they are answered."""

from __future__ import annotations

from pathlib import Path

from bouncer.answering import COMMANDS, TOO_MANY
from bouncer.irc.bouncer_networks import CAP
from tests.complaints.venue import running_bouncer, running_network, until

BEYOND = 20


async def test_what_comes_too_fast_is_refused_in_words_and_the_rest_is_done(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice", (CAP,))
        asked = [f"PRIVMSG BouncerServ :help nonsense{n}" for n in range(COMMANDS + BEYOND)]
        await client.says(*asked, "BOUNCER LISTNETWORKS")

        def answers(text: str) -> int:
            return sum(text in line for line in client.lines)

        await until(lambda: answers("BouncerServ") == len(asked))
        assert 0 < answers(TOO_MANY) <= BEYOND
        await client.hears(f"FAIL BOUNCER UNKNOWN_ERROR LISTNETWORKS :{TOO_MANY}")
        await client.says("PRIVMSG BouncerServ :help nonsense-later")
        await client.hears("nonsense-later")
