"""The driver of InspIRCd and Atheme gives accounts, SASL, CertFP, account-tag and MONITOR."""

from __future__ import annotations

import ssl
from pathlib import Path

from tests.real.certificates import make, trusting_all
from tests.real.inspircd import inspircd
from tests.real.needs import require
from tests.real.peer import peer


async def test_accounts_sasl_certificates_and_monitor(tmp_path: Path) -> None:
    require("inspircd", "atheme-services")
    certificate = make(tmp_path, "inspircd")
    own = make(tmp_path, "alice")
    async with inspircd(tmp_path / "i", certificate) as server:
        await server.account("alice", "sesame99", own.sha256)
        await server.channel("#ops", "alice", "sesame99", "+nt")
        async with (
            peer("127.0.0.1", server.port) as bob,
            peer("::1", server.port) as alice,
        ):
            await bob.register("bob", caps=["account-tag", "extended-join", "server-time"])
            await bob.says("MONITOR + alice")
            await bob.join("#ops")
            await alice.register("alice", plain=("alice", "sesame99"))
            await bob.hears("730", "bob", "alice*")
            await alice.join("#ops")
            await bob.hears("JOIN", "#ops", "alice", source="alice!*")
            await alice.says("PRIVMSG #ops :hello")
            assert (await bob.hears("PRIVMSG", "#ops", "hello")).tags["account"] == "alice"
            await alice.says("QUIT")
            await bob.hears("731", "bob", "alice*")
        context: ssl.SSLContext = trusting_all()
        context.load_cert_chain(own.certificate, own.key)
        async with peer("127.0.0.1", server.tls_port, tls=context) as alice:
            await alice.says("CAP LS 302", "NICK alice", "USER alice 0 * :alice")
            await alice.says("CAP REQ sasl")
            await alice.hears("CAP", "*", "ACK")
            await alice.says("AUTHENTICATE EXTERNAL")
            await alice.hears("AUTHENTICATE", "+")
            await alice.says("AUTHENTICATE +")
            await alice.hears("903")


async def test_services_go_and_come_back(tmp_path: Path) -> None:
    require("inspircd", "atheme-services")
    async with inspircd(tmp_path / "i", make(tmp_path, "inspircd")) as server:
        await server.account("alice", "sesame99")
        await server.stop_services()
        await server.start_services()
        async with peer("127.0.0.1", server.port) as alice:
            await alice.register("alice", plain=("alice", "sesame99"))
