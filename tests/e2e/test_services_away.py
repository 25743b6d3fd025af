"""Services go away and come back: the bouncer is there without them, and logs in when it can.

InspIRCd 3 lists `sasl` while its services hang and not once their link has broken; after a clean
end of theirs it does one or the other. So none of these ends with one.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.e2e.public import COMES_S, HOST, SECRET, Public, public
from tests.e2e.site import CHANNEL
from tests.real.inspircd import LINK_S
from tests.real.peer import peer
from tests.real.process import Program

pytestmark = pytest.mark.outage

CLOSED = "#closed"  # to those who are not logged in
LOGS_IN_S = 45.0  # "SASL … retried while services are away": soon after NickServ has spoken


async def test_where_sasl_is_not_listed_without_services(tmp_path: Path) -> None:
    async with with_services(tmp_path) as (here, services):
        services.kill()
        await until_listed(here, wanted=False)
        await enters_without_login(here)
        await until_listed(here, wanted=False)
        await logs_in_when_back(here, here.server.start_services)
        # killed, they are missed by nobody who is logged in already
        services.kill()
        async with here.bouncer.attached("alice/work@laptop") as alice:
            await here.bob.says(f"PRIVMSG {CLOSED} :gone again")
            await alice.hears("PRIVMSG", CLOSED, "*gone again")
        async with peer(HOST, here.server.port) as stranger:
            await stranger.register("stranger")
            await stranger.says(f"JOIN {CLOSED}")
            await stranger.hears("477", "stranger", CLOSED)


async def test_where_sasl_is_listed_and_nobody_answers(tmp_path: Path) -> None:
    async with with_services(tmp_path) as (here, services):
        services.send(signal.SIGSTOP)
        await until_listed(here, wanted=True)
        await enters_without_login(here)
        await until_listed(here, wanted=True)

        async def back() -> None:
            services.send(signal.SIGCONT)
            await here.server.linked()

        await logs_in_when_back(here, back)


@asynccontextmanager
async def with_services(folder: Path) -> AsyncIterator[tuple[Public, Program]]:
    """Services that have alice's account on disk, and a channel that needs one."""
    async with public(folder, "alice") as here:
        await here.bob.join(CLOSED)
        await here.bob.says(f"MODE {CLOSED} +R")
        await here.bob.hears("MODE", CLOSED, "+R")
        assert here.server.services is not None
        # what they have registered is on disk at a clean end alone
        await here.server.stop_services()
        await here.server.start_services()
        yield here, here.server.services
        assert SECRET not in here.bouncer.program.output


async def until_listed(here: Public, *, wanted: bool) -> None:
    """Wait until the network lists `sasl`, or lists it no more."""
    with trio.fail_after(LINK_S):
        while True:
            async with peer(HOST, here.server.port) as stranger:
                await stranger.says("CAP LS 302")
                listed = (await stranger.hears("CAP")).params[-1].split()
            if any(each.startswith("sasl") for each in listed) is wanted:
                return
            await trio.sleep(0.1)


async def enters_without_login(here: Public) -> None:
    await here.enters("plain", channels=f"{CHANNEL},{CLOSED}")
    joined = await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
    assert joined.params[1] == "*"


async def logs_in_when_back(here: Public, back: Callable[[], Awaitable[None]]) -> None:
    async with here.bouncer.attached("alice/work@laptop") as alice:
        await here.bob.says(f"PRIVMSG {CHANNEL} :no services today")
        await alice.hears("PRIVMSG", CHANNEL, "*no services today")
        assert not here.bob.all("JOIN", CLOSED, source="alice!*")
        await back()
        joined = await here.bob.hears("JOIN", CLOSED, source="alice!*", within_s=LOGS_IN_S)
        assert joined.params[1] == "alice"
        await alice.has_heard("JOIN", CLOSED)
