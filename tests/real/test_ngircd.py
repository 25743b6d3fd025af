"""The driver of ngIRCd serves plain and TLS, on IPv4 and IPv6, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.real.certificates import make
from tests.real.needs import require
from tests.real.ngircd import ngircd
from tests.real.peer import peer


async def test_it_serves_plain_and_tls_on_both_families(tmp_path: Path) -> None:
    require("ngircd")
    certificate = make(tmp_path, "ngircd")
    async with ngircd(tmp_path / "n", certificate=certificate) as server:
        async with (
            peer("127.0.0.1", server.port) as alice,
            peer("::1", server.tls_port, tls=True) as bob,
        ):
            await alice.register("alice")
            await bob.register("bob")
            await alice.join("#ops")
            await bob.join("#ops")
            await alice.hears("JOIN", "#ops", source="bob!*")
            await bob.says("PRIVMSG #ops :hello there")
            message = await alice.hears("PRIVMSG", "#ops", "hello*")
            assert message.nick == "bob"
        pid = server.program.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_it_can_be_killed_and_started_again(tmp_path: Path) -> None:
    require("ngircd")
    async with ngircd(tmp_path) as server:
        async with peer("127.0.0.1", server.port) as alice:
            await alice.register("alice")
            server.kill()
            await alice.is_closed()
        await server.start()
        async with peer("127.0.0.1", server.port) as alice:
            await alice.register("alice")


async def test_a_peer_says_what_it_heard_instead(tmp_path: Path) -> None:
    require("ngircd")
    async with ngircd(tmp_path) as server, peer("127.0.0.1", server.port) as alice:
        await alice.register("alice")
        await alice.says("PRIVMSG nobody :hello")
        with pytest.raises(AssertionError, match="401"):
            await alice.hears("PRIVMSG", "alice", within_s=0.5)
