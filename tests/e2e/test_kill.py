"""kill -9 of the bouncer while a server floods it.

"after restart no message that any client was shown is missing from history, none is there twice"
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK, site
from tests.real.floodserver import flood_server
from tests.real.muster import bouncer
from tests.real.peer import Peer

ROUNDS = 3
CAPS = ["server-time", "message-tags", "batch"]
FLOOD = "#flood"


def numbered(texts: list[str]) -> list[str]:
    """The flood's lines among texts, without a time in front."""
    return ["line " + text.rpartition("line ")[2] for text in texts if "line " in text]


async def test_what_was_shown_is_kept_once_in_a_flood(tmp_path: Path) -> None:
    shown: set[str] = set()
    moments = random.Random(2)
    async with flood_server() as flood, bouncer(tmp_path / "b") as muster:
        flood.most = 400_000
        flood.chunk_s = 0.002
        await muster.add_user("alice")
        uri = f"irc+insecure://127.0.0.1:{flood.port}"
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice", "--join", FLOOD)
        flood.flooding.set()
        for _ in range(ROUNDS):
            before = flood.said
            async with (
                muster.attached("alice/work@old") as old,
                muster.attached("alice/work@new", caps=CAPS) as new,
                # This one has no name and so no cursor of its own.
                muster.attached("alice/work", tls=False) as plain,
            ):
                clients = (old, new, plain)
                for client in clients:
                    await client.hears("PRIVMSG", FLOOD, within_s=30)
                await trio.sleep(moments.uniform(0.2, 1.0))
                assert flood.said > before
                muster.kill()
                for client in clients:
                    await client.is_closed()
                    _in_order(client)
                    shown.update(numbered(client.texts(FLOOD)))
            rows = await muster.history("alice", NETWORK)
            kept = Counter(row.text for row in rows if row.command == "PRIVMSG")
            lost = sorted(shown - kept.keys())
            assert not lost, f"{len(lost)} shown lines are not in history, as {lost[:3]}"
            twice = [text for text, count in kept.items() if count > 1]
            assert not twice, f"{len(twice)} lines are in history twice, as {twice[:3]}"
            await muster.start()
        assert len(shown) > 1000


def _in_order(client: Peer) -> None:
    lines = numbered(client.texts(FLOOD))
    assert lines == sorted(lines), "shown in another order than they were said"


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_shown_is_kept_once_on_a_real_server(tmp_path: Path, seed: int) -> None:
    """And a client that comes back has everything once, by msgid where a line is repeated."""
    moments = random.Random(seed)
    async with site(tmp_path) as here:
        seen: dict[str, str] = {}  # msgid -> text, over all visits
        for turn in range(2):
            async with here.bouncer.attached("alice/work@phone", caps=CAPS) as phone:
                await phone.hears("366", "alice", CHANNEL)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_talk, here.bob, turn)
                    await phone.hears("PRIVMSG", CHANNEL, f"*line {turn}-*")
                    await trio.sleep(moments.uniform(0.05, 0.5))
                    here.bouncer.kill()
                await phone.is_closed()
                _remember(phone, seen)
            await here.bouncer.start()
            await here.held()
        async with here.bouncer.attached("alice/work@phone", caps=CAPS) as phone:
            await here.bob_says("the end")
            await phone.hears("PRIVMSG", CHANNEL, "the end")
            _remember(phone, seen)
            kept = [
                row.text
                for row in await here.bouncer.history("alice", NETWORK)
                if row.command == "PRIVMSG"
            ]
        assert len(kept) == len(set(kept)), "twice in history"
        # All that is kept was shown in the end, each under one msgid, and nothing else was.
        assert sorted(seen.values()) == sorted(kept)


async def _talk(bob: Peer, turn: int) -> None:
    for n in range(200):
        await bob.says(*(f"PRIVMSG {CHANNEL} :line {turn}-{n:03d}-{k}" for k in range(5)))
        await trio.sleep(0.005)


def _remember(client: Peer, seen: dict[str, str]) -> None:
    """A line may come again after an unclean end, but always under its own msgid."""
    for message in client.all("PRIVMSG", CHANNEL):
        msgid = message.tags["msgid"]
        assert seen.setdefault(msgid, message.params[1]) == message.params[1]
