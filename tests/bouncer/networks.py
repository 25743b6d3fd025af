"""Networks of four kinds: they answer what one says by its label, by its echo, by both, or not.

What a client of ours says there waits until the network comes to it, so that others may speak
before. What its words say is not welcome is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from bouncer.irc.wire import Message
from tests.complaints.venue import FakeNetwork, until

REFUSED = " unwelcome"  # a text that ends so


class Happened(NamedTuple):
    """A text that the network has come to. `ours` came from us; others hear it unless refused."""

    text: str
    ours: bool

    @property
    def is_refused(self) -> bool:
        return self.text.endswith(REFUSED)


class SlowNetwork(FakeNetwork):
    """Answers what one says to #ops when it comes to it."""

    def __init__(self, *, labels: bool, echoes: bool) -> None:
        super().__init__()
        self.labels, self.echoes = labels, echoes
        self.answers_all = labels or echoes
        self.caps = " ".join(
            ["batch"] * labels + ["echo-message"] * echoes + ["labeled-response"] * labels
            + ["message-tags", "server-time"] * self.answers_all
        )  # fmt: skip
        self.heard_of_us = 0
        self.happened: list[Happened] = []  # in this order, since somebody looked
        self._waiting: deque[Message] = deque()
        self._count = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def answers(self, message: Message) -> list[str]:
        match message.command, message.params:
            case "CAP", ("LS", *_):
                return [f":irc.test CAP * LS :{self.caps}"]
            case "CAP", ("REQ", wanted):
                return [f":irc.test CAP me ACK :{wanted}"]
            case "PRIVMSG", ("#ops", _):
                self.heard_of_us += 1
                self._waiting.append(message)
                return []
        return super().answers(message)

    async def goes_on(self, turns: Iterable[str | None]) -> None:
        """Bob says each text in one go; None comes to the oldest of ours that waits, if any."""
        async with self._turn:
            lines = []
            for text in turns:
                if text is not None:
                    self.happened.append(Happened(text, ours=False))
                    lines.append(f"{self._tags()}:bob!b@h PRIVMSG #ops :{text}")
                elif self._waiting:
                    lines += self._answer(self._waiting.popleft())
            if lines:
                await self.streams[-1].send_all("".join(f"{e}\r\n" for e in lines).encode())

    def _answer(self, message: Message) -> list[str]:
        happened = Happened(message.params[1], ours=True)
        self.happened.append(happened)
        label = message.tags.get("label", "")
        assert bool(label) == self.labels
        labelled = f"@label={label} " if label else ""
        if happened.is_refused:
            return [f"{labelled}:irc.test 404 me #ops :{happened.text}"]
        if self.echoes:
            return [f"{self._tags(label)}:me!user@host PRIVMSG #ops :{happened.text}"]
        return [f"{labelled}:irc.test ACK"] if label else []

    def _tags(self, label: str = "") -> str:
        if not self.answers_all:
            return ""
        self._count += 1
        tags = f"time=2026-01-02T03:04:05.{self._count % 1000:03}Z;msgid=net-{self._count}"
        return f"@label={label};{tags} " if label else f"@{tags} "

    async def closes(self) -> list[str]:
        """The texts that it had not come to."""
        await self.streams[-1].aclose()
        texts = [message.params[1] for message in self._waiting]
        self._waiting.clear()
        return texts

    async def is_heard(self) -> None:
        """The bouncer has taken all that was said until now."""
        begun, self._count = len(self.heard), self._count + 1
        await self.says(f"PING :heard-{self._count}")
        await until(lambda: any(f"heard-{self._count}" in each for each in self.heard[begun:]))
