"""What a person missed, as irssi and WeeChat show it after the bouncer was killed: all of it, once,
in order, and with the time at which it was said."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK, Site, site, unstamped
from tests.real.chatclient import Account, ChatClient
from tests.real.irssi import irssi
from tests.real.muster import PASSWORD
from tests.real.needs import require
from tests.real.weechat import weechat

pytestmark = pytest.mark.outage

CLIENTS = {"irssi": irssi, "weechat": weechat}
_CLOCK = re.compile(r"\d\d:\d\d:\d\d")
APART_S = 2.2  # what was said and what is shown differ by more than a second, which logs tell


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_was_missed_is_shown_once_with_its_time(tmp_path: Path, name: str) -> None:
    require("ngircd", "tmux", name)
    async with site(tmp_path) as here:
        account = Account(
            "127.0.0.1", here.bouncer.tls_port, "alice", tls=True,
            password=f"alice/work@{name}:{PASSWORD}",
        )  # fmt: skip
        said = ["first"]
        async with CLIENTS[name](tmp_path / "home", account) as client:
            await client.logs(CHANNEL, "alice")
            await here.bob_says(*said)
            await client.shows_like(CHANNEL, "first")
            client.quit()
            await client.gone()
        missed = [f"missed {number}" for number in range(6)]
        for text in missed[:3]:
            await here.bob_says(text)
            await trio.sleep(APART_S)
        await kept(here, missed[2])
        here.bouncer.kill()
        await here.bouncer.start()
        await here.held()
        await here.bob_says(*missed[3:])
        await trio.sleep(APART_S)
        said += missed
        for visit in range(2):  # at the second there is nothing to be played back
            async with CLIENTS[name](tmp_path / "home", account) as client:
                await client.logs(CHANNEL, "alice")
                said.append(f"live {visit}")
                await here.bob_says(said[-1])
                await client.shows_like(CHANNEL, said[-1])
                client.quit()
                await client.gone()
        assert unstamped(client.texts(CHANNEL)) == said
        rows = await here.bouncer.history("alice", NETWORK)
        when = {
            row.text: time.strftime("%H:%M:%S", time.localtime(row.time_ms / 1000))
            for row in rows
            if row.command == "PRIVMSG"
        }
        shown = times(client)
        backlog = [text for text in said if text.startswith("missed")]
        assert [(text, shown[text]) for text in backlog] == [(text, when[text]) for text in backlog]


async def kept(here: Site, text: str) -> None:
    """Wait until the bouncer has it on disk."""
    with trio.fail_after(10):
        while True:
            if any(row.text == text for row in await here.bouncer.history("alice", NETWORK)):
                return
            await trio.sleep(0.1)


def times(client: ChatClient) -> dict[str, str]:
    """The time of day at each text in the client's log: what server-time has told it."""
    found = {}
    for line in client.lines(CHANNEL):
        clock = _CLOCK.search(line)
        text = re.split(r"[\t>] ?", line)[-1]
        if clock is not None:
            found[text] = clock[0]
    return found
