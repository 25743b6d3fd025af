"""Complaints 21, 23, 26 to 28 and 30: serving many, starting, stopping, telling nobody too much."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trio
from trio.testing import memory_stream_pair

from bouncer.connections.outbox import Outbox
from bouncer.figures import figures
from bouncer.hub.attachment import Attachment
from bouncer.tls import contexts as tls
from bouncer.tls import selfsigned
from bouncer.tls.certificates import CertificateFault
from tests.bouncer.session.dialogue import MODERN, Dialogue
from tests.complaints import venue
from tests.complaints.venue import PASSWORD, running_bouncer, running_network, until


def test_c23_replies_go_to_who_asked() -> None:
    """WHOIS, LIST, WHO replies go to every client. Good: routed to who asked."""
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, MODERN)
    for asker, other, question, answers in (
        (1, 2, "WHOIS bob", ("311 me bob b h * :Bob", "318 me bob :End")),
        (2, 1, "LIST", ("322 me #ops 2 :", "323 me :End")),
        (1, 2, "WHO #ops", ("352 me #ops b h irc.test bob H :0 Bob", "315 me #ops :End")),
    ):
        talk.types(asker, question)
        talk.says(*(f":irc.test {answer}" for answer in answers))
        assert len(talk.seen(asker)) == len(answers)
        assert talk.seen(other) == []


async def test_c26_an_upgrade_loses_no_line_and_no_place(tmp_path: Path) -> None:
    """Upgrade drops every connection. Good: state saved, clients resume with the delta; networks
    reconnect politely."""
    async with running_network() as network:
        async with running_bouncer(tmp_path, network) as muster:
            client = await muster.client("alice/net@desk", venue.MODERN)
            await client.says("JOIN #new")
            await until(lambda: muster.session.state.channel("#new"))
            await network.bob("before")
            await client.hears("before")
            await client.says("PING done")
            await client.hears("PONG")
            await muster.term()
            assert "ERROR" in client.lines[-1]
            assert await network.hears("QUIT")
        network.heard.clear()
        async with running_bouncer(tmp_path, network, channels=("#ops", "#new")) as muster:
            assert set((await network.hears("JOIN")).split()[1].split(",")) == {"#ops", "#new"}
            await network.bob("after")
            await until(lambda: muster.session.last_kept_id)
            client = await muster.client("alice/net@desk", venue.MODERN)
            await client.hears("after")
            assert client.texts == ["after"]


async def test_c27_a_slow_client_is_dropped_alone(tmp_path: Path) -> None:
    """A slow client stalls the user (soju's full queue). Good: it alone is dropped."""
    said = [f"{number} " + "x" * 300 for number in range(400)]
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        quick = await muster.client("alice/net@quick", venue.MODERN)
        stuck = Attachment(10_000, Outbox(50_000), lambda _caps: None, name="stuck")
        await muster.hub.attach(stuck, "net", "me", frozenset(venue.MODERN))
        clients = muster.session.clients.by_id
        async with trio.open_nursery() as nursery:  # it reads until it has caught up
            nursery.start_soon(stuck.outbox.drain_into, memory_stream_pair()[0])
            await until(lambda: stuck.id in clients and clients[stuck.id].live)
            nursery.cancel_scope.cancel()
        with trio.fail_after(4):
            for start in range(0, len(said), 50):
                await network.bob(*said[start : start + 50])
            await quick.hears(said[-1])
        assert quick.texts == said
        assert stuck.outbox.closed
        assert b"You read too slowly" in stuck.outbox._parts[-1]
        assert not stuck.delivered_id  # it goes on from where it was
        assert stuck.outbox.waiting < 60_000


async def test_c28_term_ends_it_within_five_seconds(tmp_path: Path) -> None:
    """SIGTERM hangs on a queue (soju with 200 lines queued). Good: stops within 5 s."""
    async with running_network() as network:
        network.ignores_quit = True
        async with running_bouncer(tmp_path, network, rate=0.5) as muster:
            client = await muster.client("alice/net", venue.MODERN)
            stuck = await muster.client("alice/net@stuck", venue.MODERN, reads=False)
            await client.says(*(f"PRIVMSG #ops :line {number}" for number in range(200)))
            await client.hears("line 199")
            assert not stuck.ended
            with trio.fail_after(5):
                await muster.term()
            assert any(line.startswith("QUIT") for line in network.heard)  # and said goodbye


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that is logged, debugging included, as text."""
    lines: list[str] = []

    def note(_logger: object, _method: str, entry: structlog.typing.EventDict) -> str:
        lines.append(repr(entry))
        return ""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Handler()
    known = structlog.get_config()
    processors = known["processors"]
    kept = list(processors)
    processors[:] = [note]  # in place: loggers that are in use hold this list
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        processors[:] = kept
        logging.getLogger().removeHandler(handler)


async def test_c30_no_password_is_logged_or_kept(tmp_path: Path, logged: list[str]) -> None:
    """Password in logs. Good: never."""
    secrets = {
        "own": PASSWORD,
        "mistyped": "mistyped-4711",
        "network": "network-4711",
        "nickserv": "nickserv-4711",
        "oper": "oper-4711",
        "command": "command-4711",
    }
    async with (
        running_network() as network,
        running_bouncer(
            tmp_path,
            network,
            password=secrets["network"],
            connect_commands=(f"PRIVMSG NickServ :IDENTIFY {secrets['command']}",),
        ) as muster,
    ):
        await network.hears(secrets["command"])
        stranger = muster.stranger()
        mistyped = f"PASS alice/net:{secrets['mistyped']}"
        await stranger.says(mistyped, "NICK me", "USER u 0 * :u")
        await until(lambda: any("login refused" in line for line in logged))
        client = await muster.client("alice/net", venue.MODERN)
        await client.says(
            f"PRIVMSG NickServ :IDENTIFY {secrets['nickserv']}",
            f"OPER me {secrets['oper']}",
            f"PASS {secrets['own']}",
        )
        await network.hears(secrets["oper"])
        await muster.vanish(client)
    assert len(logged) >= 3
    text = "\n".join(logged)
    disk = b"".join(path.read_bytes() for path in tmp_path.glob("*.db*"))
    for name, secret in secrets.items():
        assert secret not in text, name
        assert secret.encode() not in disk, name


async def test_c21_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """Certificate reload needs a restart (znc#1215). Good: watched, hot, days-left exported."""
    pair = tmp_path / "irc.pem", tmp_path / "irc.key"
    selfsigned.make(*pair, ["irc.example.net"])
    served = tls.ServerTls(*pair)
    first = served.context(False)
    selfsigned.make(*pair, ["irc.example.net"])
    assert served.on_disk().fingerprint != served.served.fingerprint  # seen by the watch,
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        muster.bouncer.tls = muster.bouncer.renewals.tls = served
        async with trio.open_nursery() as nursery:
            nursery.start_soon(muster.bouncer.renewals.watch)
            await until(lambda: served.on_disk().fingerprint == served.served.fingerprint)
            nursery.cancel_scope.cancel()
        assert served.context(False) is not first  # for the next connection,
        told = await muster.bouncer._operator_says("status")
        assert re.search(r"cert\w* \d+d", " ".join(told)), told
        assert re.search(r"^muster_certificate_left_seconds \d", figures(muster.bouncer), re.M)
    pair[0].write_text("half a certificate")  # and never a half-loaded one
    with pytest.raises(CertificateFault):
        served.reload()
    assert served.served.fingerprint
