"""The registry: every control command, whichever door it comes through.

Words may be abbreviated while they are unambiguous. Permission is checked here and nowhere else,
after the command is found and before its words are read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from bouncer.control import (
    agents,
    channels,
    clients,
    devices,
    history,
    ignores,
    networks,
    outage,
    readers,
    sasl,
    server,
    soju,
    staff,
    sts,
    users,
    znc,
)
from bouncer.control.about import ABOUT
from bouncer.control.actors import EVERYWHERE, Actor, Door, Permission
from bouncer.control.command import Command, Desk, answering
from bouncer.control.grammar import (
    Argument,
    NotAllowed,
    Option,
    Request,
    WrongUse,
    read_words,
    split_line,
)
from storage import accounts
from storage.rows import folded

T = TypeVar("T")

_AS_USER = Option("--user", ("USER",), "about this user's things (admins)", readers.name)
_FOR = {
    Permission.USER: "users of this bouncer",
    Permission.STAFF: "staff",
    Permission.ORDERS: "admins of the roster or of the bouncer",
    Permission.ADMIN: "administrators",
}


async def dispatch(words: str | Sequence[str], actor: Actor, desk: Desk) -> list[str]:
    """Carry out one command; the lines to answer, none of them longer than a person reads.

    `words` is a shell-quoted line, or its words. Raises ControlError (WrongUse, NotAllowed), whose
    text is the answer.
    """
    if isinstance(words, str):
        words = znc.typed(words, actor) or split_line(words, spoken=actor.door is not Door.SOCKET)
    try:
        "".join(words).encode()
    except UnicodeEncodeError:  # octets of a command line that are no text
        raise WrongUse("these words are no UTF-8; set your terminal to UTF-8") from None
    words = znc.translated(words, actor)
    command, rest = find(words, actor)
    if command.permission in (Permission.STAFF, Permission.ORDERS) or command is HELP:
        actor = await _known(actor, desk)
    if not actor.may(command.permission):
        raise NotAllowed(f"{command.name} is for {_FOR[command.permission]}")
    request = read(command, rest, actor)
    carry_out = partial(_carry_out, command, desk, request)
    if command.long and desk.live is not None:
        return await desk.live.beside(command.name, actor, carry_out)
    return await carry_out()


async def _carry_out(command: Command, desk: Desk, request: Request) -> list[str]:
    with answering():
        return await command.handler(desk, request)


async def _known(actor: Actor, desk: Desk) -> Actor:
    """The actor, known as whom on the roster is this user of the bouncer, where somebody is."""
    if not actor.user:
        return actor
    for person in await desk.store.read(accounts.list_staff):
        if folded(person.user) == folded(actor.user):
            return replace(actor, staff=True, orders=person.admin, handle=person.handle)
    return actor


def find(words: Sequence[str], actor: Actor) -> tuple[Command, Sequence[str]]:
    """The command that `words` begin with, and the words after it. Raises WrongUse."""
    if not words:
        raise WrongUse(f"say what to do; `{actor.mark}help` lists the commands")
    here = [command for command in COMMANDS if actor.door in command.doors]
    help_ = f"{actor.mark}help"
    group = _pick(words[0], {each.words[0]: each.words[0] for each in here}, help_)
    members = [command for command in here if command.words[0] == group]
    if len(members[0].words) == 1:
        return members[0], words[1:]
    names = {name: each for each in members for name in (each.words[-1], *each.also)}
    if len(words) < 2:
        which = ", ".join(each.words[-1] for each in members if actor.may(each.permission))
        if not which:
            raise NotAllowed(f"{group} is for {_FOR[min(each.permission for each in members)]}")
        raise WrongUse(f"{group}: say which: {which}; `{help_} {group}` explains them")
    return _pick(words[1], names, f"{help_} {group}"), words[2:]


def read(command: Command, words: Sequence[str], actor: Actor) -> Request:
    """Read what was given to `command`, and settle whose things it is about."""
    arguments, options = command.arguments, command.options
    if command.owned and not actor.user:
        arguments = (Argument("USER", readers.name), *arguments)
    elif command.owned and actor.admin:
        options = (*options, _AS_USER)
        if not arguments:
            arguments = (Argument("USER", readers.name, optional=True),)
    request = read_words(
        words,
        arguments,
        options,
        actor=actor,
        name=command.name,
        usage=command.usage(actor),
        short=soju.short(command.name),
    )
    if not command.owned:
        return request
    return replace(request, owner=request["USER"] or request.option("--user") or actor.user)


def _pick(word: str, names: dict[str, T], where: str) -> T:
    """What `word` names, in full or as the only one that begins so."""
    if word in names:
        return names[word]
    word = word.casefold()
    found = {name: value for name, value in names.items() if name.startswith(word)}
    if word in names:
        return names[word]
    if len(set(map(id, found.values()))) == 1:
        return next(iter(found.values()))
    if found:
        raise WrongUse(f'"{word}" may be {", ".join(found)}; write more of it')
    raise WrongUse(f'there is no "{word}"; `{where}` lists what there is')


async def show_help(_desk: Desk, request: Request) -> list[str]:
    return help_lines(request["COMMAND"] or "", request.actor)


def help_lines(text: str, actor: Actor) -> list[str]:
    """What there is for this actor, or how the command or group that `text` names is used."""
    mark = actor.mark
    here = [each for each in COMMANDS if actor.door in each.doors and actor.may(each.permission)]
    words = text.removeprefix("!").split()
    if not words:
        if actor.door is Door.OPS:
            return [" ".join(f"{mark}{each.name}" for each in here) + "; !help COMMAND for more"]
        return [*_groups(here), "`help WORD` explains one, `help WORD WORD` its options"]
    first = words[0].casefold()
    exact = [each for each in here if each.words[0] == first]
    group = exact or [each for each in here if each.words[0].startswith(first)]
    if len(words) == 1 and (len(group) > 1 or (group and len(group[0].words) > 1)):
        return [f"{mark}{each.usage(actor)}: {each.help}" for each in group]
    command, _ = find(words, actor)
    options = [f"  {option.usage}: {option.help}" for option in command.options]
    return [f"{mark}{command.usage(actor)}: {command.help}", *options]


def _groups(here: Sequence[Command]) -> Iterator[str]:
    """A line for each group: one for each command would be more than a window shows."""
    for first, about in ABOUT.items():
        names = [each.words[-1] for each in here if each.words[0] == first]
        if names:
            yield f"{first}: {about}" if names == [first] else f"{first} {'|'.join(names)}: {about}"


HELP = Command(
    ("help",),
    Permission.ANYONE,
    "show what there is, and how it is used",
    show_help,
    (Argument("COMMAND", optional=True, rest=True),),
    doors=EVERYWHERE,
)


async def run_as(desk: Desk, request: Request) -> list[str]:
    """A command as if its user had said it to the service."""
    user = await desk.store.read(accounts.get_user, request["NAME"])
    waits = request.actor.waits
    actor = Actor(Door.SERVICE, user=user.name, admin=user.admin, waits=waits)
    return await dispatch(request["COMMAND"], actor, desk)


RUN = Command(
    ("user", "run"),
    Permission.ADMIN,
    "carry out a command as this user",
    run_as,
    (Argument("NAME", readers.name), Argument("COMMAND", literal=shlex.join)),
)

COMMANDS: tuple[Command, ...] = (
    *networks.COMMANDS,
    *sts.COMMANDS,
    *channels.COMMANDS,
    *clients.COMMANDS,
    *ignores.COMMANDS,
    *devices.COMMANDS,
    *sasl.COMMANDS,
    *users.COMMANDS,
    RUN,
    *staff.COMMANDS,
    *agents.COMMANDS,
    *history.COMMANDS,
    *server.COMMANDS,
    *outage.COMMANDS,
    HELP,
)
