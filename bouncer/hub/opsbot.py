"""The ops bot: `!status`, `!roster`, `!help` in the ops channel, from the registry of commands.

Who speaks is known by their services account, or because this bouncer itself holds their
connection: never by the nick. Every answer is a NOTICE, one line unless more was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from bouncer.control.actors import Actor, Door
from bouncer.control.command import Desk
from bouncer.control.grammar import ControlError
from bouncer.control.registry import COMMANDS, dispatch
from bouncer.irc.wire import Message
from bouncer.session.session import Session
from storage import accounts
from storage.errors import NotFound
from storage.records import Staff, User
from storage.rows import folded

if TYPE_CHECKING:
    from bouncer.hub.hub import Hub

UNKNOWN = (
    "I do not know you: log in to services with an account on the roster, "
    "or speak through this bouncer"
)
UNKNOWN_EVERY_S = 10.0  # it is said no oftener: strangers must not fill the line of an alarm
_WORDS = {each.words[0] for each in COMMANDS if Door.OPS in each.doors}


async def answer(text: str, desk: Desk, *, account: str = "", holder: str = "") -> list[str]:
    """What to say to `text`; nothing where it is not for us.

    `account` is the sender's services account as the network tells it, `holder` the user whose
    own connection, held by this bouncer, the sender's is; "" for neither.
    """
    word = (text.split() or [""])[0]
    if word[:1] != "!" or word[1:].casefold() not in _WORDS:
        return []  # other bots listen to exclamation marks, too
    actor = await identify(desk, account=account, holder=holder)
    if actor is None:
        return [UNKNOWN]
    try:
        return await dispatch(text.strip().removeprefix("!"), actor, desk)
    except ControlError as error:
        return [str(error)]


async def identify(desk: Desk, *, account: str, holder: str) -> Actor | None:
    """Who that is, for the ops bot; None for somebody who is neither staff nor admin."""
    ops = desk.config.ops
    network = ops.network if ops else ""

    def read(connection: Connection) -> tuple[User | None, list[Staff]]:
        try:
            user = accounts.get_user(connection, holder) if holder else None
            user = user if user and user.enabled else None
        except NotFound:
            user = None
        return user, accounts.list_staff(connection)

    user, people = await desk.store.read(read)
    known_as = (folded(network), folded(account))
    person = next(
        (
            each
            for each in people
            if (user is not None and folded(each.user) == folded(user.name))
            or (account and known_as in {(folded(n), folded(a)) for n, a in each.accounts})
        ),
        None,
    )
    admin, orders = bool(user and user.admin), bool(person and person.admin)
    if person is None and not admin:
        return None
    proof = f"connection of {user.name}" if user else f"account {account} on {network}"
    handle = person.handle if person else user.name if user else ""
    return Actor(Door.OPS, "", admin, True, orders, network, handle, proof)


def holder(message: Message, session: Session, hubs: Iterable[Hub]) -> str:
    """The user whose own connection, held by this bouncer, a message on this network is from: ''
    for nobody. On a network without accounts this is the proof. The nick alone is none: in a
    netsplit it can be taken on the one side while its owner has it on the other."""
    places = _places(message, session)
    for hub in hubs:
        for link in hub.links.values():
            other = link.session
            if (
                other.is_registered
                and other.network.uri == session.network.uri
                and other.state.is_me(message.nick)
                and other.state.mask.partition("!")[2] in places
            ):
                return hub.user.name
    return ""


def _places(message: Message, session: Session) -> set[str]:
    """The `user@host` that the sender speaks from, and the one that they came with: a server may
    change what it shows of them and tell nobody. What is known of somebody else is known from when
    they came into sight, and forgotten when they QUIT, as in a netsplit; a NICK takes it along."""
    places = {message.source.partition("!")[2]}
    known = session.state.user_named(message.nick)
    if known is not None and not session.state.is_me(message.nick):
        places.add(known.mask.partition("!")[2])
    return places - {""}
