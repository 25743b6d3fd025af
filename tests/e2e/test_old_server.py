"""A network of old servers: no labels, no services, and a nick collision kills (ircd-hybrid)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.site import CHANNEL, NETWORK
from tests.real.linked import HOST, Linked, linked_hybrid
from tests.real.muster import bouncer
from tests.real.needs import require
from tests.real.peer import Peer, peer

pytestmark = pytest.mark.outage

LABELS = ["batch", "labeled-response"]
# What it answers to each: nothing of it may reach another client, or come without the label.
ASKED = {
    f"KICK {CHANNEL} ghost :out": {"401"},
    f"MODE {CHANNEL} +vv ghost phantom": {"401"},
    "KILL near :no operator": {"481"},
    "REHASH": {"481"},
    "JOIN noname": {"403", "479"},
    "ACCEPT *": {"282"},
    "LUSERS": {"250", "251", "255", "265", "266"},
    "VERSION": {"351"},
    f"MODE {CHANNEL} +b": {"368"},
}


async def test_a_life_with_a_collision_of_nicks(tmp_path: Path) -> None:
    require("ircd-hybrid")
    async with (
        linked_hybrid(tmp_path / "net") as network,
        bouncer(tmp_path / "b") as muster,
        peer(HOST, network.ours) as near,
    ):
        await near.register("near")
        await muster.add_user("alice")
        uri = f"irc+insecure://{HOST}:{network.ours}"
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice_", "--join", CHANNEL)
        await near.hears_nick("alice_", within_s=30)
        async with (
            muster.attached("alice/work@new", caps=LABELS) as new,
            muster.attached("alice/work@old") as old,
        ):
            await old.has_heard("366", "alice_", CHANNEL)
            await near.join(CHANNEL)
            await answers_reach_who_asked(new, old, near)
            await a_collision_and_its_end(network, new, near)


async def answers_reach_who_asked(new: Peer, old: Peer, near: Peer) -> None:
    for client in (new, old):
        await client.has_heard("JOIN", CHANNEL, source="near!*")
        client.forget()
    for number, command in enumerate(ASKED):
        await new.says(f"@label={number} {command}")
    await new.says("@label=end TIME")
    await new.hears("391")
    await near.says(f"PRIVMSG {CHANNEL} :over")
    await old.hears("PRIVMSG", CHANNEL, "over")
    assert not [message for message in old.heard if message.command.isdigit()]
    told: dict[str, set[str]] = {}
    batches: dict[str, str] = {}
    for message in new.heard:
        tags = message.tags
        label = tags.get("label") or batches.get(tags.get("batch", ""), "")
        if message.command == "BATCH" and message.params[0][0] == "+":
            batches[message.params[0][1:]] = label
        elif message.command.isdigit():
            assert label, f"without its label: {message}"
            told.setdefault(label, set()).add(message.command)
    for number, (command, numerics) in enumerate(ASKED.items()):
        assert told[str(number)] & numerics, f"{command}: {told[str(number)]}"


async def a_collision_and_its_end(network: Linked, new: Peer, near: Peer) -> None:
    """ "436 alice_ alice_ :Nickname collision KILL" when the servers meet again: of one user@host
    the older goes, or both. Muster comes again, and has the nick in the end."""
    await network.split()
    async with peer(HOST, network.theirs) as thief:
        await thief.register("alice_", user="alice")
        await network.rejoin()
        await new.hears("436", "alice_", "alice_", within_s=30)
        await new.hears("NOTICE", "*", "*was lost*Nick collision*")
        await new.hears("JOIN", CHANNEL, source="alice_*", within_s=30)
    if new.nick != "alice_":
        await new.hears("NICK", "alice_", within_s=90)
    await near.says(f"PRIVMSG {CHANNEL} :welcome back")
    await new.hears("PRIVMSG", CHANNEL, "welcome back")
