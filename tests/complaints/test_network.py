"""Complaints 11 to 20, 22, 24, 25 and 29: getting onto a network, and staying there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock, memory_stream_pair

from bouncer.connections import identd
from bouncer.connections.bucket import Bucket
from bouncer.connections.dial import DialError
from bouncer.connections.identd import Idents
from bouncer.connections.send_queue import BURST_LINES, SendQueue
from bouncer.connections.supervise import (
    FIRST_RETRY_S,
    GHOST_S,
    LONGEST_RETRY_S,
    Ending,
    Gate,
    Patience,
)
from bouncer.connections.upstream import REGISTRATION_S, Upstream
from bouncer.irc.wire import Message
from bouncer.session.effects import DropNetwork
from bouncer.session.events import Connected, Event, Lost, Tick
from bouncer.session.places import REFUSED_MS
from bouncer.session.services import LONGEST_HOLD_MS
from bouncer.session.session import DEAD_MS, QUIET_MS
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue, texts
from tests.bouncer.test_restart import Bouncer, StrictNetwork
from tests.complaints.venue import MODERN, running_bouncer, running_network, until

NET = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me")
WELCOME = (
    ":irc.test 001 me :Welcome me!user@host",
    ":irc.test 005 me CHANTYPES=# :are supported by this server",
    ":irc.test 422 me :no MOTD",
)


def on_mock_time(scene: Callable[[], object]) -> None:
    trio.run(scene, clock=MockClock(autojump_threshold=0))  # type: ignore[arg-type]


def pass_time(talk: Dialogue, ms: int) -> list[str]:
    """Second by second, the network answering PINGs; what it has heard."""
    heard: list[str] = []
    for _ in range(ms // 1_000):
        talk.now_ms += 1_000
        talk.event(Tick())
        talk.says(":irc.test PONG irc.test muster")
        heard += [line for line in talk.heard() if not line.startswith("PING")]
    return heard


def drops(talk: Dialogue) -> list[DropNetwork]:
    return [other for other in talk.others if isinstance(other, DropNetwork)]


def test_c11_a_hundred_channels_are_no_flood() -> None:
    """Excess flood on autojoin (thelounge PR#434). Good: JOINs batched within 512 bytes under the
    bucket."""
    talk = Dialogue([f"#channel-{number:03}" for number in range(100)], NET)
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :")
    talk.heard()
    talk.says(*WELCOME)
    joins = [line for line in talk.up if line.startswith("JOIN")]
    assert sum(line.count("#") for line in joins) == 100
    assert len(joins) <= 4
    assert all(len(f"{line}\r\n".encode()) <= 512 for line in joins)

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(0.5, BURST_LINES))
        queue.put([Message("JOIN", (f"#channel-{number}",)) for number in range(50)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            await trio.sleep(1)
            at_once = bytes(await theirs.receive_some()).count(b"\r\n")
            assert at_once == BURST_LINES
            nursery.cancel_scope.cancel()

    on_mock_time(scene)


def test_c12_a_client_that_rejoins_everything_is_answered_from_state() -> None:
    """Client re-joins all through the bouncer (hexchat#322). Good: swallowed and answered from
    state."""
    talk = Dialogue(["#ops", "#dev"])
    talk.connect()
    seen = talk.attach(1, ())
    talk.types(1, "JOIN #ops,#dev")
    assert talk.heard() == []
    told = talk.seen(1)
    assert ":muster.test 366 me #dev :End of /NAMES list" in told
    assert [line for line in [*seen, *told] if " JOIN " in line] == [
        ":me!user@host JOIN #ops",
        ":me!user@host JOIN #dev",
    ], "each once, or the client would show it twice"


def test_c13_a_company_is_not_banned_for_its_restart() -> None:
    """A company's instance K-lined after an update: 10 connects in 33 s (thelounge#4587). Good:
    gate per (source, network), jitter."""

    async def scene() -> None:
        network = StrictNetwork()
        async with trio.open_nursery() as nursery:

            async def dial(*_: object, **__: object) -> trio.abc.Stream:
                ours, theirs = memory_stream_pair()
                nursery.start_soon(network.serve, theirs)
                return ours

            bouncer = Bouncer(15, Gate(10))
            nursery.start_soon(partial(bouncer.run, dial=dial))
            with trio.fail_after(120):
                await bouncer.all_up()
            assert not network.banned
            nursery.cancel_scope.cancel()

    on_mock_time(scene)
    others = Gate(1, burst=1)
    assert [others.delay((source, "irc.test"), 0.0) for source in ("a", "b")] == [0.0, 0.0]
    assert len({Patience().after(Ending("closed"), 1.0) for _ in range(20)}) > 10


def test_c14_a_ghost_gets_its_time_and_the_nick_comes_back() -> None:
    """Reconnect before the ghost is reaped: 433 then ban (turborg PR#112). Good: a 20 s floor after
    a session that ended without FIN, RST or ERROR; suffix; regain."""
    talk = Dialogue([], NET)
    talk.connect()
    talk.passes(DEAD_MS)
    (drop,) = drops(talk)
    assert drop.silent
    patience = Patience(jitter=lambda: 0.0)
    assert patience.after(Ending(drop.reason, silent=drop.silent), 300.0) == GHOST_S >= 20
    assert (patience.after(Ending("Connection reset by peer"), 300.0) or 99) <= FIRST_RETRY_S

    talk.event(Lost(drop.reason))
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :")
    talk.heard()
    talk.says(":irc.test 433 * me :Nickname is already in use")
    assert talk.heard() == ["NICK me_"]
    talk.says(*(line.replace(" me ", " me_ ") for line in WELCOME))
    talk.heard()
    talk.says(":me!user@host QUIT :Ping timeout: 240 seconds")
    assert talk.heard() == ["NICK me"]


def test_c15_it_never_gives_up_on_a_network_and_stops_for_bad_credentials() -> None:
    """Gives up reconnecting (thelounge#4874). Good: never on network errors; stops on bad
    credentials and says so."""
    patience = Patience()
    for _ in range(500):
        delay = patience.after(Ending("No route to host"), 0.1)
        assert delay is not None
        assert delay <= LONGEST_RETRY_S
    talk = Dialogue([], NET)
    talk.attach(1, ())
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :", ":irc.test 464 me :Password incorrect")
    (drop,) = drops(talk)[:1]
    assert drop.permanent
    assert patience.after(Ending(drop.reason, permanent=True), 0.1) is None
    talk.event(Lost(drop.reason, refused=True, retry_s=None))
    assert any("Password incorrect" in text for text in texts(talk.seen(1)))


def test_c16_a_dead_network_is_noticed() -> None:
    """Dead upstream not noticed (thelounge#255). Good: own PING; time limit on registration."""
    talk = Dialogue([], NET)
    talk.connect()
    talk.heard()
    talk.passes(QUIET_MS)
    assert talk.heard() == ["PING muster"]
    talk.passes(DEAD_MS - QUIET_MS)
    assert drops(talk)

    async def scene() -> None:
        dialled = 0

        async def dial(*_: object, **__: object) -> trio.abc.Stream:
            nonlocal dialled
            dialled += 1
            return memory_stream_pair()[0]  # a server that takes the connection and says nothing

        upstream = upstream_of(dial)
        with trio.move_on_after(REGISTRATION_S + LONGEST_RETRY_S):
            await upstream.run()
        assert dialled > 1

    on_mock_time(scene)


def upstream_of(dial: Callable[..., object]) -> Upstream:
    session = Dialogue([], NET).session
    return Upstream(session, nothing, at_once, gate=Gate(0), default_rate=0, dial=dial)  # type: ignore[arg-type]


def test_c17_required_login_and_services_down() -> None:
    """SASL required + services down -> network disabled (znc#1918). Good: fail closed, retry."""
    login = replace(NET, sasl_mechanism="PLAIN", sasl_login="alice", sasl_password="hunter2")
    for answers in (
        (":irc.test CAP * LS :multi-prefix",),  # services are split off: no SASL is offered
        (
            ":irc.test CAP * LS :sasl=PLAIN",
            ":irc.test CAP * ACK :sasl",
            ":irc.test 904 me :SASL authentication failed",  # before the password was asked for
        ),
    ):
        talk = Dialogue([], replace(login, sasl_required=True))
        talk.event(Connected(tls=True))
        talk.says(*answers, *WELCOME)
        assert not talk.session.ready  # closed,
        drop = drops(talk)[0]
        assert not drop.permanent
        assert Patience().after(Ending(drop.reason), 1.0) is not None  # and tried again


def test_c18_the_nick_is_regained_and_the_tries_are_hidden() -> None:
    """Stuck on `nick_` after a split (grappa-irc#1541). Good: regain; hide our own 437s
    (solanum#248)."""
    talk = Dialogue([], NET)
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :", ":irc.test 433 * me :Nickname is already in use")
    talk.says(
        ":irc.test 001 me_ :Welcome me_!user@host",
        ":irc.test 005 me_ CHANTYPES=# MONITOR=100 :are supported by this server",
        ":irc.test 422 me_ :no MOTD",
    )
    talk.attach(1, ())
    talk.heard()
    talk.says(":irc.test 311 me_ me x y * :X", ":irc.test 318 me_ me :End of WHOIS")
    talk.types(1, "WHOIS bob")
    talk.says(":irc.test 318 me_ bob :End of WHOIS")
    assert talk.seen(1) == [":irc.test 318 me_ bob :End of WHOIS"]
    talk.heard()
    talk.says(":irc.test 731 me_ :me")
    assert talk.heard() == ["NICK me"]
    talk.says(":irc.test 437 me_ me :Nick/channel is temporarily unavailable")
    assert talk.seen(1) == []
    assert "NICK me" in pass_time(talk, 60_000)
    talk.says(":me_!user@host NICK me")
    assert talk.seen(1) == [":me_!user@host NICK me"]


def test_c19_channels_wait_for_the_login() -> None:
    """Joins before identified, host leaked, +r bounce (irssi#595). Good: hold JOIN until 900 or a
    bounded delay."""
    known = replace(NET, sasl_login="alice", sasl_password="hunter2")
    for logged_in in (True, False):
        talk = Dialogue(["#ops"], known)
        talk.event(Connected(tls=False))
        talk.says(":irc.test CAP * LS :")
        talk.heard()
        talk.says(*WELCOME)
        assert talk.heard() == ["PRIVMSG NickServ :IDENTIFY alice hunter2"]
        assert pass_time(talk, 3_000) == []
        if logged_in:
            talk.says(":irc.test 900 me me!user@host alice :You are now logged in as alice")
            assert talk.heard() == ["JOIN #ops"]
        else:
            assert pass_time(talk, LONGEST_HOLD_MS) == ["JOIN #ops"]


def test_c20_a_channel_that_would_not_have_us_is_tried_again() -> None:
    """Rejoin failed after a split, silently outside (sopel#1335). Good: reconciliation."""
    talk = Dialogue(["#ops"], NET)
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :")
    talk.says(*WELCOME)
    talk.heard()
    talk.attach(1, ())
    talk.says(":irc.test 473 me #ops :Cannot join channel (+i)")
    assert "#ops cannot be joined" in texts(talk.seen(1))[-1]  # not silently
    assert "JOIN #ops" in pass_time(talk, REFUSED_MS + 10_000)
    talk.joined("#ops")
    talk.says(":bob!b@h KICK #ops me :out")
    assert "JOIN #ops" in pass_time(talk, 80_000)


async def test_c22_a_shared_address_tells_whose_connection_it_is() -> None:
    """Ident on shared addresses (znc#1778). Good: identd."""
    idents = Idents()
    async with running_network() as network, trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(identd.serve, listeners, idents)
        for ident in ("alice", "bob"):
            net = replace(NET, uri=network.uri, ident=ident)
            session = Dialogue([], net).session
            upstream = Upstream(
                session, nothing, at_once, gate=Gate(0), default_rate=0, idents=idents
            )
            nursery.start_soon(upstream.run)
        await until(lambda: len(network.streams) == 2)
        told = []
        for stream in network.streams:
            ours, theirs = stream.socket.getpeername()[1], stream.socket.getsockname()[1]
            question = await trio.open_tcp_stream("127.0.0.1", port)
            async with question:
                await question.send_all(f"{ours}, {theirs}\r\n".encode())
                told.append(bytes(await question.receive_some()).decode().strip())
        assert sorted(line.rpartition(" : ")[2] for line in told) == ["alice", "bob"]
        assert all(" : USERID : UNIX : " in line for line in told)  # RFC 1413 section 4
        nursery.cancel_scope.cancel()


async def nothing(_event: Event) -> None:
    """A hub that asks nothing of the session."""


def test_c24_one_unknown_capability_costs_only_itself() -> None:
    """One unknown cap NAKs the whole REQ. Good: retried one by one."""
    talk = Dialogue([], NET)
    talk.event(Connected(tls=False))
    talk.heard()
    talk.says(":irc.test CAP * LS :batch server-time setname")
    (request,) = talk.heard()
    talk.says(request.replace("CAP REQ", ":irc.test CAP * NAK"))
    assert talk.heard() == ["CAP REQ batch", "CAP REQ server-time", "CAP REQ setname"]
    talk.says(
        ":irc.test CAP * ACK :batch",
        ":irc.test CAP * ACK :server-time",
        ":irc.test CAP * NAK :setname",
    )
    assert talk.heard() == ["CAP END"]
    assert set(talk.session.upstream_caps) == {"batch", "server-time"}


async def test_c25_what_is_not_utf8_is_read_line_by_line(tmp_path: Path) -> None:
    """Not UTF-8 (thelounge#2299). Good: UTF-8, else Latin-1 per line; bytes split before
    decoding."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", MODERN)
        old = ":bob!b@h PRIVMSG #ops :café\r\n".encode("latin-1")
        new = ":bob!b@h PRIVMSG #ops :naïve\r\n".encode()
        split = ":bob!b@h PRIVMSG #ops :日本\r\n".encode()
        await network.says_octets(old + new + split[:-4])  # inside a character
        await client.hears("naïve")
        await network.says_octets(split[-4:])
        await client.hears("日本")
        assert client.texts == ["café", "naïve", "日本"]


def test_c29_a_network_that_was_away_for_a_moment_is_back_in_seconds() -> None:
    """Late network: 108 s until connected after 3 s of absence (soju). Good: first retry within
    2 s, then backoff."""

    async def scene() -> None:
        tries: list[float] = []

        async def dial(*_: object, **__: object) -> trio.abc.Stream:
            tries.append(trio.current_time() - begun)
            if tries[-1] < 3:
                raise DialError("Connection refused")
            connected.set()
            return memory_stream_pair()[0]

        begun, connected = trio.current_time(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upstream_of(dial).run)
            await connected.wait()
            nursery.cancel_scope.cancel()
        assert tries[1] <= 2.0
        assert tries[-1] <= 7.0

    on_mock_time(scene)


def at_once(_event: Event) -> None:
    """The same, as `hand`."""
