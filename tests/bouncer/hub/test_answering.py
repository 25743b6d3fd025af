"""Commands to the bouncer itself that come too fast, and that break."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from bouncer.hub.announcing import Announcing
from bouncer.hub.answering import COMMANDS, FAILED, TOO_MANY, Answering, Command
from bouncer.hub.attachment import Link
from bouncer.irc.bouncer_networks import CAP, AddNetwork, ListNetworks
from bouncer.irc.wire import Message
from bouncer.session.effects import NetworkCommand, OpsCommand, ServiceCommand
from bouncer.session.events import Event, ServiceSaid
from bouncer.session.session import Session
from storage.records import User
from tests.bouncer.session.dialogue import Dialogue
from tests.complaints.venue import running_bouncer, running_network, until

BEYOND = 20


async def test_what_comes_too_fast_is_refused_in_words_and_the_rest_is_done(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice", (CAP,))
        asked = [f"PRIVMSG BouncerServ :help nonsense{n}" for n in range(COMMANDS + BEYOND)]
        await client.says(*asked, "BOUNCER LISTNETWORKS")

        def answers(text: str) -> int:
            return sum(text in line for line in client.lines)

        await until(lambda: answers("BouncerServ") == len(asked))
        assert 0 < answers(TOO_MANY) <= BEYOND
        await client.hears(f"FAIL BOUNCER UNKNOWN_ERROR LISTNETWORKS :{TOO_MANY}")
        await client.says("PRIVMSG BouncerServ :help nonsense-later")
        await client.hears("nonsense-later")


class Broken:
    async def carry_out(self, user: User, network: str, words: str | Sequence[str]) -> list[str]:
        raise ZeroDivisionError(user, network, words)

    async def answer_ops(self, session: Session, command: OpsCommand) -> tuple[str, list[str]]:
        raise ZeroDivisionError(session, command)


async def test_a_command_that_breaks_is_reported_and_the_next_is_answered(
    nursery: trio.Nursery,
) -> None:
    said: list[object] = []

    async def post(_link: Link, event: Event) -> None:
        said.append(event)

    announcing = Announcing({}, {}, lambda client, lines: said.append((client, lines)), "muster")
    answering = Answering(Broken(), announcing, post, lambda _link, event: said.append(event))
    service = ServiceCommand(1, "BouncerServ", "help")
    asked: tuple[Command, ...] = (
        service,
        NetworkCommand(2, AddNetwork({"host": "h"})),
        OpsCommand(Message("PRIVMSG", ("#ops", "!status")), ""),
        NetworkCommand(3, ListNetworks()),
    )
    for command in asked:
        answering.put(User("alice"), Link(Dialogue().session), command)
    nursery.start_soon(answering.run)
    await until(lambda: len(said) == 3)
    assert said == [
        ServiceSaid(service, [FAILED]),
        (2, [f":muster FAIL BOUNCER UNKNOWN_ERROR ADDNETWORK :{FAILED}"]),
        (3, []),
    ]
    nursery.cancel_scope.cancel()
