"""Logins that are refused: the bouncer's by services (real Atheme), its clients' by certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

from tests.e2e.site import NETWORK
from tests.real.certificates import make, trusting_all
from tests.real.inspircd import inspircd
from tests.real.muster import bouncer
from tests.real.needs import require
from tests.real.peer import peer
from tests.real.ports import free_port

pytestmark = pytest.mark.outage

SERVICES_PASSWORD = "sesame99"


async def test_a_password_that_services_refuse_is_said(tmp_path: Path) -> None:
    """ "SASL failure fail-closed when required"."""
    require("inspircd", "atheme-services")
    certificate = make(tmp_path, "inspircd")
    async with (
        inspircd(tmp_path / "i", certificate) as server,
        bouncer(tmp_path / "b") as muster,
        peer("127.0.0.1", server.port) as bob,
    ):
        await server.account("alice", SERVICES_PASSWORD)
        await bob.register("bob")
        await muster.add_user("alice")
        await muster.cli(
            *("network", "add", "alice", NETWORK, f"irc+insecure://127.0.0.1:{server.port}"),
            *("--nick", "alice", "--sasl-required", "true"),
            *("--sasl-plain", "alice", "--password-stdin"),
            stdin="wrong password\n",
        )
        listed = ""
        for _ in range(30):
            listed = await muster.cli("network", "list", "alice")
            if "SASL" in listed:
                break
            await trio.sleep(1)
        assert "SASL" in listed
        assert "wrong password" not in listed
        await bob.says("ISON alice")
        assert "alice" not in (await bob.hears("303")).params[-1]


@pytest.mark.parametrize("name", ["known", "unknown", "expired", "none"])
async def test_login_by_client_certificate(tmp_path: Path, name: str) -> None:
    """ "none, known, unknown, expired certificates all reach the login, where the fingerprint
    decides".
    """
    port = free_port()
    listen = f'[[listen]]\naddress = "127.0.0.1:{port}"\nclient_certs = true\n'
    async with bouncer(tmp_path / "b", tables=listen) as muster:
        await muster.add_user("alice")
        context: ssl.SSLContext = trusting_all()
        if name != "none":
            own = make(tmp_path, "own", days=-3 if name == "expired" else 30)
            context.load_cert_chain(own.certificate, own.key)
            if name != "unknown":
                await muster.cli("certfp", "add", "alice", own.sha256)
        async with peer("127.0.0.1", port, tls=context) as alice:
            await alice.says("CAP LS 302", "NICK alice", "USER alice 0 * :alice", "CAP REQ :sasl")
            await alice.hears("CAP", "*", "ACK")
            await alice.says("AUTHENTICATE EXTERNAL")
            await alice.hears("AUTHENTICATE", "+")
            await alice.says("AUTHENTICATE +")
            if name in ("known", "expired"):
                await alice.hears("900")
                await alice.hears("903")
                await alice.says("CAP END")
                await alice.hears("001")
            else:
                await alice.hears("904")
