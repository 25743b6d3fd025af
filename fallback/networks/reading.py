"""What a public network has sent, as messages; a connection that says nothing is gone."""

from __future__ import annotations

from contextlib import suppress

import trio

from bouncer.irc.wire import LineReader, Message, ProtocolError

SILENCE_S = 90.0  # without a byte, PONGs included: the connection is gone


async def read_some(stream: trio.abc.Stream, reader: LineReader) -> list[Message]:
    """The next messages; lines that are none are left out. Raises OSError at the end."""
    with trio.move_on_after(SILENCE_S) as waiting:
        data = await stream.receive_some(16384)
    if waiting.cancelled_caught:
        raise OSError("the network went silent")
    if not data:
        raise OSError("the network closed the connection")
    messages = []
    for line in reader.feed(bytes(data)):
        with suppress(ProtocolError):
            messages.append(Message.parse(line))
    return messages
