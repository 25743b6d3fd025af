"""The first start with no configuration: the user `admin`, and how to connect as them."""

from __future__ import annotations

from sqlalchemy import Connection

from bouncer.config import Config, Listen
from bouncer.login import passwords
from bouncer.login.passwords import Hasher
from storage import accounts
from storage.records import User
from storage.store import Store

ADMIN = "admin"


async def first_start(store: Store, hasher: Hasher) -> str | None:
    """Make the user `admin` where there is no user yet; their password, or None otherwise."""
    password = passwords.new_password()
    if await store.read(accounts.list_users):
        return None
    hashed = await hasher.make(password)

    def write(connection: Connection) -> bool:
        if accounts.list_users(connection):
            return False
        admin = User(ADMIN, admin=True, password_hash=hashed.password_hash, scram=hashed.scram)
        accounts.add_user(connection, admin)
        return True

    return password if await store.run(write) else None


def lines(config: Config, password: str, command: str = "bouncer") -> list[str]:
    """What the operator reads once: the password, and lines to paste into common clients, and into
    a shell where the bouncer is called `command`."""
    tls = _first(config, tls=True)
    plain = _first(config, tls=False)
    shown = [
        "",
        f"Muster's bouncer is new here. User: {ADMIN}  Password: {password}",
        f"It is shown only this once; `{command} user passwd admin` sets another.",
    ]
    if tls is not None:
        host, port = _reachable(tls), tls.address.port
        shown += [
            "Connect by TLS (the certificate is self-signed):",
            f"  irssi    /connect -tls -notls_verify {host} {port} {ADMIN}:{password}",
            f"  WeeChat  /server add muster {host}/{port} -tls -notls_verify "
            f"-password={ADMIN}:{password}",
            "           /connect muster",
            "           (before version 4.0: -ssl -nossl_verify in place of -tls -notls_verify)",
            f"  HexChat  /server -ssl-noverify {host} {port} {ADMIN}:{password}",
        ]
    if plain is not None:
        host, port = _reachable(plain), plain.address.port
        shown.append(f"Or without TLS, on this machine: {host} port {port}, the same password.")
    shown += [
        "Then, in your client:  /msg BouncerServ help",
        f"Or here:  {command} network add admin libera ircs://irc.libera.chat --nick YOURNICK",
        "",
    ]
    return shown


def _first(config: Config, *, tls: bool) -> Listen | None:
    return next((each for each in config.listen if each.tls is tls and each.address.host), None)


def _reachable(listen: Listen) -> str:
    return "127.0.0.1" if listen.address.host in ("0.0.0.0", "::") else listen.address.host
