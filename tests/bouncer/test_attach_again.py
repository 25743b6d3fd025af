"""A detached channel that is attached again, with a real store and over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.hub import history
from bouncer.irc.wire import Message
from bouncer.session.effects import PlayBack
from storage import accounts
from storage.message import Row
from storage.records import Network, User
from storage.store import open_store
from tests.complaints.venue import running_bouncer, running_network, until

T0 = 1_800_000_000_000


async def test_what_was_said_while_it_was_detached_comes_with_it(tmp_path: Path) -> None:
    async with running_network() as network:
        async with running_bouncer(tmp_path, network) as muster:
            desk = await muster.client("alice/net@desk", ("server-time",))
            await network.bob("seen")
            await desk.hears(":seen")
            await desk.says("PART #ops detach")
            await desk.hears(" PART #ops")
            await network.bob("one")
            await network.says(":bob!b@h PRIVMSG me :private")
            await desk.hears(":private")
            await muster.gone(desk)
            phone = await muster.client("alice/net@phone")
            await phone.hears("private")
            assert not any(":one" in line for line in phone.lines)
            await muster.gone(phone)
            await muster.term()
        async with running_bouncer(tmp_path, network) as muster:
            desk = await muster.client("alice/net@desk", ("server-time",))
            await network.bob("two")
            await network.says(":bob!b@h PRIVMSG me :again")
            await desk.hears(":again")
            desk.lines.clear()
            await desk.says("JOIN #ops")
            await desk.hears(":two")
            commands = [Message.parse(line).command for line in desk.lines]
            assert commands == ["JOIN", "353", "366", "PRIVMSG", "PRIVMSG"]
            await network.bob("three")
            await desk.hears(":three")
            assert desk.texts == ["one", "two", "three"]
            await muster.gone(desk)
            desk = await muster.client("alice/net@desk", ("server-time",))
            await until(lambda: all(c.live for c in muster.session.clients.by_id.values()))
            assert desk.texts == [], "once"
            await muster.gone(desk)
            await muster.term()
        async with running_bouncer(tmp_path, network) as muster:
            phone = await muster.client("alice/net@phone", ("server-time",))
            await phone.hears(":three")
            assert phone.texts == ["one", "two", "again", "three"]


def said(number: int, time_ms: int, target: str = "#ops", command: str = "PRIVMSG") -> Row:
    return Row(number, 1, target, target, time_ms, "", command, "bob!b@h", "", "", f"{number}")


@pytest.mark.parametrize("upto", [39, 1_000])
async def test_it_is_the_newest_of_that_conversation_alone(tmp_path: Path, upto: int) -> None:
    """Numbers are given by our clock, times by the network's, which may be behind."""
    rows = [said(n, T0 + n) for n in range(1, 20)]
    rows += [said(n, T0 + n - 60_000) for n in range(20, 30)]
    rows += [said(n, T0 + n, "#db") for n in range(30, 35)]
    rows += [said(n, T0 + n) for n in range(35, 1_001)]
    rows += [said(1_001, T0 + 1_001, command="TOPIC")]
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        owner = await store.run(accounts.add_user, User("bob"))
        await store.run(accounts.add_network, Network(owner.id, "net", "irc://irc.test", id=1))
        await store.append(rows)

        async def numbers(after: int, limit: int) -> list[int]:
            wanted = PlayBack(1, after, upto, "#ops")
            return [row.id for row in await store.read(history.backlog, 1, wanted, limit)]

        of_ops = [row.id for row in rows if row.name == "#ops" and 15 < row.id <= upto]
        assert sorted(await numbers(15, 200)) == of_ops[-200:]
        assert sorted(await numbers(15, 50)) == of_ops[-50:]
        assert await numbers(1_000, 3) == []
