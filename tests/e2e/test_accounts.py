"""Accounts through the whole bouncer, on a real network with services: from its own login to what
its clients see of other people's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.public import ACCOUNT_CAPS, COMES_S, HOST, SECRET, Public, public
from tests.e2e.site import CHANNEL
from tests.real.peer import Peer, peer

pytestmark = pytest.mark.outage


@asynccontextmanager
async def attached(here: Public, name: str) -> AsyncIterator[Peer]:
    """A client that takes what the network alone can give, as soon as it is offered."""
    async with here.bouncer.attached(f"alice/work@{name}", caps=["message-tags"]) as client:
        await client.has_heard("CAP", "*", "NEW", "*account-tag*")
        await client.says(f"CAP REQ :{' '.join(ACCOUNT_CAPS)}")
        await client.hears("CAP", "*", "ACK")
        yield client


@pytest.mark.parametrize("login", ["plain", "external"])
async def test_the_bouncer_logs_in_before_it_joins(tmp_path: Path, login: str) -> None:
    """extended-join: "JOIN #chan accountname :Real name": the login is over when it joins."""
    accounts = ["alice"] if login == "plain" else []
    async with public(tmp_path, *accounts) as here:
        await here.enters(login)
        joined = await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        assert joined.params[1] == "alice"
        async with here.bouncer.attached("alice/work@laptop") as alice:
            await alice.says(f"PRIVMSG {CHANNEL} :hello")
            said = await here.bob.hears("PRIVMSG", CHANNEL, "hello")
            assert said.tags["account"] == "alice"


async def test_clients_see_the_accounts_of_others(tmp_path: Path) -> None:
    """account-notify: "ACCOUNT accountname", "ACCOUNT *"; account-tag; extended-join; WHOX."""
    async with public(tmp_path, "alice", "carl") as here:
        await here.enters("plain")
        await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        async with (
            attached(here, "new") as new,
            here.bouncer.attached("alice/work@old") as old,
            peer(HOST, here.server.port) as carl,
        ):
            await carl.register("carl_")
            await carl.join(CHANNEL)
            assert (await new.hears("JOIN", CHANNEL, source="carl_!*")).params[1:] == (
                "*",
                "carl_",
            )
            assert (await old.hears("JOIN", CHANNEL, source="carl_!*")).params == (CHANNEL,)
            await carl.says(f"PRIVMSG NickServ :IDENTIFY carl {SECRET}")
            await new.hears("ACCOUNT", "carl", source="carl_!*")
            await carl.says(f"PRIVMSG {CHANNEL} :it is I")
            assert (await new.hears("PRIVMSG", CHANNEL, "it is I")).tags["account"] == "carl"
            # WHOX, answered by the network or by the bouncer: the account of each is right
            await new.says(f"WHO {CHANNEL} %tna,42")
            await new.hears("315")
            who = {m.params[2]: m.params[3] for m in new.all("354", "*", "42")}
            assert who == {"alice": "alice", "bob": "bob", "carl_": "carl"}
            await carl.says("PRIVMSG NickServ :LOGOUT")
            await new.hears("ACCOUNT", "*", source="carl_!*")
            await carl.says(f"PRIVMSG {CHANNEL} :and now I am nobody")
            said = await new.hears("PRIVMSG", CHANNEL, "and now I am nobody")
            assert "account" not in said.tags
            await old.hears("PRIVMSG", CHANNEL, "and now I am nobody")
            assert not old.all("ACCOUNT")
            assert not any(message.raw_tags for message in old.heard)


async def test_monitor_is_the_network_s(tmp_path: Path) -> None:
    """MONITOR: who shares no channel with us is seen to come and go at once: by ISON it would take
    up to a minute each time."""
    async with public(tmp_path) as here:
        await here.enters()
        await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        async with (
            here.bouncer.attached("alice/work@one") as one,
            here.bouncer.attached("alice/work@two") as two,
        ):
            await one.says("MONITOR + dave,erin")
            await one.hears("731", "alice", "*dave*")
            async with peer(HOST, here.server.port) as dave:
                await dave.register("dave")
                await one.hears("730", "alice", "dave*")
                await two.says("MONITOR + dave")
                await two.hears("730", "alice", "dave*")
                await two.says("MONITOR - dave")
                await two.sync()
            await one.hears("731", "alice", "dave")
            await two.sync()
            assert not two.all("731")
