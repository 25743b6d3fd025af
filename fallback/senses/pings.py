"""PING on a connection that is held anyway, and its PONG: a public network as a landmark."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import trio

from bouncer.irc.wire import Message

MAX_PINGS = 16  # on the way at once; full: this one counts as unanswered


class Pings:
    """The questions of one connection, by their tokens."""

    def __init__(self) -> None:
        self._waiting: dict[str, trio.Event] = {}

    async def ask(self, send: Callable[[Message], None]) -> bool:
        """Whether it was answered; the caller sets the time limit."""
        if len(self._waiting) >= MAX_PINGS:
            return False
        token = secrets.token_hex(4)
        answered = self._waiting[token] = trio.Event()
        try:
            send(Message("PING", (token,)))
            await answered.wait()
        finally:
            self._waiting.pop(token, None)
        return True

    def answered(self, pong: Message) -> None:
        token = pong.params[-1] if pong.params else ""
        if token in self._waiting:
            self._waiting[token].set()
