"""A row of the registry, and what its handler works with."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bouncer import alone
from bouncer.config import Config
from bouncer.control.actors import Actor, Door, Permission
from bouncer.control.grammar import Argument, ControlError, Option, Request
from bouncer.control.live import Live
from bouncer.login.passwords import BadPassword, Hasher
from bouncer.mesh.keys import KeyFault
from bouncer.mesh.proofs import ProofFault
from storage.errors import StorageError
from storage.store import Store

T = TypeVar("T")

AT_WORK_S = 3.0  # another command on the same database takes less
_ELSEWHERE = "nothing was changed: say it on the machine where that runs, or stop it"


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers work with. Without a running bouncer `live` is None and the store is all."""

    store: Store
    config: Config
    hasher: Hasher
    live: Live | None = None
    wall: Callable[[], float] = field(default=time.time)  # seconds since the epoch

    async def change(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(connection, *args)` in one write transaction, see `Store.run`. Raises StorageError;
        ControlError where somebody at work there would not know what is changed under them."""
        await self.be_alone()
        return await self.store.run(fn, *args)

    async def be_alone(self) -> None:
        if self.live is not None:
            return
        try:
            alone.look(self.config.data_dir)
        except alone.Occupied as error:
            raise ControlError(f"nothing was changed: {error}") from None
        await self.store.be_alone(AT_WORK_S, _ELSEWHERE)

    async def refresh(self, user_name: str) -> None:
        """Let a running bouncer act on what changed for this user."""
        if self.live is not None:
            await self.live.refresh(user_name)

    async def roster_changed(self) -> None:
        if self.live is not None:
            await self.live.roster_changed()


FEW_OPTIONS = 3  # so many are shown in the usage; more would not fit into a line of IRC

Handler = Callable[[Desk, Request], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Command:
    """One row: what it is called, what it takes, who may, and what it does.

    `owned` commands are about one user's things: the operator names the user first, a user means
    themself, and an admin may name another by `--user`. `long` ones may take minutes: they run
    beside the others.
    """

    words: tuple[str, ...]
    permission: Permission
    help: str
    handler: Handler
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    owned: bool = False
    also: tuple[str, ...] = ()  # other names for the last word
    doors: frozenset[Door] = frozenset({Door.SOCKET, Door.SERVICE})
    long: bool = False

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def usage(self, actor: Actor) -> str:
        """The form to type, as this actor has to type it."""
        parts = [self.name]
        if self.owned and not actor.user:
            parts.append("USER")
        parts += [argument.usage for argument in self.arguments]
        if len(self.options) <= FEW_OPTIONS:
            parts += [f"[{option.usage}]" for option in self.options]
        else:
            parts.append("[OPTIONS]")
        return " ".join(parts)


@contextmanager
def answering() -> Iterator[None]:
    """Turn the refusals of the parts below, whose texts are for the user, into answers."""
    try:
        yield
    except (StorageError, BadPassword, ProofFault, KeyFault) as error:
        raise ControlError(str(error)) from None
