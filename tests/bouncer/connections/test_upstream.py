"""A connection to a network, as its session and those who stop it see it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import trio
from trio.testing import MockClock, memory_stream_pair

from bouncer.connections.dial import ServerAddress
from bouncer.connections.send_queue import BURST_LINES
from bouncer.connections.supervise import Gate
from bouncer.connections.upstream import Upstream
from bouncer.irc.wire import Message
from bouncer.session.effects import WantsTls
from bouncer.session.events import Connected, Event, Lost
from bouncer.tls.policies import Policies
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue

NET = Network(1, "net", "ircs://127.0.0.1", id=1, nick="me")


class SlowPolicies:
    """The store takes its time to keep them."""

    def applied(self, address: ServerAddress) -> ServerAddress:
        return address

    async def keep(self, *_: object) -> None:
        await trio.sleep(1)


async def test_what_was_stopped_tells_of_no_end(autojump_clock: MockClock) -> None:
    """Who stopped it has told so, and its session may have another connection already."""
    told: list[Event] = []

    async def post(event: Event) -> None:
        told.append(event)

    async def dial(*_: object, **__: object) -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        nursery.start_soon(hang_up_on_quit, theirs)
        return ours

    async def hang_up_on_quit(stream: trio.abc.Stream) -> None:
        while b"QUIT" not in await stream.receive_some():
            pass
        await stream.aclose()

    upstream = Upstream(
        Dialogue([], NET).session,
        post,
        lambda _: None,
        gate=Gate(0),
        default_rate=0,
        dial=dial,
        policies=cast(Policies, SlowPolicies()),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.run)
        await trio.testing.wait_all_tasks_blocked()
        await upstream.wants_tls(WantsTls(duration_s=5))
        await upstream.stop("The network was changed")
        await trio.sleep(5)
    assert autojump_clock.current_time() > 5
    assert told == [Connected(tls=True)]


async def test_what_waited_for_its_turn_is_counted_at_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[Event] = []
    servers: list[trio.abc.Stream] = []

    async def post(event: Event) -> None:
        told.append(event)

    async def dial(*_: object, **__: object) -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        servers.append(theirs)
        return ours

    upstream = Upstream(
        Dialogue([], replace(NET, rate=0.5)).session,
        post,
        lambda _: None,
        gate=Gate(0),
        default_rate=0,
        dial=dial,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.run)
        await trio.testing.wait_all_tasks_blocked()
        said = [Message("PRIVMSG", ("#c", str(number))) for number in range(BURST_LINES + 2)]
        assert upstream.put([*said, Message("WHO", ("#c",))]) == []
        await trio.testing.wait_all_tasks_blocked()
        await servers[0].aclose()
        await trio.sleep(1)
        assert autojump_clock.current_time() == 1, "not the time for another line"
        nursery.cancel_scope.cancel()
    (lost,) = (event for event in told if isinstance(event, Lost))
    assert lost.unsent == 2
