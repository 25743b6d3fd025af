"""Passwords as they are kept: argon2id and a SCRAM-SHA-256 verifier, both made when one is set.

Hashing takes tens of milliseconds and megabytes, so it runs in threads, a few at a time. Hashes
that came with an import are accepted at a PLAIN login and replaced there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import cast

import argon2
import trio

from bouncer.irc.sasl import ScramKeys

HASHERS = 2  # threads at a time, 19 MiB each; more logins wait their turn
# OWASP Password Storage Cheat Sheet (argon2id, m=19 MiB, t=2, p=1): a hundred users who come back
# at once after a restart are served within seconds.
_ARGON2 = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
MAX_PASSWORD = 300  # octets: SASL PLAIN travels in 400-octet chunks, PASS in one line
_ZNC = "znc-sha256$"  # ours: znc-sha256$SALT$HEX, for ZNC's <Pass> of method sha256
_BCRYPT = ("$2a$", "$2b$", "$2y$")


class BadPassword(ValueError):
    """A password that cannot be set. Its text is the user's message."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """What is stored of a password."""

    password_hash: str
    scram: str


def new_password() -> str:
    """A random password of 100 bits that survives being read aloud: `k7dq3-…`, four groups."""
    letters = base64.b32encode(secrets.token_bytes(13)).decode().lower()
    return "-".join(letters[start : start + 5] for start in range(0, 20, 5))


def make(password: str) -> Hashed:
    """Hash a new password; takes about 60 ms. Raises BadPassword."""
    if not password:
        raise BadPassword("the password is empty")
    if len(_octets(password)) > MAX_PASSWORD:
        raise BadPassword(f"the password is longer than {MAX_PASSWORD} octets")
    if any(ord(char) < 32 or ord(char) == 127 for char in password):
        raise BadPassword("the password holds control characters; IRC clients cannot send them")
    try:
        scram = ScramKeys.of(password)
    except ValueError:
        raise BadPassword("the password holds characters that SASL forbids (RFC 4013)") from None
    return Hashed(_ARGON2.hash(_octets(password)), str(scram))


def verify(stored: str, password: str) -> bool:
    """Whether `stored` was made from `password`. Total; an unknown kind of hash is False."""
    if stored.startswith("$argon2"):
        try:
            return _ARGON2.verify(stored, _octets(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHash):
            return False
    if stored.startswith(_ZNC):
        salt, _, digest = stored.removeprefix(_ZNC).partition("$")
        # ZNC, Utils.cpp: SHA-256 of the password followed by the salt
        made = hashlib.sha256(_octets(password + salt)).hexdigest()
        return hmac.compare_digest(made.encode(), _octets(digest.lower()))
    if stored.startswith(_BCRYPT):
        return _verify_bcrypt(stored, password)
    return False


def znc_hash(salt: str, digest: str) -> str:
    """The stored form of ZNC's <Pass> block with method sha256."""
    return f"{_ZNC}{salt}${digest}"


def is_outdated(stored: str) -> bool:
    """Whether the hash came from elsewhere or from weaker settings and is due for a new one."""
    if not stored.startswith("$argon2"):
        return True
    return _ARGON2.check_needs_rehash(stored)


def _verify_bcrypt(stored: str, password: str) -> bool:
    """soju's hashes. The library is an extra: without it such a user needs a new password."""
    try:
        import bcrypt  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return False
    try:
        # bcrypt sees 72 octets at most, and newer libraries refuse to be given more.
        return cast(bool, bcrypt.checkpw(_octets(password)[:72], _octets(stored)))
    except ValueError:
        return False


def _octets(text: str) -> bytes:
    """UTF-8; total also for text that no well-formed octets can have made."""
    return text.encode("utf-8", "surrogatepass")


# Verified where there is no such user, so that the answer takes as long as a wrong password's.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$bXVzdGVybXVzdGVyMTIzNA$" + "A" * 43


class Hasher:
    """The same in threads, `HASHERS` at a time; the rest of the bouncer goes on meanwhile."""

    def __init__(self, parallel: int = HASHERS) -> None:
        self._limiter = trio.CapacityLimiter(parallel)

    async def make(self, password: str) -> Hashed:
        """As make(), in a thread. Raises BadPassword."""
        return await trio.to_thread.run_sync(make, password, limiter=self._limiter)

    async def verify(self, stored: str, password: str) -> bool:
        """As verify(), in a thread; costs the same for "" (nobody, or no password)."""
        right = await trio.to_thread.run_sync(
            verify, stored or _NOBODY, password, limiter=self._limiter
        )
        return right and bool(stored)
