"""A connection without a network, and wishes for a network that is gone: neither harms anybody."""

from __future__ import annotations

from pathlib import Path

import structlog
import trio

from bouncer import chores, config
from bouncer.database import open_database
from bouncer.hub import keeping
from bouncer.irc.bouncer_networks import CAP
from bouncer.session.from_client import COMMANDS
from bouncer.session.lookups import NoAnswer, ReadMarker
from storage import accounts, messages
from storage.message import Row
from storage.records import Channel, Network, User
from storage.store import open_store
from tests.bouncer.desks import open_desk
from tests.bouncer.session.stored import answer
from tests.complaints.venue import running_bouncer, running_network
from tests.real.disk import damage, index_root, locked
from tests.real.process import until

CAPS = ("batch", "message-tags", "labeled-response", "standard-replies", CAP, "draft/chathistory",
        "draft/metadata-2", "draft/read-marker", "soju.im/webpush", "soju.im/search")  # fmt: skip
WEBPUSH = (
    "WEBPUSH REGISTER https://push.example.com/x p256dh=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIx"
    "HF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs;auth=ZJY-QJ1m7X5v1rP8nXGbzA"
)
WISHES = (
    "JOIN #ops key", "PART #ops", "NICK other", "NS IDENTIFY me sesame", WEBPUSH,
    "METADATA #ops SET soju.im/pinned 1", "MARKREAD #ops timestamp=2026-01-02T03:04:05.678Z",
    "READ #ops timestamp=2026-01-02T03:04:05.678Z", "CHATHISTORY LATEST #ops * 10",
    "SEARCH text=x", "MONITOR + bob", "AWAY :gone", "PRIVMSG bob :hello", "FROB x",
)  # fmt: skip


async def test_any_command_without_a_network_is_answered_and_keeps_nothing(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice", CAPS)
        others = [f"{name} #ops a b" for name in COMMANDS if name not in ("PING", "PONG", "QUIT")]
        for number, line in enumerate((*WISHES, *others)):
            await client.says(f"@label=l{number}. {line}")
            await client.hears(f"label=l{number}.")
        assert "on no network" in await client.hears("JOIN was not sent")
        inside = await muster.client("alice/net")
        await network.bob("still here")
        await inside.hears("still here")
        assert [line for line in network.heard if "sesame" in line or "other" in line] == []


async def test_who_is_on_no_network_hears_what_everybody_is_told(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        outside, inside = await muster.client("alice", CAPS), await muster.client("alice/net")
        await muster.bouncer.notice("the server moves at noon")
        for client in (outside, inside):
            assert await client.hears("NOTICE me :the server moves at noon")


async def test_what_clients_say_by_themselves_is_not_answered_by_the_service(
    tmp_path: Path,
) -> None:
    """Its notice would be news of its conversation, which a client marks as read with the next
    MARKREAD, and so for ever."""
    caps = (*CAPS, "echo-message")
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice", caps)
        await client.says("@+typing=active TAGMSG BouncerServ", "METADATA * SUB soju.im/pinned")
        marker = "MARKREAD BouncerServ timestamp=2026-01-02T03:04:05.678Z"
        await client.says(marker, "MARKREAD BouncerServ", "PRIVMSG BouncerServ :help help")
        assert await client.hears("770") == ":muster.test 770 me soju.im/pinned"
        assert await client.hears("MARKREAD") == f":muster.test {marker}"
        assert await client.hears("MARKREAD") == f":muster.test {marker}"
        assert await client.hears("PRIVMSG") == ":me PRIVMSG BouncerServ :help help"
        assert " :help [COMMAND…]:" in await client.hears("NOTICE")
        assert sum(" NOTICE " in line for line in client.lines) == 1
        await client.says("@label=x METADATA BouncerServ SET soju.im/pinned 1")
        assert " FAIL METADATA KEY_NO_PERMISSION " in await client.hears("label=x")


async def test_wishes_for_a_network_that_is_gone_are_logged(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        store = desk.store
        with structlog.testing.capture_logs() as logged:
            await keeping.remember_channel(store, Channel(99, "#ops"))
            await keeping.forget_channel(store, 99, "#ops")
            await keeping.change_channel(store, 99, "#ops", detached=True)
            await keeping.change_network(store, 99, nick="x")
            await keeping.keep_mark(store, 99, "#ops", "soju.im/pinned", "1")
            await keeping.redact(store, 99, "#ops", "x")
            found = await answer(store, 99, ReadMarker("#ops", "#ops", 5))
    assert found == NoAnswer(unknown_message=False)
    assert [each["event"] for each in logged] == [
        "channel not remembered",
        "channel not changed",
        "network not changed",
        "note not kept",
        "not answered",
    ]


async def test_a_deletion_that_cannot_be_kept_is_logged(tmp_path: Path) -> None:
    """Also where the database cannot even be read: it is no reason to end what serves the user."""
    url = f"sqlite:///{tmp_path}/muster.db"
    async with open_store(url) as store:
        user = await store.run(accounts.add_user, User("alice"))
        network = await store.run(accounts.add_network, Network(user.id, "net", "ircs://x"))
        row = Row(store.next_id(), network.id, "#ops", "#ops", 1, "abc", "PRIVMSG", "b", "", "", "")
        await store.append([row])
    async with open_store(url) as store:
        for page in range(1, index_root(tmp_path / "muster.db") + 1):
            damage(tmp_path / "muster.db", page)
        with structlog.testing.capture_logs() as logged:
            await keeping.redact(store, network.id, "#ops", "abc")
    assert [each["event"] for each in logged] == ["message not redacted"]


async def test_a_deletion_that_a_lock_held_up_is_done_after_a_restart(tmp_path: Path) -> None:
    conf = config.parse({"data_dir": str(tmp_path)}, tmp_path / "bouncer.toml")
    async with open_database(conf) as store:
        user = await store.run(accounts.add_user, User("alice"))
        network = await store.run(accounts.add_network, Network(user.id, "net", "ircs://x"))
        row = Row(store.next_id(), network.id, "#ops", "#ops", 1, "abc", "PRIVMSG", "b", "", "", "")
        await store.append([row])
        with locked(tmp_path / "muster.db"):
            await keeping.redact(store, network.id, "#ops", "abc")
    async with open_database(conf) as store, trio.open_nursery() as nursery:
        assert await store.read(messages.by_id, row.id) == row
        nursery.start_soon(chores.redact_owed, store)
        await until(lambda: store.removals > 0, 60, "something was deleted")
        assert await store.read(messages.by_id, row.id) is None
        nursery.cancel_scope.cancel()


async def test_what_was_kept_of_one_conversation_under_two_names_becomes_one(
    tmp_path: Path,
) -> None:
    """Without a word of anybody's."""
    conf = config.parse({"data_dir": str(tmp_path)}, tmp_path / "bouncer.toml")
    async with open_database(conf) as store, trio.open_nursery() as nursery:
        user = await store.run(accounts.add_user, User("alice"))
        network = await store.run(accounts.add_network, Network(user.id, "net", "ircs://x"))
        for name in ("#a[", "#a{"):  # as rfc1459 folds them, and ascii
            number = store.next_id()
            row = Row(number, network.id, name, name, number, "", "PRIVMSG", "b", "", "", "")
            await store.append([row])
        nursery.start_soon(chores.merge, store)
        await keeping.remember_casemapping(store, network.id, "rfc1459")
        await until(lambda: store.removals > 0, 60, "they were merged")
        assert len(await store.read(messages.latest, network.id, "#a{", 9)) == 2
        nursery.cancel_scope.cancel()
