"""What a client's registration asks its caller to check; each is answered by accept or refuse."""

from __future__ import annotations

from typing import NamedTuple

from bouncer.irc.login import Login


class PlainAttempt(NamedTuple):
    """Check a password (SASL PLAIN, or PASS)."""

    login: Login
    password: str


class ExternalAttempt(NamedTuple):
    """Check a client certificate. The login's user is '' where the client leaves it to us."""

    login: Login
    fingerprint: str


class ScramLookup(NamedTuple):
    """Wanted: the SCRAM keys of a user, fake ones if there is none. Answer by `scram_keys`."""

    login: Login


class ScramAttempt(NamedTuple):
    """A finished SCRAM exchange. Not `proven` is a wrong password: count it, then `refuse`."""

    login: Login
    proven: bool


Attempt = PlainAttempt | ExternalAttempt | ScramLookup | ScramAttempt


def named(attempt: ExternalAttempt, username: str) -> ExternalAttempt:
    """Clients leave it to us who they are, and USER says it where it names a network: then it is
    that user or nobody, whoever else has named this certificate."""
    login = Login.parse(username)
    return attempt if login == Login(login.user) else attempt._replace(login=login)


def read_pass(text: str, username: str) -> tuple[Login, str]:
    """`user/network:password`, or a password alone beside `USER user/network`.

    A password may hold a colon: what stands before it counts as a login unless USER names a
    network, or a client, for somebody else.
    """
    by_user = Login.parse(username)
    before, colon, password = text.partition(":")
    by_pass = Login.parse(before)
    full = by_user.network is not None or by_user.client is not None
    if not colon or not before or (full and by_pass.user.lower() != by_user.user.lower()):
        return by_user, text
    return by_pass, password
