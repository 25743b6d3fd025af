"""What an announcer tells of its network, and to whom. Nothing here may wait."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from bouncer.irc.wire import Message


class Standing(Enum):
    """Where the connection stands, as `fallback status` says it."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    JOINING = "joining"
    JOINED = "joined"


class Hall(Protocol):
    """Who listens to a network."""

    def joined(self, network: str) -> None:
        """We stand in lobby and room (or the room does not let us in)."""

    def lost(self, network: str) -> None:
        """The connection has ended, or we are not in the lobby any more."""

    def silenced(self, network: str) -> None:
        """The lobby does not take our lines; what was said last is not to be read there."""

    def received(self, network: str, message: Message) -> None:
        """A message, after `state` has taken it in."""

    def sent(self, network: str, message: Message) -> None:
        """A line that was said has been written to the connection."""


class Nobody:
    """The hall before there is one."""

    def joined(self, network: str) -> None: ...

    def lost(self, network: str) -> None: ...

    def silenced(self, network: str) -> None: ...

    def received(self, network: str, message: Message) -> None: ...

    def sent(self, network: str, message: Message) -> None: ...
