"""Services go away and come back: the bouncer is there without them, and logs in when it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.public import COMES_S, HOST, SECRET, public
from tests.e2e.site import CHANNEL
from tests.real.peer import peer

pytestmark = pytest.mark.outage

CLOSED = "#closed"  # to those who are not logged in
LOGS_IN_S = 45.0  # "SASL … retried while services are away": soon after NickServ has spoken


async def test_it_logs_in_when_they_come_back_and_enters_then(tmp_path: Path) -> None:
    async with public(tmp_path, "alice") as here:
        await here.bob.join(CLOSED)
        await here.bob.says(f"MODE {CLOSED} +R")
        await here.bob.hears("MODE", CLOSED, "+R")
        assert here.server.services is not None
        # what they have registered is on disk at a clean end alone
        await here.server.stop_services()
        await here.enters("plain", channels=f"{CHANNEL},{CLOSED}")
        joined = await here.bob.hears("JOIN", CHANNEL, source="alice!*", within_s=COMES_S)
        assert joined.params[1] == "*"
        async with here.bouncer.attached("alice/work@laptop") as alice:
            await here.bob.says(f"PRIVMSG {CHANNEL} :no services today")
            await alice.hears("PRIVMSG", CHANNEL, "*no services today")
            assert not here.bob.all("JOIN", CLOSED, source="alice!*")
            await here.server.start_services()
            joined = await here.bob.hears("JOIN", CLOSED, source="alice!*", within_s=LOGS_IN_S)
            assert joined.params[1] == "alice"
            await alice.has_heard("JOIN", CLOSED)
            # killed, they are missed by nobody who is logged in already
            here.server.services.kill()
            await here.bob.says(f"PRIVMSG {CLOSED} :gone again")
            await alice.hears("PRIVMSG", CLOSED, "*gone again")
        async with peer(HOST, here.server.port) as stranger:
            await stranger.register("stranger")
            await stranger.says(f"JOIN {CLOSED}")
            await stranger.hears("477", "stranger", CLOSED)
        assert SECRET not in here.bouncer.program.output
