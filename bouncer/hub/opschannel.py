"""The ops channel: where those are told things who look after this bouncer, and give it orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
import trio

from bouncer.config import Config
from bouncer.connections.upstream import State
from bouncer.control.command import Desk
from bouncer.hub import opsbot
from bouncer.hub.attachment import Link
from bouncer.hub.hub import Hub
from bouncer.session.effects import OpsCommand
from bouncer.session.session import Session
from storage.records import User
from storage.rows import folded

log = structlog.get_logger("bouncer")


class OpsChannel:
    """It is that of `config().ops`, on the connection of one user among `hubs`: the ops bot."""

    def __init__(self, hubs: Mapping[str, Hub], config: Callable[[], Config]) -> None:
        self._hubs = hubs
        self._config = config
        self._stranger_told_at = float("-inf")

    def of(self, user: User) -> tuple[str, str] | None:
        """(network, channel) where this user's connection is the ops bot."""
        ops = self._config().ops
        is_bot = ops is not None and folded(ops.user) == folded(user.name)
        return (ops.network, ops.channel) if ops and is_bot else None

    def state(self) -> str:
        """Of the bot's connection: `up`, `down`, or `none` where there is no bot."""
        _, link = self._link()
        if link is None or link.upstream is None:
            return "none"
        return "up" if link.upstream.state is State.CONNECTED else "down"

    def tell(self, text: str) -> None:
        """Say one line there; in the log where there is none to say it in."""
        log.warning("ops", text=text)
        hub, link = self._link()
        if hub is not None and link is not None:
            hub.say(link.session.network.name, link.session.ops_channel, text)
        if self.state() == "down":  # nobody reads it there
            for each in (each for each in self._hubs.values() if each.user.admin):
                each.notify(text)

    async def answer(self, desk: Desk, session: Session, command: OpsCommand) -> list[str]:
        """What is said to a command that was given there."""
        lines = await opsbot.answer(
            command.message.params[1],
            desk,
            account=command.account,
            holder=opsbot.holder(command.message, session, self._hubs.values()),
        )
        if lines == [opsbot.UNKNOWN]:
            now = trio.current_time()
            lines = lines if now >= self._stranger_told_at + opsbot.UNKNOWN_EVERY_S else []
            self._stranger_told_at = now if lines else self._stranger_told_at
        return lines

    def _link(self) -> tuple[Hub | None, Link | None]:
        """The connection that is the ops bot, and whose it is."""
        if self._config().ops is None:  # asked each second: nobody need be looked for
            return None, None
        hub = next((each for each in self._hubs.values() if self.of(each.user)), None)
        links = hub.links.values() if hub else ()
        return hub, next((link for link in links if link.session.ops_channel), None)
