"""A bouncer under measurement, whichever it is."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.bench.crowd import Login
from tests.bench.process import Daemon, Failed
from tests.bench.secure import Pair, connect
from tests.real.ports import free_port

NETWORK = "bench"


class Account(NamedTuple):
    """One user with one network."""

    name: str
    password: str
    nick: str
    channels: tuple[str, ...]


class Missing(RuntimeError):
    """The subject cannot be measured here. Its text says why, and what installs it."""


class Subject(ABC):
    """One bouncer: `prepare` once, then `start` and `stop` or `kill` as often as needed.

    With a pair, its network and its clients speak TLS.
    """

    name: ClassVar[str]
    run_as: ClassVar[str | None] = None  # another user to run as, when we are root

    def __init__(
        self,
        folder: Path,
        network_port: int,
        accounts: Sequence[Account],
        pair: Pair | None = None,
    ) -> None:
        self.folder = folder
        self.network_port = network_port
        self.accounts = accounts
        self.pair = pair
        self.port = free_port()
        self._daemon: Daemon | None = None

    @classmethod
    @abstractmethod
    def check(cls) -> None:
        """Raises Missing where it cannot run."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration into `folder`."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command that serves in the foreground."""

    @abstractmethod
    def data(self) -> Path:
        """The folder whose size is the cost on disk."""

    def connect(self) -> socket.socket:
        """A client's connection."""
        return connect(self.port, tls=self.pair is not None)

    def login(self, account: Account, client: str = "desk") -> Login:
        return Login(f"{account.name}@{client}/{NETWORK}", account.password, account.nick)

    def stored_numbers(self) -> list[int] | None:
        """The numbers of the lines in its files; None where its clients must be asked."""
        return None

    def start(self) -> None:
        """Serve; returns once it accepts clients."""
        self._daemon = Daemon(self.command(), self.folder / "log", self.run_as)
        self._daemon.await_port(self.port)

    @property
    def daemon(self) -> Daemon:
        if self._daemon is None:
            raise Failed("not started")
        return self._daemon

    def last_words(self) -> str:
        """The end of what it has written to its terminal."""
        return self._daemon.last_words() if self._daemon else "(it does not run)"

    @property
    def pid(self) -> int:
        return self.daemon.pid

    def stop(self) -> None:
        if self._daemon:
            self._daemon.stop()
            self._daemon = None

    def kill(self) -> None:
        """kill -9."""
        self.daemon.kill()
        self._daemon = None
