"""irssi, WeeChat and the irc library's client connect, join, talk, leave, come back.

"and get exactly what they missed, once": the whole conversation in the client's own log is the
list of what was said, in order, over all its visits.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.site import CHANNEL, site, unstamped
from tests.real.chatclient import Account
from tests.real.irssi import irssi
from tests.real.libclient import libclient
from tests.real.muster import PASSWORD
from tests.real.needs import require
from tests.real.weechat import weechat

TERMINAL_CLIENTS = {"irssi": irssi, "weechat": weechat}
SIDE_CHANNEL = "#lunch"


@pytest.mark.parametrize("name", TERMINAL_CLIENTS)
async def test_a_person_s_client_comes_back(name: str, tmp_path: Path) -> None:
    require("tmux", name)
    login = f"alice/work@{name}"
    async with site(tmp_path) as here:
        account = Account(
            "127.0.0.1",
            here.bouncer.tls_port,
            "alice",
            tls=True,
            sasl=(login, PASSWORD) if name == "weechat" else None,
            password=f"{login}:{PASSWORD}" if name == "irssi" else "",
        )
        said = []
        client_of = TERMINAL_CLIENTS[name]
        async with client_of(tmp_path / "home", account) as client:
            await client.logs(CHANNEL, "alice")  # the state burst: our JOIN, the names
            client.types(f"/join {SIDE_CHANNEL}")
            await here.bob.join(SIDE_CHANNEL)
            await here.bob.hears_member(SIDE_CHANNEL, "alice")
            await here.bob_says("first <words>")
            await client.shows(CHANNEL, "first <words>")
            client.message(CHANNEL, "and an answer")
            await here.bob.hears("PRIVMSG", CHANNEL, "and an answer", source="alice!*")
            said += [("bob", "first <words>"), ("alice", "and an answer")]
            client.quit()
            await client.gone()
        for visit in range(2):
            missed = [f"missed {visit}-{n}" for n in range(5)]
            await here.bob_says(*missed)
            await here.bob_says(f"lunch {visit}", target=SIDE_CHANNEL)
            said += [("bob", text) for text in missed]
            async with client_of(tmp_path / "home", account) as client:
                await here.bob_says(f"welcome {visit}")
                said.append(("bob", f"welcome {visit}"))
                await client.shows_like(CHANNEL, f"welcome {visit}")
                await client.shows_like(SIDE_CHANNEL, f"lunch {visit}")
                client.quit()
                await client.gone()
        conversation = client.conversation(CHANNEL)
        texts = unstamped(text for _, text in conversation)
        assert list(zip([s.nick for s in conversation], texts, strict=True)) == said
        assert unstamped(client.texts(SIDE_CHANNEL)) == ["lunch 0", "lunch 1"]


async def test_the_library_s_client_comes_back(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        account = Account(
            "127.0.0.1",
            here.bouncer.tls_port,
            "alice",
            tls=True,
            password=f"alice/work@library:{PASSWORD}",
        )
        with libclient(account) as client:
            await client.happens("endofnames", CHANNEL)
            client.join(SIDE_CHANNEL)
            await here.bob.hears_member(SIDE_CHANNEL, "alice")
            client.message(CHANNEL, "hello")
            await here.bob.hears("PRIVMSG", CHANNEL, "hello")
            await here.bob_says("hello alice")
            await client.shows(CHANNEL, "hello alice")
            client.quit()
            await client.gone()
        for visit in range(2):
            missed = [f"missed {visit}-{n}" for n in range(5)]
            await here.bob_says(*missed)
            await here.bob_says("psst", target="alice")
            with libclient(account) as client:
                await client.happens("endofnames", CHANNEL)
                await client.happens("endofnames", SIDE_CHANNEL)
                await here.bob_says(f"welcome {visit}")
                await client.shows_like(CHANNEL, f"welcome {visit}")
                assert unstamped(client.texts(CHANNEL)) == [*missed, f"welcome {visit}"]
                assert unstamped(client.texts("bob")) == ["psst"]
                client.quit()
                await client.gone()
