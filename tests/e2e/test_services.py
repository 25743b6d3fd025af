"""The bouncer on a network with services (real InspIRCd and Atheme), and logins by certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK
from tests.real.certificates import make, trusting_all
from tests.real.chatclient import Account
from tests.real.inspircd import inspircd
from tests.real.irssi import irssi
from tests.real.muster import PASSWORD, bouncer
from tests.real.needs import require
from tests.real.ngircd import ngircd
from tests.real.peer import peer
from tests.real.ports import free_port
from tests.real.weechat import weechat

pytestmark = pytest.mark.outage

SERVICES_PASSWORD = "sesame99"
CAPS = ["server-time", "message-tags", "cap-notify", "batch"]
REGAIN_S = 90.0


async def test_sasl_accounts_and_the_nick_on_a_network_with_services(tmp_path: Path) -> None:
    require("inspircd", "atheme-services")
    certificate = make(tmp_path, "inspircd")
    async with (
        inspircd(tmp_path / "i", certificate) as server,
        bouncer(tmp_path / "b") as muster,
        peer("127.0.0.1", server.port) as bob,
    ):
        for name in ("alice", "bob"):
            await server.account(name, SERVICES_PASSWORD)
        await bob.register("bob", caps=["account-tag"], plain=("bob", SERVICES_PASSWORD))
        await bob.join(CHANNEL)
        async with peer("127.0.0.1", server.port) as squatter:
            await squatter.register("alice")
            await muster.add_user("alice")
            await muster.cli(
                *("network", "add", "alice", NETWORK, f"ircs://127.0.0.1:{server.tls_port}"),
                *("--pin", f"sha256:{certificate.sha256}", "--nick", "alice", "--join", CHANNEL),
                *("--sasl-plain", "alice", "--password-stdin"),
                stdin=SERVICES_PASSWORD + "\n",
            )
            joined = await bob.hears("JOIN", CHANNEL, within_s=30)
            await bob.says(f"WHOIS {joined.nick}")
            await bob.hears("330", "bob", joined.nick, "alice")
        # "the wanted nick is regained by services or MONITOR"
        async with muster.attached("alice/work@laptop", caps=CAPS) as alice:
            await bob.hears_nick("alice", within_s=REGAIN_S)
            # What only the network can give is offered once we are attached to it.
            offered = await alice.has_heard("CAP", "*", "NEW", "*account-tag*")
            assert "extended-join" in offered.params[-1]
            await alice.says("CAP REQ :account-tag extended-join")
            await alice.hears("CAP", "*", "ACK")
            await alice.has_heard("366")
            await bob.says(f"PRIVMSG {CHANNEL} :by account")
            said = await alice.hears("PRIVMSG", CHANNEL, "by account")
            assert said.tags["account"] == "bob"
            assert said.tags["msgid"]
            await alice.says(f"PRIVMSG {CHANNEL} :likewise")
            heard = await bob.hears("PRIVMSG", CHANNEL, "likewise", source="alice!*")
            assert heard.tags["account"] == "alice"
        await server.stop_services()
        await server.start_services()
        async with muster.attached("alice/work@laptop", caps=CAPS) as alice:
            await bob.says(f"PRIVMSG {CHANNEL} :services are back")
            await alice.hears("PRIVMSG", CHANNEL, "services are back")


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


@pytest.mark.parametrize("client", ["irssi", "weechat"])
@pytest.mark.parametrize("mechanism", ["plain", "external", "scram-sha-256"])
async def test_people_s_clients_log_in_by_sasl(tmp_path: Path, client: str, mechanism: str) -> None:
    if (client, mechanism) == ("irssi", "scram-sha-256"):
        return  # irssi 1.4.3 has none
    require("ngircd", "tmux", client)
    port = free_port()
    listen = f'[[listen]]\naddress = "127.0.0.1:{port}"\nclient_certs = true\n'
    own = make(tmp_path, "own")
    async with (
        ngircd(tmp_path / "n") as server,
        bouncer(tmp_path / "b", tables=listen) as muster,
        peer("127.0.0.1", server.port) as bob,
    ):
        await bob.register("bob")
        await bob.join(CHANNEL)
        await muster.add_user("alice")
        uri = f"irc+insecure://127.0.0.1:{server.port}"
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice", "--join", CHANNEL)
        await bob.hears("JOIN", CHANNEL, source="alice!*", within_s=30)
        await muster.cli("certfp", "add", "alice", own.sha256)
        account = Account(
            "127.0.0.1",
            port,
            "alice",
            tls=True,
            sasl=(f"alice/work@{client}", PASSWORD),
            sasl_mechanism=mechanism,
            certificate=own if mechanism == "external" else None,
        )
        start = irssi if client == "irssi" else weechat
        async with start(tmp_path / "home", account) as person:
            if mechanism == "external":
                # The certificate says who, not which network: one network is all there is.
                await person.terminal.shows("alice", within_s=20)
                return
            await person.logs(CHANNEL, "alice")
            person.message(CHANNEL, f"hello by {mechanism}")
            await bob.hears("PRIVMSG", CHANNEL, f"hello by {mechanism}", source="alice!*")
            person.quit()
            await person.gone()
