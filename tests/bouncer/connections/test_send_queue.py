"""What waits for a network leaves at its pace, and a message of several lines at once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from bouncer.connections.bucket import Bucket
from bouncer.connections.send_queue import BURST_LINES, QUEUE_LINES, SendQueue
from bouncer.irc.wire import Message
from bouncer.session.session import PROBE

LINES = 40


def test_nothing_comes_between_the_lines_of_one_message() -> None:
    """multiline: "Clients MUST NOT send messages other than PRIVMSG while a multiline batch is
    open." What it cost is owed: the next line waits for as long as if each had waited."""

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(1.0, burst=2))
        queue.put([Message("PRIVMSG", ("#c", "a\nb\rc\nd")), Message("PRIVMSG", ("#c", "next"))])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            await trio.sleep(0.5)
            queue.put([Message("PONG", ("x",))])
            await trio.sleep(0.5)
            assert bytes(await theirs.receive_some()).decode().split("\r\n") == [
                "BATCH +m draft/multiline #c",
                "@batch=m PRIVMSG #c a",
                "@batch=m PRIVMSG #c b",
                "@batch=m;draft/multiline-concat PRIVMSG #c c",
                "@batch=m PRIVMSG #c d",
                "BATCH -m",
                "PONG x",
                "",
            ]
            await theirs.receive_some()
            assert 4.5 <= trio.current_time() - begun <= 6.5  # six lines, two of them at once
            nursery.cancel_scope.cancel()

    clock = MockClock(autojump_threshold=0)
    begun = clock.current_time()
    trio.run(scene, clock=clock)


@pytest.mark.parametrize(("octets", "at_most_s"), [(20, 2.1), (380, 5.5), (480, 6.5)])
def test_lines_are_sent_as_slowly_as_servers_read_them(octets: int, at_most_s: float) -> None:
    """RFC 1459, 8.10: "while the timer is less than ten seconds ahead of the current time, parse
    any present messages and penalize the client by 2 seconds for each message". ircu (u2.10.12.10)
    adds a second for each 120 octets; where it then finds more than 1,024 octets, irc2 1,000, that
    it has not parsed, it says:

    ERROR :Closing Link: erin by iu1.example.net (Excess Flood)
    """

    async def server_reads(stream: trio.abc.ReceiveStream) -> None:
        read_up_to = trio.current_time()
        unread: list[int] = []
        came = 0
        while came < LINES:
            with trio.move_on_after(0.1):
                lines = bytes(await stream.receive_some()).splitlines(keepends=True)
                came += len(lines)
                unread.extend(map(len, lines))
                assert sum(unread) <= 1_000, "Excess Flood"
            read_up_to = max(read_up_to, trio.current_time())
            while unread and read_up_to < trio.current_time() + 10:
                read_up_to += 2 + unread.pop(0) // 120

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(0.5, BURST_LINES))
        queue.put([Message("PRIVMSG", ("#perin", "x" * octets))] * LINES)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            await server_reads(theirs)
            nursery.cancel_scope.cancel()
        assert clock.current_time() - begun < LINES * at_most_s

    clock = MockClock(autojump_threshold=0)
    begun = clock.current_time()
    trio.run(scene, clock=clock)


def test_the_ping_behind_a_labelled_command_stays_there() -> None:
    """It ends the answer: what comes before its PONG is for the label. Before a real ircd-hybrid
    the answers to four commands came before the first PONG."""

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(0, burst=1))
        for lines in (["WHO #a", "PING e1"], ["KICK #a b", "PING e2"], ["KILL c x", "PING e3"]):
            queue.put([Message.parse(line) for line in lines])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            sent = bytes(await theirs.receive_some()).decode().split("\r\n")
            assert sent[:4] == ["KICK #a b", "PING e2", "KILL c x", "PING e3"]
            assert sent[4:6] == ["WHO #a", "PING e1"]
            nursery.cancel_scope.cancel()

    trio.run(scene, clock=MockClock(autojump_threshold=0))


def test_a_probe_does_not_wait_behind_what_is_paced() -> None:
    """A paste of minutes into a silent channel: a network is dropped that was asked too late."""

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(0.5, burst=1))
        queue.put([Message("PRIVMSG", ("#c", str(number))) for number in range(100)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            assert bytes(await theirs.receive_some()) == b"PRIVMSG #c 0\r\n"
            queue.put([PROBE])
            assert bytes(await theirs.receive_some()) == b"PING muster\r\n"
            nursery.cancel_scope.cancel()

    trio.run(scene, clock=MockClock(autojump_threshold=0))


def test_a_network_that_pings_and_does_not_read_fills_no_memory() -> None:
    queue = SendQueue(Bucket(0.5, burst=1))
    pongs = [Message("PONG", (str(number),)) for number in range(QUEUE_LINES + 5)]
    assert queue.put(pongs) == pongs[QUEUE_LINES:]


async def test_no_line_is_longer_than_the_network_allows() -> None:
    """RFC 1459 section 2.3: "shall not exceed 512 characters [...] including the trailing CR-LF";
    some servers end the connection of who sends more. Tags have a room of their own."""
    ours, theirs = memory_stream_pair()
    queue = SendQueue(Bucket(0.0, burst=2), longest=lambda: 512)
    tags = f"+x={'t' * 600}"
    queue.put([Message("TOPIC", ("#ops", "ü" * 400), "", tags), Message("AWAY", ("a" * 600,))])
    queue.put([Message("AWAY", ("b",))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.drain_into, ours)
        with trio.fail_after(5):
            data = b""
            while data.count(b"\r\n") < 3:
                data += await theirs.receive_some()
        nursery.cancel_scope.cancel()
    topic, away, short, _ = data.decode().split("\r\n")
    assert topic == f"@{tags} TOPIC #ops {'ü' * ((510 - len('TOPIC #ops ')) // 2)}"
    assert away == f"AWAY {'a' * 505}"
    assert short == "AWAY b"


def test_what_people_do_goes_before_what_their_clients_ask() -> None:
    """A client of many channels asks about each as it attaches, hundreds of lines at one per two
    seconds: who speaks then is heard at once. Neither loses its order."""

    async def scene() -> None:
        ours, theirs = memory_stream_pair()
        queue = SendQueue(Bucket(1.0, burst=2))
        asked = ("WHO #c", "MODE #c", "MODE #c b", "MODE #c +e", "PING muster-end-1", "NAMES #c")
        done = ("JOIN #d", "PRIVMSG #d hi", "MODE #d +b x!*@*", "MODE #d +i")
        queue.put([Message.parse(line) for line in (*asked, *done)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.drain_into, ours)
            await trio.sleep(60)
            heard = bytes(await theirs.receive_some()).decode().split("\r\n")
            assert heard == [*done, *asked, ""]
            nursery.cancel_scope.cancel()

    trio.run(scene, clock=MockClock(autojump_threshold=0))
