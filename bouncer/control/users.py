"""Users of the bouncer: who may log in, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from bouncer.control import keep, readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import (
    Argument,
    ControlError,
    Option,
    Request,
    WrongUse,
    nothing_to_change,
)
from bouncer.control.server import counted
from bouncer.login import passwords
from storage import accounts
from storage.records import Certificate, User
from storage.rows import folded

MAX_CERTIFICATES = 100  # of one user

log = structlog.get_logger("control")

PASSWORD = Option("--password", ("PASSWORD",), "the password; without it one is made and shown")
_SETTINGS = (
    Option("--nick", ("NICK",), "the nick wanted on networks that name none", readers.nick, "nick"),
    Option("--realname", ("TEXT",), "the realname likewise", readers.line, "realname"),
    Option(
        "--auto-away",
        ("true|false|default",),
        "be away on networks while no client is attached",
        readers.yes_no_default,
        "auto_away",
    ),
    Option(
        "--autoplay",
        ("on|off|default",),
        "play back what clients missed without being asked",
        readers.yes_no_default,
        "autoplay",
    ),
    *keep.OPTIONS,
)
_ENABLED = Option("--enabled", ("true|false",), "may log in", readers.yes_no, "enabled")
_FOR_ADMINS = {"admin", "enabled", "keep_bytes"}
_ADMIN = Option("--admin", ("true|false",), "may manage users and server", readers.yes_no, "admin")


async def add(desk: Desk, request: Request) -> list[str]:
    given = request.option("--password")
    password = passwords.new_password() if given is None else given
    hashed = await desk.hasher.make(password)
    user = User(
        request["NAME"],
        admin=bool(request.option("--admin")),
        password_hash=hashed.password_hash,
        scram=hashed.scram,
        **{name: value for name, value in request.changes.items() if name != "admin"},
    )
    await desk.change(accounts.add_user, user)
    await desk.refresh(user.name)
    made = "" if given is not None else f"; password, shown only now: {password}"
    return [f"user {user.name} added{' as admin' if user.admin else ''}{made}"]


async def change(desk: Desk, request: Request) -> list[str]:
    password = request.option("--password")
    if not request.changes and password is None:
        raise nothing_to_change("user set")
    # A limit of room that one can lift oneself would be none.
    if _FOR_ADMINS & set(request.changes) and not request.actor.admin:
        raise ControlError("--admin, --enabled and --keep-size are for administrators")
    changes = dict(request.changes)
    if password is not None:
        hashed = await desk.hasher.make(password)
        changes |= {"password_hash": hashed.password_hash, "scram": hashed.scram}

    def write(connection: Connection) -> User:
        user = accounts.get_user(connection, request.owner)
        with _keeping_an_admin(connection):
            return accounts.change_user(connection, user.id, **changes)

    user = await desk.change(write)
    await desk.refresh(user.name)
    return [f"user {user.name} changed: {', '.join(request.given)}"]


async def passwd(desk: Desk, request: Request) -> list[str]:
    given = request.option("--password")
    if (given is None) == (request.option("--generate") is None):  # none is changed by mistake
        raise WrongUse(
            "nothing was changed; give the new password, by --password, or let one be made and "
            "shown, by --generate"
        )
    password = passwords.new_password() if given is None else given
    hashed = await desk.hasher.make(password)

    def write(connection: Connection) -> User:
        user = accounts.get_user(connection, request.owner)
        return accounts.change_user(
            connection, user.id, password_hash=hashed.password_hash, scram=hashed.scram
        )

    user = await desk.change(write)
    made = "" if given is not None else f"; it is, shown only now: {password}"
    return [f"password of {user.name} changed{made}"]


async def listing(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> list[tuple[User, int]]:
        name = request["NAME"]
        users = accounts.list_users(connection)
        if name is not None:
            users = [accounts.get_user(connection, name)]
        return [(user, len(accounts.list_networks(connection, user.id))) for user in users]

    lines = []
    for user, networks in await desk.store.read(read):
        marks = ["admin"] if user.admin else []
        marks += [] if user.enabled else ["disabled"]
        marks.append(counted(networks, "network"))
        marks += keep.limits(user)
        if desk.live is not None:
            marks.append(counted(len(desk.live.clients(user.name)), "client"))
        lines.append(f"{user.name}: {', '.join(marks)}")
    return lines or ["no users; `user add NAME` makes one"]


async def remove(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> tuple[User, list[str]]:
        user = accounts.get_user(connection, request["NAME"])
        with _keeping_an_admin(connection):
            accounts.remove_user(connection, user.id)
        # Who gets the name next must not be taken for them.
        theirs = [
            person.handle
            for person in accounts.list_staff(connection)
            if folded(person.user) == folded(user.name)
        ]
        for handle in theirs:
            accounts.change_staff(connection, handle, user="")
        return user, theirs

    user, theirs = await desk.change(write)
    await desk.refresh(user.name)
    if theirs:
        await desk.roster_changed()
    return [
        f"user {user.name} removed, with networks, channels and history",
        *(f"{handle} stays on the roster, without a user" for handle in theirs),
    ]


@contextmanager
def _keeping_an_admin(connection: Connection) -> Iterator[None]:
    """Refuse, and so roll back, what takes the last admin away from users who had one."""

    def any_admin() -> bool:
        users = accounts.list_users(connection)
        return not users or any(user.admin and user.enabled for user in users)

    had_one = any_admin()
    yield
    if had_one and not any_admin():
        raise ControlError("that would leave no admin; make another user admin first")


async def add_certificate(desk: Desk, request: Request) -> list[str]:
    """A fingerprint is no secret, and may have been named by somebody who has not the key. Who
    shows the certificate has it, and takes it over."""
    fingerprint = request["FINGERPRINT"]
    name = (await desk.store.read(accounts.get_user, request.owner)).name
    is_shown = desk.live is not None and desk.live.shows(name, fingerprint)

    def write(connection: Connection) -> User | None:
        user = accounts.get_user(connection, name)
        before = accounts.user_by_certificate(connection, fingerprint)
        if before is not None and before.id != user.id:
            if not is_shown:
                whose = before.name if request.actor.admin else "another user"
                raise ControlError(
                    f"{whose} has named this certificate already; to take it over connect as "
                    f"{name} with it and the password, and say this again while you are there"
                )
            accounts.remove_certificate(connection, before.id, fingerprint)
        if len(accounts.list_certificates(connection, user.id)) >= MAX_CERTIFICATES:
            raise ControlError(
                f"{name} has {MAX_CERTIFICATES} certificates already; `certfp remove` makes room"
            )
        label = request.option("--label", "")
        accounts.add_certificate(connection, Certificate(user.id, fingerprint, label=label))
        return before

    before = await desk.change(write)
    if before is not None:
        log.warning("certificate taken over", by=name, of=before.name, fingerprint=fingerprint)
    taken = f", and {before.name} no more" if before is not None else ""
    return [f"{name} may log in with certificate {_short(fingerprint)}{taken}"]


async def list_certificates(desk: Desk, request: Request) -> list[str]:
    def read(connection: Connection) -> list[Certificate]:
        user = accounts.get_user(connection, request.owner)
        return accounts.list_certificates(connection, user.id)

    found = await desk.store.read(read)
    return [f"{each.fingerprint} {each.label}".rstrip() for each in found] or [
        f"no certificates of {request.owner}; `certfp add FINGERPRINT` adds one"
    ]


async def remove_certificate(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> None:
        user = accounts.get_user(connection, request.owner)
        accounts.remove_certificate(connection, user.id, request["FINGERPRINT"])

    await desk.change(write)
    return [f"certificate {_short(request['FINGERPRINT'])} logs nobody in any more"]


def _short(fingerprint: str) -> str:
    return f"{fingerprint[:16]}…"


_NAME = Argument("NAME", readers.name)
_FINGERPRINT = Argument("FINGERPRINT", readers.fingerprint)

COMMANDS = (
    Command(
        ("user", "add"),
        Permission.ADMIN,
        "let somebody use this bouncer",
        add,
        (_NAME,),
        (Option("--admin", (), "may manage users and server"), PASSWORD, _ENABLED, *_SETTINGS),
        also=("create",),
    ),
    Command(
        ("user", "set"),
        Permission.USER,
        "change a user's settings",
        change,
        (),
        (
            _ADMIN,
            _ENABLED,
            Option("--password", ("PASSWORD",), "a new password"),
            *_SETTINGS,
        ),
        owned=True,
        also=("update",),
    ),
    Command(
        ("user", "passwd"),
        Permission.USER,
        "set a new password; clients that are attached stay",
        passwd,
        (),
        (
            Option("--password", ("PASSWORD",), "the new password"),
            Option("--generate", (), "make one, and show it"),
        ),
        owned=True,
    ),
    Command(
        ("user", "list"),
        Permission.ADMIN,
        "show all users, or one",
        listing,
        (Argument("NAME", readers.name, optional=True),),
        also=("status",),
    ),
    Command(
        ("user", "remove"),
        Permission.ADMIN,
        "remove a user and all that is theirs",
        remove,
        (_NAME,),
        also=("delete",),
    ),
    Command(
        ("certfp", "add"),
        Permission.USER,
        "let a client certificate log in",
        add_certificate,
        (_FINGERPRINT,),
        (Option("--label", ("TEXT",), "a word to know it by", readers.line),),
        owned=True,
    ),
    Command(
        ("certfp", "list"),
        Permission.USER,
        "show the client certificates that log in",
        list_certificates,
        owned=True,
    ),
    Command(
        ("certfp", "remove"),
        Permission.USER,
        "let a client certificate log in no more",
        remove_certificate,
        (_FINGERPRINT,),
        owned=True,
        also=("delete",),
    ),
)
