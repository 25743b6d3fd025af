"""What goes to a network, at the pace that it takes: people first, then what their programs ask."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import trio

from bouncer.connections.bucket import Bucket
from bouncer.connections.wire_log import Tap, closed_tap
from bouncer.irc.multiline import batch_of, is_packed
from bouncer.irc.wire import MAX_LINE, Message, encode_all
from bouncer.session.dialect import CHAT
from bouncer.session.replies import only_asks
from bouncer.session.session import PROBE

QUEUE_LINES = 2_000  # that wait for the rate limit, or are urgent; full: clients are told
BURST_LINES = 10  # sent at once before the rate limit bites
# What clients ask by themselves of each channel as they attach: it waits for what people do.
ASKED = frozenset({"ISON", "NAMES", "USERHOST", "WHO"})
URGENT = frozenset({"PONG", "CAP", "AUTHENTICATE", "PASS", "USER", "QUIT"})
# ircu and irc2 take two seconds for a line, and one more for each so many octets of it. Who has
# more than 1,000 octets wait there for that is sent away: "Excess Flood"
SLOWING_OCTETS = 120
BURST_OCTETS = 900  # in one go; the rest are for what is urgent
PAUSE_S = 1.0  # after a go that was as long as that


def on_the_wire(message: Message) -> list[Message]:
    """A message of several lines as its batch. It leaves at once, for nothing may come between."""
    several = message.command == "PRIVMSG" and is_packed(message.params[-1])
    return batch_of(message, "m") if several else [message]


def cost(octets: int) -> float:
    """How many short lines a line of so many octets counts for."""
    return 1 + octets // SLOWING_OCTETS / 2


def is_asked(message: Message) -> bool:
    """Whether a program asks it rather than a person: also how a channel stands, and its lists."""
    return message.command in ASKED or (message.command == "MODE" and only_asks(message))


class SendQueue:
    """Lines on their way to the network, paced by a token bucket; urgent ones overtake. None is
    longer than `longest` octets: some servers end the connection then."""

    def __init__(
        self, bucket: Bucket, tap: Tap | None = None, longest: Callable[[], int] = lambda: MAX_LINE
    ) -> None:
        self.bucket = bucket
        self._longest = longest
        self._tap = tap or closed_tap()
        self._urgent: deque[Message] = deque()
        self._paced: deque[Message] = deque()
        self._asked: deque[Message] = deque()
        self._wake = trio.Event()
        self._closing = False
        self._pause_until = 0.0
        self._wait_s = 0.0  # until more is due

    def put(self, messages: Sequence[Message]) -> list[Message]:
        """Queue `messages`; give back those for which there is no room."""
        refused = []
        queue = self._paced
        for message in messages:
            # a PING behind a labelled command stays behind it, and before the next one: what is
            # answered before the PING is the answer to the label
            if message.command != "PING":
                queue = self._asked if is_asked(message) else self._paced
            # behind what is paced the probe would leave when its answer is long overdue
            if message.command in URGENT or message == PROBE:
                queue = self._urgent
            if len(queue) < QUEUE_LINES:
                queue.append(message)
            else:
                refused.append(message)
        self._wake.set()
        return refused

    @property
    def is_waiting(self) -> bool:
        """Whether there is more than may be sent now."""
        return bool(self._paced or self._asked)

    def unsent(self) -> int:
        """How many messages of people wait for their turn."""
        return sum(message.command in CHAT for message in self._paced)

    def close(self, goodbye: Message) -> None:
        """Say `goodbye` next and send nothing after it."""
        self._paced.clear()
        self._asked.clear()
        self._urgent.append(goodbye)
        self._closing = True
        self._wake.set()

    async def drain_into(self, stream: trio.abc.SendStream) -> None:
        while not self._closing or self._urgent:
            await self._wake.wait()
            self._wake = trio.Event()
            ready = list(self._urgent)
            self._urgent.clear()
            ready += self._due(trio.current_time())
            if ready:
                if self._tap.is_open:
                    self._tap.note("out", map(str, ready))
                await stream.send_all(encode_all(ready, self._longest()))
            elif self._paced or self._asked:
                with trio.move_on_after(self._wait_s):
                    await self._wake.wait()
            if self._paced or self._asked:
                self._wake.set()

    def _due(self, now: float) -> list[Message]:
        """The paced lines whose turn has come."""
        due: list[Message] = []
        octets = 0
        self._wait_s = self._pause_until - now
        while (queue := self._paced or self._asked) and self._pause_until <= now:
            lines = on_the_wire(queue[0])
            if self.bucket.rate > 0:
                lengths = [len(line.encode()) for line in lines]
                octets += sum(lengths)
                if due and octets > BURST_OCTETS:
                    self._pause_until = now + PAUSE_S
                    break
                wanted = sum(map(cost, lengths))
                if not self.bucket.spend(wanted, now):
                    self._wait_s = self.bucket.wait_s(wanted)
                    break
            queue.popleft()
            due += lines
        return due
