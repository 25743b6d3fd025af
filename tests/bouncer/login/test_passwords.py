"""Passwords: kept so that nothing can be read back, checked in every form they came in."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest

from bouncer.irc.sasl import ScramKeys
from bouncer.login import passwords
from bouncer.login.passwords import BadPassword, Hasher


def test_a_password_is_kept_as_two_verifiers_and_neither_holds_it() -> None:
    hashed = passwords.make("correct horse")
    assert hashed.password_hash.startswith("$argon2id$")
    assert hashed.scram.startswith("SCRAM-SHA-256$")
    assert "correct" not in hashed.password_hash + hashed.scram
    assert passwords.verify(hashed.password_hash, "correct horse")
    assert not passwords.verify(hashed.password_hash, "correct horsf")
    assert not passwords.is_outdated(hashed.password_hash)


def test_the_scram_verifier_is_the_one_of_rfc_5802() -> None:
    """ "SaltedPassword := Hi(Normalize(password), salt, i)"; "StoredKey := H(ClientKey)"."""
    keys = ScramKeys.parse(passwords.make("pencil").scram)
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", keys.salt, keys.iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert keys.stored_key == hashlib.sha256(client_key).digest()
    assert keys.server_key == hmac.digest(salted, b"Server Key", "sha256")


@pytest.mark.parametrize("password", ["", "x" * 301, "tab\there", "nul\0", "bell\a", "\ud800"])
def test_a_password_that_no_client_could_send_is_refused(password: str) -> None:
    with pytest.raises(BadPassword):
        passwords.make(password)


@pytest.mark.parametrize("password", ["ü" * 100, "x" * 300, "a b c", "密码"])
def test_long_and_foreign_passwords_work(password: str) -> None:
    assert passwords.verify(passwords.make(password).password_hash, password)


def test_an_imported_znc_hash_is_accepted_and_outdated() -> None:
    # made by `znc --makepass` from the password "bouncer"
    salt = "?-q4bVhJ2kq!pE_Yj;3r"
    digest = hashlib.sha256(b"bouncer" + salt.encode()).hexdigest()
    stored = passwords.znc_hash(salt, digest)
    assert passwords.verify(stored, "bouncer")
    assert not passwords.verify(stored, "Bouncer")
    assert passwords.is_outdated(stored)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$broken", "$2b$10$short", "znc-sha256$"])
def test_a_damaged_hash_lets_nobody_in(stored: str) -> None:
    assert not passwords.verify(stored, stored)
    assert not passwords.verify(stored, "")


def test_new_passwords_differ_and_need_no_quoting() -> None:
    made = {passwords.new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(word.replace("-", "").isalnum() and len(word) == 23 for word in made)


async def test_a_missing_user_costs_as_much_as_a_wrong_password() -> None:
    hasher = Hasher()
    hashed = await hasher.make("secret")
    await hasher.verify("", "warm up")

    async def cost(stored: str) -> float:
        begin = time.process_time()
        for _ in range(5):
            assert not await hasher.verify(stored, "wrong")
        return time.process_time() - begin

    known, unknown = await cost(hashed.password_hash), await cost("")
    assert unknown > known / 2
