"""A command that may take minutes holds up nobody's next one."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from sqlalchemy import Connection

from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from bouncer.hub.beside import AT_ONCE_S
from storage import accounts
from tests.complaints.venue import PATIENCE_S, Muster, running_bouncer, running_network, until

GOES_ON = "history prune takes a while and goes on"
DONE = "NOTICE me :history prune: 0 messages removed"


@asynccontextmanager
async def busy_writer(muster: Muster) -> AsyncIterator[threading.Event]:
    """The store writes nothing before the event is set, so that a prune cannot end."""
    held, let_go = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        held.set()
        assert let_go.wait(PATIENCE_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(muster.store.run, hold)
        await until(held.is_set)
        try:
            yield let_go
        finally:
            let_go.set()


@asynccontextmanager
async def alice_as_admin(folder: Path) -> AsyncIterator[Muster]:
    async with running_network() as network, running_bouncer(folder, network) as muster:
        await dispatch("user set alice --admin true", OPERATOR, muster.bouncer.desk)
        yield muster


async def test_the_next_command_is_answered_while_a_long_one_works(tmp_path: Path) -> None:
    async with alice_as_admin(tmp_path) as muster:
        client = await muster.client()
        alone = await muster.client("alice")  # a connection for commands alone
        async with busy_writer(muster) as let_go:
            await client.says("PRIVMSG BouncerServ :history prune", "PRIVMSG BouncerServ :help ack")
            await client.hears(GOES_ON)
            await client.hears("NOTICE me :ack: say that")
            assert not any(DONE in line for line in client.lines)
            let_go.set()
        await client.hears(DONE)
        await alone.hears(DONE)


async def test_it_works_once_at_a_time(tmp_path: Path) -> None:
    async with alice_as_admin(tmp_path) as muster:
        client = await muster.client()
        async with busy_writer(muster) as let_go:
            await client.says("PRIVMSG BouncerServ :history prune")
            await client.hears(GOES_ON)
            await client.says("PRIVMSG BouncerServ :history prune --older-than 1d")
            busy = (
                "busy: history prune is at work already, for alice; say it again once it has ended"
            )
            await client.hears(busy)
            with pytest.raises(ControlError, match=busy):
                await dispatch("history prune", OPERATOR, muster.bouncer.desk)
            let_go.set()
        await client.hears(DONE)
        [line] = await dispatch("history prune", OPERATOR, muster.bouncer.desk)
        assert line.startswith("0 messages removed"), "the next one is not refused"


@pytest.mark.parametrize("line", ["history prune", "user run alice history prune"])
async def test_the_command_line_is_answered_when_it_is_done(line: str, tmp_path: Path) -> None:
    async with alice_as_admin(tmp_path) as muster:
        lines: list[str] = []

        async def ask() -> None:
            lines.extend(await dispatch(line, OPERATOR, muster.bouncer.desk))

        async with trio.open_nursery() as nursery, busy_writer(muster) as let_go:
            nursery.start_soon(ask)
            await trio.sleep(1.2 * AT_ONCE_S)
            assert lines == []
            let_go.set()
        assert lines[0].startswith("0 messages removed")


async def test_what_is_done_soon_is_answered_at_once(tmp_path: Path) -> None:
    async with alice_as_admin(tmp_path) as muster:
        client = await muster.client()
        await client.says("PRIVMSG BouncerServ :history prune")
        await client.hears("NOTICE me :0 messages removed")
        assert not any(GOES_ON in line for line in client.lines)


async def test_what_fails_late_is_told(tmp_path: Path) -> None:
    async with alice_as_admin(tmp_path) as muster:
        client = await muster.client()

        async def fails() -> list[str]:
            await muster.store.run(accounts.get_user, "nobody")
            return []

        async with busy_writer(muster) as let_go:
            actor = Actor(Door.SERVICE, user="alice", admin=True)
            [said] = await muster.bouncer.beside("some work", actor, fails)
            assert "goes on" in said
            let_go.set()
        await client.hears("NOTICE me :some work: The bouncer failed at this; its log says more")
