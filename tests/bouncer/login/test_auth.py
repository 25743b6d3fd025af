"""Logins: let in by password, SCRAM or certificate; failures tell nothing and cost time."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing
from argon2 import PasswordHasher

from bouncer.config import Limits
from bouncer.irc.login import Login
from bouncer.irc.registration import ExternalAttempt, PlainAttempt, ScramAttempt, ScramLookup
from bouncer.irc.sasl import ScramKeys
from bouncer.login import passwords
from bouncer.login.auth import Authenticator, Refused
from bouncer.login.throttle import MAX_KEYS, Throttle, source_of
from storage import accounts
from storage.errors import StorageError
from storage.records import Certificate, User
from storage.store import Store, open_store
from tests.storage.ready import ready

LIMITS = Limits(login_per_min=3)
FAR = "192.0.2.7"
ALICE_CERT = "ab" * 32


@dataclass
class Place:
    store: Store
    door: Authenticator
    hashed: passwords.Hashed = field(default_factory=lambda: passwords.make("secret"))

    async def log_in(self, login: str, password: str, peer: str = FAR) -> str:
        user = await self.door.attempt(PlainAttempt(Login.parse(login), password), peer)
        assert isinstance(user, User)
        return user.name


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_store(await ready(tmp_path)) as store:
        place = Place(store, Authenticator(store, passwords.Hasher(), LIMITS))
        hashed = place.hashed
        alice = User("alice", password_hash=hashed.password_hash, scram=hashed.scram)
        alice = await store.run(accounts.add_user, alice)
        await store.run(accounts.add_certificate, Certificate(alice.id, ALICE_CERT))
        gone = User("gone", enabled=False, password_hash=hashed.password_hash, scram=hashed.scram)
        await store.run(accounts.add_user, gone)
        yield place


async def test_the_right_password_lets_in_whatever_the_login_form(place: Place) -> None:
    for login in ("alice", "Alice", "alice/libera", "alice/libera@phone", "alice@phone/libera"):
        assert await place.log_in(login, "secret") == "alice"


@pytest.mark.parametrize(
    ("login", "password"), [("alice", "Secret"), ("nobody", "secret"), ("gone", "secret"), ("", "")]
)
async def test_every_failure_says_the_same(place: Place, login: str, password: str) -> None:
    with pytest.raises(Refused, match=r"^Wrong user or password$"):
        await place.log_in(login, password)


async def test_a_certificate_lets_its_user_in_and_nobody_else(place: Place) -> None:
    for login in ("", "alice", "alice/libera"):
        user = await place.door.attempt(ExternalAttempt(Login.parse(login), ALICE_CERT), FAR)
        assert isinstance(user, User)
        assert user.name == "alice"
    with pytest.raises(Refused):
        await place.door.attempt(ExternalAttempt(Login("gone"), ALICE_CERT), FAR)
    with pytest.raises(Refused):
        await place.door.attempt(ExternalAttempt(Login(""), "cd" * 32), FAR)


async def test_scram_keys_are_the_users_own(place: Place) -> None:
    keys = await place.door.attempt(ScramLookup(Login("alice")), FAR)
    assert keys == ScramKeys.parse(place.hashed.scram)
    user = await place.door.attempt(ScramAttempt(Login("alice"), proven=True), FAR)
    assert isinstance(user, User)


async def test_made_up_scram_keys_look_like_real_ones_and_never_change(place: Place) -> None:
    first = await place.door.attempt(ScramLookup(Login("nobody")), FAR)
    after_restart = Authenticator(place.store, passwords.Hasher(), LIMITS)
    assert await after_restart.attempt(ScramLookup(Login("Nobody")), FAR) == first
    assert await place.door.attempt(ScramLookup(Login("gone")), FAR) != first
    real = ScramKeys.parse(place.hashed.scram)
    assert isinstance(first, ScramKeys)
    assert [len(part) for part in first[:3]] == [len(part) for part in real[:3]]
    assert first.iterations == real.iterations
    with pytest.raises(Refused):
        await place.door.attempt(ScramAttempt(Login("nobody"), proven=True), FAR)


async def test_failures_from_one_address_are_throttled(place: Place) -> None:
    for name in ("alice", "bob", "carol"):
        with pytest.raises(Refused, match="Wrong"):
            await place.log_in(name, "wrong")
    with pytest.raises(Refused, match="try again in"):
        await place.log_in("alice", "secret")
    assert await place.log_in("alice", "secret", "198.51.100.1") == "alice"


async def test_tries_at_the_same_moment_count_each(place: Place) -> None:
    said = []

    async def guess(word: str) -> None:
        try:
            await place.log_in("alice", word)
        except Refused as refused:
            said.append(str(refused)[:5])

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(guess, f"guess{number}")
    assert sorted(said) == ["Too m"] * 5 + ["Wrong"] * 3


async def test_failures_for_one_user_from_everywhere_are_throttled(place: Place) -> None:
    for host in (1, 2, 3):
        with pytest.raises(Refused, match="Wrong"):
            await place.log_in("alice", "wrong", f"198.51.100.{host}")
    with pytest.raises(Refused, match="try again in"):
        await place.log_in("alice", "wrong", "198.51.100.4")


async def test_strangers_do_not_lock_a_user_out_of_their_usual_place(place: Place) -> None:
    await place.log_in("alice", "secret", FAR)
    for host in (1, 2, 3, 4):
        with pytest.raises(Refused):
            await place.log_in("alice", "wrong", f"198.51.100.{host}")
    assert await place.log_in("alice", "secret", FAR) == "alice"


async def test_a_team_that_comes_back_at_once_gets_in(place: Place) -> None:
    """From one address, as from an office, with more people than wrong passwords are allowed."""
    let_in = []

    async def come_back(number: int) -> None:
        let_in.append(await place.log_in("alice", "secret", f"192.0.2.{number % 2}"))

    async with trio.open_nursery() as nursery:
        for number in range(5 * LIMITS.login_per_min):
            nursery.start_soon(come_back, number)
    assert len(let_in) == 5 * LIMITS.login_per_min


async def test_a_colleague_s_old_password_locks_nobody_else_out(place: Place) -> None:
    """At one address, where both have logged in before."""
    bob = User("bob", password_hash=place.hashed.password_hash, scram=place.hashed.scram)
    await place.store.run(accounts.add_user, bob)
    for name in ("alice", "bob"):
        await place.log_in(name, "secret")
    for _ in range(LIMITS.login_per_min):
        with pytest.raises(Refused, match="Wrong"):
            await place.log_in("bob", "old")
    with pytest.raises(Refused, match="try again in"):
        await place.log_in("bob", "secret")
    assert await place.log_in("alice", "secret") == "alice"


async def test_who_guesses_passwords_does_not_hinder_certificates(place: Place) -> None:
    for _ in range(LIMITS.login_per_min):
        with pytest.raises(Refused, match="Wrong"):
            await place.log_in("alice", "wrong")
    user = await place.door.attempt(ExternalAttempt(Login("alice"), ALICE_CERT), FAR)
    assert isinstance(user, User)


class Unreadable:
    """A store that a damaged disk lets nobody read, until it is mended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_mended = False

    async def read(self, fn: Callable[..., object], *args: object) -> object:
        if not self.is_mended:
            raise StorageError("the database is damaged")
        return await self._store.read(fn, *args)


async def test_a_database_that_cannot_be_read_is_nobody_s_wrong_password(place: Place) -> None:
    store = Unreadable(place.store)
    place.door = Authenticator(cast(Store, store), passwords.Hasher(), LIMITS)
    for _ in range(LIMITS.login_per_min + 1):
        with pytest.raises(Refused, match="Logins cannot be checked now; try again later"):
            await place.log_in("alice", "secret")
    with pytest.raises(Refused, match="cannot be checked now"):
        await place.door.attempt(ScramLookup(Login("alice")), FAR)
    store.is_mended = True
    assert await place.log_in("alice", "secret") == "alice"


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "", "unix"])
async def test_loopback_is_never_throttled(place: Place, peer: str) -> None:
    for _ in range(5):
        with pytest.raises(Refused, match="Wrong"):
            await place.log_in("alice", "wrong", peer)
    assert await place.log_in("alice", "secret", peer) == "alice"


async def test_an_imported_hash_is_replaced_at_the_first_login(place: Place) -> None:
    digest = hashlib.sha256(b"oldsalt").hexdigest()
    imported = User("bob", password_hash=passwords.znc_hash("salt", digest))
    bob = await place.store.run(accounts.add_user, imported)
    assert await place.log_in("bob", "old") == "bob"
    upgraded = await place.store.read(accounts.user_by_id, bob.id)
    assert upgraded.password_hash.startswith("$argon2id$")
    assert upgraded.scram
    assert await place.log_in("bob", "old") == "bob"


async def test_a_hash_of_weaker_settings_is_replaced_too(place: Place) -> None:
    made = passwords.make("secret")
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
    carol = await place.store.run(
        accounts.add_user, User("carol", password_hash=weak, scram=made.scram)
    )
    assert passwords.is_outdated(weak)
    assert await place.log_in("carol", "secret") == "carol"
    upgraded = await place.store.read(accounts.user_by_id, carol.id)
    assert not passwords.is_outdated(upgraded.password_hash)
    assert await place.log_in("carol", "secret") == "carol"


def test_a_throttle_lets_one_more_in_as_time_goes_by() -> None:
    throttle = Throttle(6)
    for _ in range(6):
        assert throttle.wait_s("a", 0.0) == 0
        throttle.take("a", 0.0)
    assert throttle.wait_s("a", 0.0) == pytest.approx(10.0)
    assert throttle.wait_s("a", 10.0) == 0
    assert throttle.wait_s("b", 0.0) == 0


def test_a_throttle_forgets_and_does_not_grow() -> None:
    throttle = Throttle(1)
    for number in range(MAX_KEYS + 5):
        throttle.take(number, 0.0)
    assert throttle.wait_s(0, 0.0) == 0
    assert throttle.wait_s(MAX_KEYS, 0.0) > 0


def test_no_limit_is_no_limit() -> None:
    throttle = Throttle(0)
    throttle.take("a", 0.0)
    assert throttle.wait_s("a", 0.0) == 0


def test_an_ipv6_host_counts_with_its_whole_network() -> None:
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert source_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert source_of("fe80::1%eth0") == "fe80::/64"
