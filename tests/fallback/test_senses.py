"""Pulse, landmarks and probes: what a voter sees, with real sockets where there are any."""

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import pytest
import trio
import trio.testing
import trustme

from bouncer.config import Address
from bouncer.connections.dial import ServerAddress
from fallback.config import Landmark
from fallback.senses.landmarks import (
    ANSWER_S,
    APART_S,
    BURST_S,
    CALM_S,
    UNHELD_S,
    Landmarks,
    ask_clock,
    ask_dns,
    ask_ntp,
    asker,
)
from fallback.senses.probes import (
    CERTIFICATE_FRESH_S,
    TCP_EVERY_S,
    Probes,
    refused,
    served_certificate,
)
from fallback.senses.selfcheck import Pulse
from fallback.watch import SelfCheck
from tests.fallback.voters import until


class Clocks:
    """Monotonic, boottime and wall, moved by the test."""

    def __init__(self) -> None:
        self.now = [100.0, 200.0, 1_700_000_000.0]

    def __call__(self) -> tuple[float, float, float]:
        mono, boot, wall = self.now
        return mono, boot, wall

    def move(self, mono: float, boot: float, wall: float) -> None:
        self.now = [self.now[0] + mono, self.now[1] + boot, self.now[2] + wall]


@pytest.mark.parametrize(
    ("mono", "boot", "wall", "gap"),
    [
        (0.5, 0.5, 0.5, 0.0),
        (3.0, 3.0, 3.0, 3.0),  # SIGSTOP
        (0.5, 40.0, 40.0, 40.0),  # the machine was suspended
        (0.5, 0.5, 90.0, 90.0),  # the virtual machine was frozen
        (0.5, 0.5, -90.0, 0.0),  # the wall clock was set back
        (2.0, 2.0, 2.0, 0.0),  # "no gap > 2 s"
    ],
)
def test_a_stall_is_the_largest_of_three_deltas(
    mono: float, boot: float, wall: float, gap: float
) -> None:
    clocks = Clocks()
    pulse = Pulse(2.0, clocks)
    clocks.move(mono, boot, wall)
    assert pulse.beat() == pytest.approx(gap)
    assert pulse.beat() == 0.0, "a stall is told once"


def test_the_voter_s_clock_never_jumps_with_the_wall() -> None:
    clocks = Clocks()
    pulse = Pulse(2.0, clocks)
    start = pulse.now()
    clocks.move(1.0, 1.0, 3600.0)
    assert pulse.now() == pytest.approx(start + 1.0)
    assert pulse.wall_drift_s == pytest.approx(3599.0)


# -- landmarks ----------------------------------------------------------------------------------


async def udp_server(
    answer: Callable[[bytes], bytes], *, task_status: trio.TaskStatus[Address]
) -> None:
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        task_status.started(Address("127.0.0.1", sock.getsockname()[1]))
        while True:
            data, where = await sock.recvfrom(1500)
            await sock.sendto(b"stranger", where)  # not the answer: it has to wait on
            await sock.sendto(answer(data), where)


def dns_answer(query: bytes) -> bytes:
    """RFC 1035 section 4.1.1: the id is copied into the reply, QR is set."""
    return query[:2] + b"\x81\x80" + query[4:]


def ntp_answer(query: bytes) -> bytes:
    """RFC 5905 section 7.3: origin is the client's transmit timestamp."""
    now = time.time() + 2_208_988_800 + 30  # this server's clock is 30 s ahead
    stamp = struct.pack("!II", int(now), 0)
    return b"\x24" + bytes(23) + query[40:48] + stamp + stamp


@pytest.mark.parametrize(("ask", "answer"), [(ask_dns, dns_answer), (ask_ntp, ntp_answer)])
async def test_a_landmark_s_own_answer_counts(
    ask: Callable[[Address], Awaitable[bool]],
    answer: Callable[[bytes], bytes],
    nursery: trio.Nursery,
) -> None:
    address: Address = await nursery.start(udp_server, answer)
    with trio.fail_after(ANSWER_S):
        assert await ask(address)


@pytest.mark.parametrize("ask", [ask_dns, ask_ntp])
async def test_another_s_answer_does_not_count(
    ask: Callable[[Address], Awaitable[bool]], nursery: trio.Nursery
) -> None:
    queries: list[bytes] = []
    said: list[bool] = []

    def answer(query: bytes) -> bytes:
        queries.append(query)
        return bytes(48)

    async def asks() -> None:
        said.append(await ask(address))

    address: Address = await nursery.start(udp_server, answer)
    nursery.start_soon(asks)
    await until(lambda: queries)
    await trio.testing.wait_all_tasks_blocked(0.05)  # the answer is on loopback, and so there
    assert said == []
    nursery.cancel_scope.cancel()


async def test_the_clock_is_compared_with_a_time_server(nursery: trio.Nursery) -> None:
    address: Address = await nursery.start(udp_server, ntp_answer)
    with trio.fail_after(ANSWER_S):
        assert await ask_clock(address) == pytest.approx(-30, abs=2)


async def test_a_silent_landmark_is_not_fresh(nursery: trio.Nursery) -> None:
    address: Address = await nursery.start(udp_server, dns_answer)
    told: list[SelfCheck] = []
    places = [
        Landmark(kind="dns", address=address),
        Landmark(kind="tcp", address=Address("127.0.0.1", 1)),
    ]
    landmarks = Landmarks(places, trio.current_time, fresh_s=5.0, needed=1, changed=told.append)
    nursery.start_soon(landmarks.run)
    await until(lambda: told and told[-1] == SelfCheck(1, 2))


async def test_in_a_burst_fresh_means_five_seconds() -> None:
    now = 1000.0
    landmarks = Landmarks([], lambda: now, fresh_s=5.0, needed=1, changed=lambda _: None)
    landmarks.heard_at = {"a": 980.0, "b": 900.0}
    assert landmarks.state() == SelfCheck(1, 2), "in peacetime they are asked every 30 s"
    landmarks.burst()
    now = 1003.0
    assert landmarks.state() == SelfCheck(1, 2), "unanswered yet, it counts as before"
    now = 1005.0
    assert landmarks.state() == SelfCheck(0, 2)
    landmarks.heard_at["b"] = 1004.0
    assert landmarks.state() == SelfCheck(1, 2)


async def test_after_a_burst_nobody_is_asked_without_pause(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    asked: list[float] = []

    async def ping() -> bool:
        asked.append(trio.current_time())
        await trio.sleep(0.01)
        return True

    landmarks = Landmarks(
        [], trio.current_time, fresh_s=5.0, needed=1, changed=lambda _: None, irc={"pub": ping}
    )
    nursery.start_soon(landmarks.run)
    await trio.sleep(0.5)
    landmarks.burst()
    await trio.sleep(BURST_S * 3)
    landmarks.calm()
    asked.clear()
    await trio.sleep(CALM_S)
    assert len(asked) <= 2
    landmarks.burst()
    again_at = autojump_clock.current_time()
    await trio.sleep(BURST_S * 2)
    assert len([at for at in asked if at >= again_at]) >= 2, "the next burst begins at once"


@pytest.mark.parametrize(("needed", "of"), [(1, 1), (2, 2)])
async def test_a_network_that_is_long_gone_is_no_landmark(
    needed: int, of: int, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """ "PING on the IRC connections it holds anyway"; solo: "all landmarks fresh"."""
    held = {"pub": True, "gone": False}

    async def ping(name: str) -> bool:
        if not held[name]:
            raise OSError("not connected")
        return True

    asks = {name: partial(ping, name) for name in held}
    now = autojump_clock.current_time
    landmarks = Landmarks([], now, fresh_s=5.0, needed=needed, changed=lambda _: None, irc=asks)
    nursery.start_soon(landmarks.run)
    await trio.sleep(UNHELD_S - 5)
    assert landmarks.state() == SelfCheck(1, 2), "our own line may have cut it"
    await trio.sleep(10)
    assert landmarks.state() == SelfCheck(1, of)
    held["gone"] = True
    await trio.sleep(CALM_S)
    assert landmarks.state() == SelfCheck(2, 2)


async def test_a_network_that_throws_us_out_each_time_is_none_either(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """It registers us, and closes before it answers our PING: such as a ban by a services' bot."""
    rounds = 0

    async def ping() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds % 2:
            raise OSError("not connected")
        await trio.sleep_forever()
        return True

    async def good() -> bool:
        return True

    asks = {"pub": good, "throws": ping}
    now = autojump_clock.current_time
    landmarks = Landmarks([], now, fresh_s=5.0, needed=1, changed=lambda _: None, irc=asks)
    nursery.start_soon(landmarks.run)
    await trio.sleep(UNHELD_S + 5)
    assert rounds > 100
    assert landmarks.state() == SelfCheck(1, 1)


@pytest.mark.parametrize(("before_s", "of"), [(APART_S + 10, 1), (APART_S - 10, 2), (-5, 2)])
async def test_a_network_lost_well_before_the_silence_was_not_cut_with_the_primary(
    before_s: float, of: int, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """Solo: "own verdict for 60 s, all landmarks fresh", of "the IRC connections it holds"."""
    now = autojump_clock.current_time
    begins_at = 1000.0

    async def good() -> bool:
        return True

    async def lost() -> bool:
        if now() >= begins_at - before_s:
            raise OSError("not connected")
        return True

    asks = {"pub": good, "lost": lost}
    landmarks = Landmarks([], now, fresh_s=5.0, needed=1, changed=lambda _: None, irc=asks)
    nursery.start_soon(landmarks.run)
    await trio.sleep_until(begins_at)
    landmarks.burst()
    await trio.sleep(60)
    assert landmarks.state() == SelfCheck(1, of)
    await trio.sleep(UNHELD_S)
    assert landmarks.state() == SelfCheck(1, 1), "nor does it keep a lone agent silent for ever"


def test_every_kind_of_landmark_can_be_asked() -> None:
    for kind in ("dns", "ntp", "tcp"):
        assert asker(Landmark(kind=kind, address=Address("192.0.2.1", 53)))  # type: ignore[arg-type]


# -- probes -------------------------------------------------------------------------------------


async def greets(stream: trio.abc.Stream) -> None:
    """A bouncer that answers CAP LS and PING before registration."""
    data = b""
    while b"PING" not in data:
        data += bytes(await stream.receive_some(1000))
    assert data.startswith(b"CAP LS 302\r\n")
    await stream.send_all(b":b CAP * LS :sasl\r\n:b PONG b :muster\r\n")
    await stream.receive_some(1000)


async def test_an_answer_before_registration_is_seen_and_the_certificate_s_end(
    nursery: trio.Nursery,
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def serve(tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, context, server_side=True, https_compatible=True)
        try:
            await greets(stream)
        except (trio.BrokenResourceError, AssertionError):
            return
        finally:
            await trio.aclose_forcefully(stream)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, [listener])
    address = ServerAddress("127.0.0.1", listener.socket.getsockname()[1], True)
    answered: list[float] = []
    probes = Probes([address], trio.current_time, answered.append)
    nursery.start_soon(probes.run)
    with trio.fail_after(5):
        await until(lambda: probes.seen[address].greeted_at > 0)
        assert await served_certificate(address) == probes.certificate_ends
    assert answered


async def test_a_refusal_is_an_answer_too(nursery: trio.Nursery) -> None:
    """FALLBACK: class B is "TCP accept or refusal"."""
    answered: list[float] = []
    probes = Probes([ServerAddress("127.0.0.1", 1, False)], trio.current_time, answered.append)
    nursery.start_soon(probes.run)
    await until(lambda: answered)


def test_only_a_refusal_is_one() -> None:
    assert refused(ConnectionRefusedError())
    assert not refused(TimeoutError())
    assert not refused(OSError("no route"))


async def test_a_burst_is_two_connects_a_second(nursery: trio.Nursery) -> None:
    connects: list[float] = []

    async def count(stream: trio.SocketStream) -> None:
        connects.append(trio.current_time())
        await trio.aclose_forcefully(stream)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, count, [listener])
    address = ServerAddress("127.0.0.1", listener.socket.getsockname()[1], False)
    probes = Probes([address], trio.current_time, lambda _at: None)
    nursery.start_soon(probes.run)
    await until(lambda: len(connects) == 2)  # a connect, and one that greets
    probes.burst()
    await until(lambda: len(connects) == 8, within_s=2 * TCP_EVERY_S)
    assert connects[-1] - connects[2] > 2.0, "no more often, on a busy machine too"


async def test_a_burst_begins_at_once_whatever_was_calmed_before(nursery: trio.Nursery) -> None:
    """A stall in peacetime calms what is calm; whoever sleeps then must still be woken."""
    answered: list[float] = []
    probes = Probes([ServerAddress("127.0.0.1", 1, False)], trio.current_time, answered.append)
    nursery.start_soon(probes.run)
    await until(lambda: answered)
    await trio.testing.wait_all_tasks_blocked()
    probes.calm()
    probes.burst()
    with trio.fail_after(TCP_EVERY_S / 2):
        await until(lambda: len(answered) >= 3)


def test_a_certificate_that_nobody_serves_any_more_does_not_end() -> None:
    """FALLBACK: "CERT (up, certificate expired; never "down")"."""
    now = 1000.0
    one, other = (ServerAddress("127.0.0.1", port, True) for port in (1, 2))
    probes = Probes([one, other], lambda: now, lambda _at: None)
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    probes.seen[one].certificate_ends, probes.seen[one].certificate_at = old, now
    probes.seen[other].certificate_ends, probes.seen[other].certificate_at = new, now
    assert probes.certificate_ends == old
    now += CERTIFICATE_FRESH_S
    probes.seen[other].certificate_at = now
    assert probes.certificate_ends == old
    now += 1
    assert probes.certificate_ends == new
