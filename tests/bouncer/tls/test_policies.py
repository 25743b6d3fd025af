"""Hosts that want TLS alone: remembered, obeyed, forgotten in time. Quotes: IRCv3 sts."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
import trustme

from bouncer.connections.dial import ServerAddress
from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from bouncer.irc.wire import Message
from bouncer.tls.policies import Policies
from storage import accounts
from storage.store import open_store
from tests.complaints.venue import FakeNetwork, running_bouncer, until

PLAIN = ServerAddress.parse("irc+insecure://irc.test")
SECURE = ServerAddress.parse("ircs://irc.test:7000")


async def test_a_policy_outlives_us_and_ends_in_its_time(tmp_path: Path) -> None:
    """ "it then MUST only use a secure transport to connect to the server at the requested hostname
    in future, until the policy expires"; "A duration value of 0 indicates an immediate expiry" """
    now_s = 1_800_000_000.0

    def wall() -> float:
        return now_s

    url = f"sqlite:///{tmp_path / 'muster.db'}"
    async with open_store(url) as store:
        policies = Policies(store, wall)
        await policies.load()
        assert policies.applied(PLAIN) == PLAIN
        await policies.keep(SECURE, 100)
    async with open_store(url) as store:
        policies = Policies(store, wall)
        await policies.load()
        other_port = ServerAddress.parse("irc+insecure://IRC.test:6660")
        assert policies.applied(PLAIN) == SECURE
        assert policies.applied(other_port).tls
        assert not (policies.applied(ServerAddress.parse("irc+insecure://irc2.test"))).tls
        assert policies.applied(ServerAddress.parse("ircs://irc.test")) != SECURE
        now_s += 99
        assert policies.applied(PLAIN) == SECURE
        now_s += 1
        assert policies.applied(PLAIN) == PLAIN
        await policies.keep(SECURE, 100)
        assert policies.applied(PLAIN) == SECURE
        await policies.keep(SECURE, 0)
        assert policies.applied(PLAIN) == PLAIN


class Policied(FakeNetwork):
    """A network that tells its policy, and counts who comes."""

    def __init__(self, policy: str) -> None:
        super().__init__()
        self.policy = policy
        self.came = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.came += 1
        await super().serve(stream)

    def answers(self, message: Message) -> list[str]:
        if message.command == "CAP" and message.params[0] == "LS":
            return [f":irc.test CAP * LS :{self.policy}"]
        return super().answers(message)


@asynccontextmanager
async def two_doors() -> AsyncIterator[tuple[Policied, Policied, str]]:
    """The same network without TLS and with it, and the pin of its certificate."""
    certificate = trustme.CA().issue_cert("irc.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    plain, secure = Policied(""), Policied("sts=duration=3600")
    async with trio.open_nursery() as nursery:
        serve = partial(
            trio.serve_ssl_over_tcp, ssl_context=context, host="127.0.0.1", https_compatible=True
        )
        tls = await nursery.start(serve, secure.serve, 0)
        secure.port = tls[0].transport_listener.socket.getsockname()[1]
        tcp = await nursery.start(partial(trio.serve_tcp, plain.serve, 0, host="127.0.0.1"))
        plain.port = tcp[0].socket.getsockname()[1]
        plain.policy = f"sts=port={secure.port}"
        yield plain, secure, f"sha256:{hashlib.sha256(der).hexdigest()}"
        nursery.cancel_scope.cancel()


async def test_a_network_that_wants_tls_is_gone_to_by_tls(tmp_path: Path) -> None:
    """ "When a client sees an STS upgrade policy over a non-secure connection, it MUST first
    establish a secure connection"; "Once a client has connected securely [...] it then MUST only
    use a secure transport" """
    async with two_doors() as (plain, secure, pin):
        async with running_bouncer(tmp_path, plain, fingerprint=pin):
            assert (plain.came, secure.came) == (1, 1)
            assert not [line for line in plain.heard if line.startswith(("CAP REQ", "JOIN"))]
            assert "JOIN #ops" in secure.heard
        async with running_bouncer(tmp_path, plain, fingerprint=pin):
            assert (plain.came, secure.came) == (1, 2)


async def test_where_tls_cannot_be_had_nothing_else_is_used(tmp_path: Path) -> None:
    """ "clients MUST refuse to connect if a secure connection cannot be established to the server
    for any reason during the lifetime of the policy" """
    async with (
        two_doors() as (plain, _, pin),
        running_bouncer(tmp_path, plain, fingerprint=pin) as muster,
    ):
        network_id = muster.session.network.id
        change = partial(accounts.change_network, fingerprint="sha256:" + "0" * 64)
        await muster.store.run(change, network_id)
        await muster.bouncer.refresh("alice")
        upstream = muster.hub.links["net"].upstream
        await until(lambda: "not the one pinned" in upstream.error)
        assert plain.came == 1


async def test_a_network_that_broke_its_tls_is_reached_once_its_policy_is_dropped(
    tmp_path: Path,
) -> None:
    """ "Clients should allow users or administrators to delete cached STS policies on a per-host
    basis" """
    async with two_doors() as (plain, secure, pin):
        async with running_bouncer(tmp_path, plain, fingerprint=pin) as muster:
            broken = partial(accounts.change_network, fingerprint="sha256:" + "0" * 64)
            await muster.store.run(broken, muster.session.network.id)
            await muster.bouncer.refresh("alice")
            upstream = muster.hub.links["net"].upstream
            await until(lambda: "not the one pinned" in upstream.error)
            plain.policy = ""
            desk = muster.bouncer.desk
            [shown] = await dispatch("network sts alice net", OPERATOR, desk)
            assert f"by TLS on port {secure.port} or not at all" in shown
            line = "network sts alice net --drop 127.0.0.1"
            dropped, warning = await dispatch(line, OPERATOR, desk)
            assert dropped.startswith("127.0.0.1 is no longer bound to TLS until 2")
            assert warning.startswith("WARNING")
            for enabled in ("false", "true"):
                await dispatch(f"network set alice net --enabled {enabled}", OPERATOR, desk)
            await until(lambda: "JOIN #ops" in plain.heard)
        before = plain.came
        async with running_bouncer(tmp_path, plain):
            assert plain.came == before + 1


async def test_a_policy_counts_from_the_end_of_the_connection(tmp_path: Path) -> None:
    """ "To avoid an early STS policy expiry, clients MUST reschedule the expiry time when closing
    connections." """
    async with (
        two_doors() as (plain, secure, pin),
        running_bouncer(tmp_path, plain, fingerprint=pin) as muster,
    ):
        before = await muster.store.read(accounts.get_meta, "sts 127.0.0.1")
        assert before is not None
        await muster.store.run(accounts.put_meta, "sts 127.0.0.1", "nearly over")
        await secure.streams[-1].aclose()
        await until(lambda: plain.came + secure.came == 3)
        assert (plain.came, secure.came) == (1, 2)
        after = await muster.store.read(accounts.get_meta, "sts 127.0.0.1")
        assert json.loads(after)["until_s"] >= json.loads(before)["until_s"]
