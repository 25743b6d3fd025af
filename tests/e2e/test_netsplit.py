"""Two real servers lose and find each other: what clients see, what the bouncer knows and keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.site import CHANNEL, NETWORK
from tests.real.linked import HOST, LINKED, OURS, THEIRS
from tests.real.muster import bouncer
from tests.real.needs import require
from tests.real.peer import Peer, peer

pytestmark = pytest.mark.outage

MODERN = ["batch", "server-time", "message-tags"]


@pytest.mark.parametrize("name", LINKED)
async def test_a_split_and_its_end(tmp_path: Path, name: str) -> None:
    require(name.lower())
    async with (
        LINKED[name](tmp_path / "net") as network,
        bouncer(tmp_path / "b") as muster,
        peer(HOST, network.ours) as near,
        peer(HOST, network.theirs) as bob,
        peer(HOST, network.theirs) as carl,
    ):
        for person, nick in ((near, "near"), (bob, "bob"), (carl, "carl")):
            await person.register(nick)
            await person.join(CHANNEL)
        await muster.add_user("alice")
        uri = f"irc+insecure://{HOST}:{network.ours}"
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice", "--join", CHANNEL)
        await near.hears_member(CHANNEL, "alice", within_s=30)
        await bob.hears_member(CHANNEL, "alice")
        async with (
            muster.attached("alice/work@new", caps=MODERN) as new,
            muster.attached("alice/work@old") as old,
        ):
            assert await members(new) == {"alice", "near", "bob", "carl"}
            await network.split()
            for client in (new, old):
                for nick in ("bob", "carl"):
                    await client.has_heard("QUIT", f"{OURS} {THEIRS}", source=f"{nick}!*")
            await new.sync()
            framed(new)
            assert not old.all("BATCH")
            # "right afterwards": from the bouncer's state, without asking the network
            assert await members(new) == await members(old) == {"alice", "near"}
            await near.says(f"PRIVMSG {CHANNEL} :alone together")
            await bob.says(f"PRIVMSG {CHANNEL} :on the other side")
            await bob.sync()
            await network.rejoin()
            for client in (new, old):
                for nick in ("bob", "carl"):
                    await client.has_heard("JOIN", CHANNEL, source=f"{nick}!*")
            assert await members(new) == await members(old) == {"alice", "near", "bob", "carl"}
            await bob.hears_member(CHANNEL, "alice")
            await bob.says(f"PRIVMSG {CHANNEL} :here again")
            await new.hears("PRIVMSG", CHANNEL, "here again")
            await old.hears("PRIVMSG", CHANNEL, "here again")
            await new.says(f"PRIVMSG {CHANNEL} :welcome back")
            await bob.hears("PRIVMSG", CHANNEL, "welcome back", source="alice!*")
            assert "on the other side" not in new.texts(CHANNEL)
        kept = [row for row in await muster.history("alice", NETWORK) if row.name == CHANNEL]
        said = [row.text for row in kept if row.command == "PRIVMSG"]
        assert said == ["alone together", "here again", "welcome back"]
        for command in ("QUIT", "JOIN"):
            who = [row.source.partition("!")[0] for row in kept if row.command == command]
            assert sorted(who)[:2] == ["bob", "carl"], f"{command}: {who}"


async def members(client: Peer) -> set[str]:
    await client.says(f"NAMES {CHANNEL}")
    await client.sync()
    names = client.all("353", "*", "*", CHANNEL)[-1]
    return {name.lstrip("@+%&~") for name in names.params[-1].split()}


def framed(client: Peer) -> None:
    """batch: the netsplit batch: every QUIT of the split is in one that was open then."""
    opened: dict[str, tuple[str, ...]] = {}
    quits = []
    for message in client.heard:
        if message.command == "BATCH" and message.params[0][0] == "+":
            opened[message.params[0][1:]] = message.params[1:]
        elif message.command == "BATCH":
            opened.pop(message.params[0][1:])
        elif message.command == "QUIT":
            quits.append(opened[message.tags["batch"]])
    assert quits == [("netsplit", OURS, THEIRS)] * 2
    assert not opened
