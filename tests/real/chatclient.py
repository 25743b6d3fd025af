"""What irssi and WeeChat have in common here: typed into, and read by the logs they write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.real.certificates import Certificate
from tests.real.process import until
from tests.real.terminal import Terminal

SHOW_S = 15.0
SERVER = "muster"  # the name of the connection inside the client


class Said(NamedTuple):
    """One line of conversation as a client showed it."""

    nick: str
    text: str


@dataclass(frozen=True, slots=True)
class Account:
    """Where a client connects, and as whom. `certificate` is the client's own, for CertFP."""

    host: str
    port: int
    nick: str
    password: str = ""
    tls: bool = False
    sasl: tuple[str, str] | None = None
    sasl_mechanism: str = "plain"
    username: str = "person"  # what it says in USER
    certificate: Certificate | None = None


@dataclass
class ChatClient(ABC):
    """A person's client in a terminal."""

    terminal: Terminal
    home: Path

    @abstractmethod
    def message(self, target: str, text: str) -> None:
        """Say something to a channel or a person."""

    @abstractmethod
    def log(self, buffer: str) -> Path:
        """The file that the client logs this conversation to."""

    @abstractmethod
    def conversation(self, buffer: str) -> list[Said]:
        """All that was said in a channel, or with a person, in the order it was shown."""

    def types(self, line: str) -> None:
        self.terminal.types(line)

    def lines(self, buffer: str) -> list[str]:
        """The raw log of a conversation."""
        path = self.log(buffer)
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def texts(self, buffer: str) -> list[str]:
        return [said.text for said in self.conversation(buffer)]

    async def shows(self, buffer: str, text: str, within_s: float = SHOW_S) -> None:
        """Wait until a line of this conversation has exactly this text."""
        try:
            await until(lambda: text in self.texts(buffer), within_s, f"{text!r} in {buffer}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.terminal.screen()}") from None

    async def shows_like(self, buffer: str, end: str, within_s: float = SHOW_S) -> None:
        """Wait until a line of this conversation ends like this: backlog may bear a time."""
        try:
            await until(
                lambda: any(text.endswith(end) for text in self.texts(buffer)),
                within_s,
                f"…{end!r} in {buffer}",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.terminal.screen()}") from None

    async def logs(self, buffer: str, part: str, within_s: float = SHOW_S) -> None:
        """Wait until a raw line of this conversation's log contains `part`."""
        try:
            await until(
                lambda: any(part in line for line in self.lines(buffer)),
                within_s,
                f"{part!r} in the log of {buffer}",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.terminal.screen()}") from None

    def quit(self) -> None:
        self.types("/quit bye")

    async def gone(self, within_s: float = SHOW_S) -> None:
        """Wait until it has ended after `quit`: its terminal has no window left."""
        windows = self.terminal
        await until(lambda: not windows.alive, within_s, "the client ends")
