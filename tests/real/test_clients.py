"""The drivers of real clients: each talks and listens on a real ngIRCd, by TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.certificates import make
from tests.real.chatclient import Account
from tests.real.irssi import irssi
from tests.real.libclient import libclient
from tests.real.needs import require
from tests.real.ngircd import ngircd
from tests.real.peer import peer
from tests.real.weechat import weechat

CLIENTS = {"irssi": irssi, "weechat": weechat}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_in_a_terminal_talks_and_listens(name: str, tmp_path: Path) -> None:
    require("ngircd", "tmux", name)
    certificate = make(tmp_path, "ngircd")
    async with (
        ngircd(tmp_path / "n", certificate=certificate) as server,
        peer("127.0.0.1", server.port) as bob,
    ):
        await bob.register("bob")
        await bob.join("#ops")
        account = Account("127.0.0.1", server.tls_port, "alice", tls=True)
        async with CLIENTS[name](tmp_path / "home", account) as client:
            await bob.hears_nick("alice")
            client.types("/join #ops")
            await bob.hears("JOIN", "#ops", source="alice!*")
            client.message("#ops", "hello, is anyone here?")
            await bob.hears("PRIVMSG", "#ops", "hello, is anyone here?", source="alice!*")
            await bob.says("PRIVMSG #ops :I am <here>  twice", "PRIVMSG alice :psst")
            await client.shows("#ops", "I am <here>  twice")
            await client.shows("bob", "psst")
            assert client.conversation("#ops") == [
                ("alice", "hello, is anyone here?"),
                ("bob", "I am <here>  twice"),
            ]
            client.quit()
            await bob.hears("QUIT", source="alice!*")
            await client.gone()


async def test_the_library_s_client_talks_and_listens(tmp_path: Path) -> None:
    require("ngircd")
    certificate = make(tmp_path, "ngircd")
    async with (
        ngircd(tmp_path / "n", certificate=certificate) as server,
        peer("127.0.0.1", server.port) as bob,
    ):
        await bob.register("bob")
        await bob.join("#ops")
        with libclient(Account("127.0.0.1", server.tls_port, "carol", tls=True)) as client:
            await client.happens("welcome")
            client.join("#ops")
            await bob.hears("JOIN", "#ops", source="carol!*")
            client.message("#ops", "hello")
            await bob.hears("PRIVMSG", "#ops", "hello", source="carol!*")
            await bob.says("PRIVMSG #ops :welcome back", "PRIVMSG carol :psst")
            await client.shows("#ops", "welcome back")
            await client.shows("bob", "psst")
            client.quit()
            await bob.hears("QUIT", source="carol!*")
