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
