"""On which networks nothing shows yet that our announcement has come. Pure.

A line that waited when the connection ended, or was written to one that was dead already, is read
by nobody: it is to be said again. A PONG after it shows that it came.
"""

from __future__ import annotations

from bouncer.irc.wire import Message


class Unheard:
    """One per agent; `network` is a name of the configuration."""

    def __init__(self) -> None:
        self._written: dict[str, bool] = {}  # of the lines without a sign: whether they have left

    def __contains__(self, network: object) -> bool:
        return network in self._written

    def begun(self, network: str) -> None:
        """The announcement is to be said."""
        self._written[network] = False

    def written(self, network: str) -> None:
        """It has been written to the connection."""
        if network in self._written:
            self._written[network] = True

    def received(self, network: str, message: Message) -> None:
        """The network says something."""
        if message.command == "PONG" and self._written.get(network):
            del self._written[network]

    def lost(self, network: str) -> bool:
        """The connection has ended: whether the line went with it."""
        return self._written.pop(network, None) is not None
