"""The people of the roster: how they are called, where they are known, and what proves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from bouncer.control import readers
from bouncer.control.actors import EVERYWHERE, Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import (
    Argument,
    ControlError,
    Option,
    Reader,
    Request,
    nothing_to_change,
)
from bouncer.control.server import counted
from bouncer.irc.split import join_entries
from bouncer.login import totp
from bouncer.mesh import proofs
from bouncer.mesh.roster import Credential
from storage import accounts
from storage.records import Staff
from storage.rows import folded

Pairs = tuple[tuple[str, str], ...]
_KINDS = (
    ("ssh", "ssh key"),
    ("certfp", "certificate"),
    ("recovery", "code"),
    ("totp", "authenticator app"),
)


async def add(desk: Desk, request: Request) -> list[str]:
    secret, enrolled = _totp(request)

    def write(connection: Connection) -> None:
        empty = Staff(request["HANDLE"])
        changes = _changes(connection, request, empty, secret)
        _refuse_shared(connection, request["HANDLE"], changes)
        accounts.add_staff(connection, Staff(request["HANDLE"], **changes))

    await desk.change(write)
    await desk.roster_changed()
    return [
        f"{request['HANDLE']} is on the roster; "
        f"`staff codes {request['HANDLE']}` makes recovery codes",
        *enrolled,
    ]


async def change(desk: Desk, request: Request) -> list[str]:
    secret, enrolled = _totp(request)

    def write(connection: Connection) -> dict[str, Any]:
        known = accounts.get_staff(connection, request["HANDLE"])
        changes = _changes(connection, request, known, secret)
        if not changes:
            raise nothing_to_change("staff set")
        _refuse_shared(connection, known.handle, changes)
        accounts.change_staff(connection, known.handle, **changes)
        return changes

    changes = await desk.change(write)
    await desk.roster_changed()
    return [f"{request['HANDLE']} changed: {', '.join(sorted(changes))}", *enrolled]


def _totp(request: Request) -> tuple[Credential | None, list[str]]:
    """With --totp a new secret, and what to say of it: the only time that it is shown."""
    if not request.option("--totp"):
        return None, []
    secret = totp.new_credential()
    return secret, [
        "for the authenticator app, shown only now; older ones work no more:",
        totp.uri(secret, request["HANDLE"], "Muster"),
    ]


async def listing(desk: Desk, request: Request) -> list[str]:
    people = await desk.store.read(accounts.list_staff)
    lines = []
    for person in people:
        if request["ROLE"] and person.role != request["ROLE"]:
            continue
        parts = [person.role or "no role"]
        parts += [f"on call {person.oncall}"] if person.oncall else []
        parts += ["admin"] if person.admin else []
        parts += [f"user {person.user}"] if person.user else []
        parts += [f"nick {nick} on {network}" for network, nick in person.nicks]
        parts += [f"account {name} on {network}" for network, name in person.accounts]
        for kind, what in _KINDS:
            number = sum(1 for each, _ in person.keys if each == kind)
            parts += [counted(number, what)] if number else []
        lines.append(f"{person.handle}: {', '.join(parts)}")
    if people and not lines:
        return [f"nobody on the roster with role {request['ROLE']}"]
    return lines or ["nobody on the roster; `staff add HANDLE` adds somebody"]


async def remove(desk: Desk, request: Request) -> list[str]:
    await desk.change(accounts.remove_staff, request["HANDLE"])
    await desk.roster_changed()
    return [f"{request['HANDLE']} is off the roster"]


async def certificates(desk: Desk, request: Request) -> list[str]:
    """Those of one person, or one of them taken away."""
    lost = request.option("--remove")

    def write(connection: Connection) -> Staff:
        person = accounts.get_staff(connection, request["HANDLE"])
        kept = tuple(pair for pair in person.keys if pair != ("certfp", lost))
        if kept == person.keys:
            raise ControlError(
                f"{person.handle} has no such certificate; "
                f"`staff certfp {person.handle}` lists what is there"
            )
        accounts.change_staff(connection, person.handle, keys=kept)
        return person

    if lost is not None:
        person = await desk.change(write)
        await desk.roster_changed()
        return [f"certificate {lost} is no longer {person.handle}'s"]
    person = await desk.store.read(accounts.get_staff, request["HANDLE"])
    return [public for kind, public in person.keys if kind == "certfp"] or [
        f"no certificates of {person.handle}; "
        f"`staff set {person.handle} --certfp FINGERPRINT` adds one"
    ]


async def codes(desk: Desk, request: Request) -> list[str]:
    """New recovery codes; those given out before are worth nothing from now on."""
    fresh = proofs.new_codes()

    def write(connection: Connection) -> None:
        person = accounts.get_staff(connection, request["HANDLE"])
        kept = tuple(pair for pair in person.keys if pair[0] != "recovery")
        hashes = tuple(("recovery", proofs.code_hash(code)) for code in fresh)
        accounts.change_staff(connection, person.handle, keys=kept + hashes)

    await desk.change(write)
    await desk.roster_changed()
    return [
        f"recovery codes of {request['HANDLE']}, shown only now; each works once, "
        "said in private; older ones work no more",
        *fresh,
    ]


async def roster(desk: Desk, request: Request) -> list[str]:
    """Who is where: `alice=alice_ (bouncer) oncall; bob=?`, in one line where they fit."""
    people = await desk.store.read(accounts.list_staff)
    if request["ROLE"]:
        people = [person for person in people if person.role == request["ROLE"]]
    if not people:
        role = f" with role {request['ROLE']}" if request["ROLE"] else ""
        return [f"nobody on the roster{role}"]
    people.sort(key=lambda person: (person.oncall or len(people) + 99, person.handle))
    return join_entries([_where(desk, person) for person in people], readers.MAX_TEXT)


def _where(desk: Desk, person: Staff) -> str:
    ops = desk.config.ops
    nick = ""
    if desk.live is not None and person.user:
        standing = desk.live.network_status(person.user)
        home = folded(ops.network) if ops else ""
        standing = [each for each in standing if not home or folded(each.name) == home]
        nick = next((each.nick for each in standing if each.nick), "")
    where = f"{nick} (bouncer)" if nick else "?"
    return f"{person.handle}={where}{' oncall' if person.oncall else ''}"


def _changes(
    connection: Connection, request: Request, known: Staff, secret: Credential | None
) -> dict[str, Any]:
    changes = dict(request.changes)
    if changes.get("user"):
        changes["user"] = accounts.get_user(connection, changes["user"]).name
    if pairs := request.option("--nick"):
        changes["nicks"] = _merged(known.nicks, pairs, readers.nick, "--nick")
    if pairs := request.option("--account"):
        changes["accounts"] = _merged(known.accounts, pairs, readers.word, "--account")
    keys = known.keys
    if request.option("--no-ssh-keys"):
        keys = tuple(pair for pair in keys if pair[0] != "ssh")
    if secret is not None or request.option("--no-totp"):
        keys = tuple(pair for pair in keys if pair[0] != "totp")
    if secret is not None:
        keys = (*keys, (secret.kind, secret.public))
    for line in request.option("--ssh-key", ()):
        credential = proofs.ssh_credential(line)
        keys = (*keys, (credential.kind, credential.public))
    for fingerprint in request.option("--certfp", ()):
        keys = (*keys, ("certfp", fingerprint))
    if keys != known.keys:
        changes["keys"] = tuple(dict.fromkeys(keys))
    return changes


def _refuse_shared(connection: Connection, handle: str, changes: dict[str, Any]) -> None:
    """What says by itself who somebody is must not say two people."""

    def marks(pairs: Pairs) -> set[tuple[str, str]]:
        return {(where.casefold(), what.casefold()) for where, what in pairs}

    certificates = tuple(pair for pair in changes.get("keys", ()) if pair[0] == "certfp")
    for other in accounts.list_staff(connection):
        if other.handle.casefold() == handle.casefold():
            continue
        if changes.get("user") and folded(changes["user"]) == folded(other.user):
            raise ControlError(f"user {other.user} is {other.handle}'s already")
        shared = marks(changes.get("accounts", ())) & marks(other.accounts)
        for network, name in sorted(shared):
            raise ControlError(f"account {name} on {network} is {other.handle}'s already")
        if marks(certificates) & marks(other.keys):
            raise ControlError(f"that certificate is {other.handle}'s already")


def _merged(known: Pairs, given: Pairs, read: Reader, flag: str) -> Pairs:
    """The known pairs, those of the networks in `given` replaced; an empty name only removes."""
    networks = {network for network, _ in given}
    kept = tuple(pair for pair in known if pair[0] not in networks)
    try:
        fresh = tuple((readers.name(network), read(name)) for network, name in given if name)
    except ValueError as error:
        raise ControlError(f"{flag}: {error}") from None
    return kept + fresh


_HANDLE = Argument("HANDLE", readers.nick)
_OPTIONS = (
    Option("--display", ("TEXT",), "the name people know", readers.line, "display"),
    Option("--role", ("ROLE",), "a word such as network or db", readers.word, "role"),
    Option("--oncall", ("N",), "the order of calling; 0: not on call", readers.count, "oncall"),
    Option("--admin", ("true|false",), "may declare and close incidents", readers.yes_no, "admin"),
    Option("--user", ("USER",), "their user of this bouncer", str, "user"),
    Option("--nick", ("NETWORK", "NICK"), "a nick there, the preferred one first", many=True),
    Option("--account", ("NETWORK", "NAME"), "their services account there", many=True),
    Option("--ssh-key", ("KEY",), "a public key that signs proofs (file name or text)", many=True),
    Option(
        "--certfp",
        ("FINGERPRINT",),
        "a client certificate of theirs, SHA-256, or SHA-1 for OFTC",
        readers.certfp,
        many=True,
    ),
    Option("--totp", (), "enrol an authenticator app; its secret is shown once"),
)

COMMANDS = (
    Command(
        ("staff", "add"), Permission.ADMIN, "put a person on the roster", add, (_HANDLE,), _OPTIONS
    ),
    Command(
        ("staff", "set"),
        Permission.ADMIN,
        "change a person's entry; nicks and accounts are replaced per network, keys added",
        change,
        (_HANDLE,),
        (
            *_OPTIONS,
            Option("--no-ssh-keys", (), "forget all ssh keys first"),
            Option("--no-totp", (), "forget the authenticator app"),
        ),
        also=("update",),
    ),
    Command(
        ("staff", "list"),
        Permission.ADMIN,
        "show the roster's entries",
        listing,
        (Argument("ROLE", optional=True),),
    ),
    Command(
        ("staff", "remove"),
        Permission.ADMIN,
        "take a person off the roster",
        remove,
        (_HANDLE,),
        also=("delete",),
    ),
    Command(
        ("staff", "certfp"),
        Permission.ADMIN,
        "show a person's certificates; --remove takes one away",
        certificates,
        (_HANDLE,),
        (Option("--remove", ("FINGERPRINT",), "this one is theirs no more", readers.certfp),),
    ),
    Command(
        ("staff", "codes"),
        Permission.ADMIN,
        "make new recovery codes, shown once",
        codes,
        (_HANDLE,),
    ),
    Command(
        ("roster",),
        Permission.STAFF,
        "who is where, those on call first",
        roster,
        (Argument("ROLE", optional=True),),
        doors=EVERYWHERE,
    ),
)
