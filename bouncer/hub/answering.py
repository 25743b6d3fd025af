"""What people ask of the bouncer itself: answered one after another, in the order of asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import structlog
import trio

from bouncer.control.grammar import ControlError
from bouncer.hub.announcing import Announcing
from bouncer.hub.attachment import Link
from bouncer.session.effects import NetworkCommand, OpsCommand, ServiceCommand
from bouncer.session.events import BotSays, Event, ServiceSaid
from bouncer.session.session import Session
from storage.records import User

COMMANDS = 64  # waiting for their answers; full: who asks is told to ask again
FAILED = "The bouncer failed at this; its log says more"
TOO_MANY = f"Not done: {COMMANDS} commands wait for their answers already; say it again then"

log = structlog.get_logger("hub")

Command = ServiceCommand | OpsCommand | NetworkCommand


class Services(Protocol):
    """Who answers: the control registry, and the ops bot.

    `answer_ops` gives the target of the answer beside its lines."""

    async def carry_out(self, user: User, network: str, words: str | Sequence[str]) -> list[str]:
        """A control command, as if the user had said it from that network. Raises ControlError."""

    async def answer_ops(self, session: Session, command: OpsCommand) -> tuple[str, list[str]]: ...


class Answering:
    def __init__(
        self,
        services: Services,
        announcing: Announcing,
        post: Callable[[Link, Event], Awaitable[None]],
        decide: Callable[[Link, Event], None],
    ) -> None:
        self._services = services
        self._announcing = announcing
        self._post = post
        self._decide = decide
        self._ask, self._asked = trio.open_memory_channel[tuple[User, Link, Command]](COMMANDS)

    def put(self, user: User, link: Link, command: Command) -> None:
        """Queue a command. Never waits."""
        try:
            self._ask.send_nowait((user, link, command))
        except trio.WouldBlock:
            log.warning("commands come too fast", user=user.name)
            self._refuse(link, command, TOO_MANY)

    async def run(self) -> None:
        """Answer. A command that breaks is reported and breaks nothing else."""
        async for user, link, command in self._asked:
            try:
                await self._answer(user, link, command)
            except Exception:
                log.exception("command failed", user=user.name)
                self._refuse(link, command, FAILED)

    def _refuse(self, link: Link, command: Command, text: str) -> None:
        match command:
            case ServiceCommand():
                self._decide(link, ServiceSaid(command, [text]))
            case NetworkCommand():
                self._announcing.refuse(command, text)

    async def _answer(self, user: User, link: Link, command: Command) -> None:
        match command:
            case ServiceCommand():
                lines = await self._service(user, link.session.network.name, command.text)
                await self._post(link, ServiceSaid(command, lines))
            case OpsCommand():
                target, lines = await self._services.answer_ops(link.session, command)
                await self._post(link, BotSays(target, lines))
            case NetworkCommand():
                carry_out = partial(self._services.carry_out, user, "")
                await self._announcing.answer(command, carry_out)

    async def _service(self, user: User, network: str, text: str) -> list[str]:
        try:
            return await self._services.carry_out(user, network, text)
        except ControlError as error:
            return [str(error)]
