"""What a public network has sent, as messages; a connection that says nothing is gone."""

from __future__ import annotations

from contextlib import suppress

import trio

from bouncer.irc.wire import LineReader, Message, ProtocolError

SILENCE_S = 90.0  # without a byte, PONGs included: the connection is gone
SIGN_S = 20.0  # the same, once a sign is waited for; a busy network may take some seconds


class Reading:
    """What comes over one connection, read by one task."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._lines = LineReader()
        self._waiting = trio.CancelScope()

    async def some(self) -> list[Message]:
        """The next messages; lines that are none are left out. Raises OSError at the end."""
        with trio.move_on_after(SILENCE_S) as self._waiting:
            data = await self._stream.receive_some(16384)
        if self._waiting.cancelled_caught:
            raise OSError("the network went silent")
        if not data:
            raise OSError("the network closed the connection")
        messages = []
        for line in self._lines.feed(bytes(data)):
            with suppress(ProtocolError):
                messages.append(Message.parse(line))
        return messages

    def expect(self, within_s: float) -> None:
        """It was asked for a sign of life."""
        self._waiting.deadline = min(self._waiting.deadline, trio.current_time() + within_s)
