"""Who may come in: judges the login attempts of clients. Failures cost time, and tell nothing.

An unknown user, a disabled one and a wrong password answer alike and take equally long; a lookup
of SCRAM keys gives made-up ones for users there are not, the same each time.
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict

import structlog
import trio
from sqlalchemy import Connection

from bouncer.config import Limits
from bouncer.irc.registration import (
    Attempt,
    ExternalAttempt,
    PlainAttempt,
    ScramAttempt,
    ScramLookup,
)
from bouncer.irc.sasl import ScramKeys, load_scram
from bouncer.login import passwords
from bouncer.login.passwords import Hasher
from bouncer.login.throttle import Throttle, source_of
from storage import accounts
from storage.errors import NotFound, NotWritten, StorageError
from storage.records import User
from storage.store import Store

SECRET = "scram_secret"  # of the made-up keys, in the store's single values
MAX_TRUSTED = 10_000  # (user, address) pairs that logged in; full: the oldest is forgotten
WRONG = "Wrong user or password"

Key = tuple[str, str]

log = structlog.get_logger("auth")


class Refused(Exception):
    """Not let in. The text is for the client and says nothing about what exists.

    `user` is for the log: whom it was about. A name that nobody has is not in it, for people type
    their password there.
    """

    def __init__(self, text: str, user: User | None = None) -> None:
        super().__init__(text)
        self.user = user.name if user else ""


class Authenticator:
    """One per bouncer. `limits` may be replaced while it works, after a reload."""

    def __init__(self, store: Store, hasher: Hasher, limits: Limits) -> None:
        self.limits = limits
        self._store = store
        self._hasher = hasher
        self._throttle = Throttle(limits.login_per_min)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._secret = b""
        self._judging: Counter[Key] = Counter()  # tries whose outcome is not known yet
        self._judged = trio.Event()  # one of them has been judged

    async def get_ready(self) -> None:
        """Load what the first login by SCRAM would have everybody wait for."""
        await trio.to_thread.run_sync(load_scram)

    async def attempt(self, attempt: Attempt, peer: str) -> User | ScramKeys:
        """The user who logs in; for a ScramLookup the keys to go on with. Raises Refused.

        `peer` is the client's IP address; anything else, such as a unix socket, is this machine.
        """
        self._throttle.per_min = self.limits.login_per_min
        source = source_of(peer)
        folded_user = attempt.login.user.casefold()
        keys = self._keys(source, folded_user)
        if isinstance(attempt, ExternalAttempt):
            keys = []  # nobody guesses a certificate; whoever guesses passwords must not hinder it
        await self._may_try(keys, peer)
        try:
            if isinstance(attempt, ScramLookup):
                return await self._scram_keys(attempt.login.user)
            user = await self._counted(keys, attempt)
        except StorageError as error:
            log.error("logins cannot be checked", peer=peer, reason=str(error))
            raise Refused("Logins cannot be checked now; try again later") from None
        if source is not None:
            self._trust(user.name.casefold(), source)
        return user

    async def _may_try(self, keys: list[Key], peer: str) -> None:
        """Wait while those who are being judged hold the last tries: a team comes back at once,
        and their tries are given back. Raises Refused."""
        while blocked := [key for key in keys if self._wait_s(key) > 0]:
            if not all(self._judging[key] for key in blocked):
                wait_s = max(map(self._wait_s, blocked))
                log.warning("login throttled", peer=peer, wait_s=round(wait_s))
                raise Refused(f"Too many failed logins; try again in {wait_s:.0f} s")
            await self._judged.wait()

    def _wait_s(self, key: Key) -> float:
        return self._throttle.wait_s(key, trio.current_time())

    async def _counted(self, keys: list[Key], attempt: Attempt) -> User:
        """Judge it; only where it was wrong, or its end was not awaited, the try is spent."""
        for key in keys:
            self._throttle.take(key, trio.current_time())
        self._judging.update(keys)
        is_spent = True
        try:
            user = await self._judge(attempt)
            is_spent = False
            return user
        except StorageError:
            is_spent = False
            raise
        finally:
            self._judging -= Counter(keys)
            for key in keys if not is_spent else ():
                self._throttle.give_back(key)
            self._judged.set()
            self._judged = trio.Event()

    def _keys(self, source: str | None, folded_user: str) -> list[Key]:
        """What a failure counts against. Where a user has logged in before, that is they alone at
        that place: neither strangers lock them out nor a colleague whose client has an old
        password."""
        if source is None:
            return []
        if (folded_user, source) in self._trusted:
            return [("user at", f"{folded_user} {source}")]
        return [("address", source)] + [("user", folded_user)] * bool(folded_user)

    def _trust(self, folded_user: str, source: str) -> None:
        self._trusted[folded_user, source] = None
        self._trusted.move_to_end((folded_user, source))
        if len(self._trusted) > MAX_TRUSTED:
            self._trusted.popitem(last=False)

    async def _judge(self, attempt: Attempt) -> User:
        match attempt:
            case PlainAttempt(login, password):
                return await self._plain(login.user, password)
            case ExternalAttempt(login, fingerprint):
                user = await self._store.read(accounts.user_by_certificate, fingerprint)
                if user is None or not user.enabled:
                    raise Refused("No user has this client certificate")
                if login.user and login.user.casefold() != user.name.casefold():
                    raise Refused("This client certificate is not that user's", user)
                return user
            case ScramAttempt(login, proven):
                user = await self._user(login.user)
                if not proven or user is None:
                    raise Refused(WRONG, user)
                return user
        raise Refused("This way to log in is not known here")

    async def _plain(self, name: str, password: str) -> User:
        user = await self._user(name)
        if not await self._hasher.verify(user.password_hash if user else "", password):
            raise Refused(WRONG, user)
        assert user is not None  # nobody's hash verifies nothing
        if passwords.is_outdated(user.password_hash) or not user.scram:
            await self._upgrade(user, password)
        return user

    async def _user(self, name: str) -> User | None:
        """The user of that name who may log in."""
        try:
            user = await self._store.read(accounts.get_user, name)
        except NotFound:
            return None
        return user if user.enabled else None

    async def _upgrade(self, user: User, password: str) -> None:
        """Replace an imported hash now that the password is known; unless it was just changed."""
        try:
            hashed = await self._hasher.make(password)
        except passwords.BadPassword as error:
            log.info("imported password kept as it is", user=user.name, reason=str(error))
            return

        def write(connection: Connection) -> None:
            if accounts.user_by_id(connection, user.id).password_hash == user.password_hash:
                fresh = {"password_hash": hashed.password_hash, "scram": hashed.scram}
                accounts.change_user(connection, user.id, **fresh)

        try:
            await self._store.run(write)
        except NotWritten as error:  # it keeps nobody out; the next login tries again
            log.warning("imported password kept as it is", user=user.name, reason=str(error))

    async def _scram_keys(self, name: str) -> ScramKeys:
        user = await self._user(name)
        if user is not None and user.scram:
            try:
                return ScramKeys.parse(user.scram)
            except ValueError:
                log.error("damaged SCRAM keys; set a new password", user=user.name)
        if not self._secret:
            try:
                self._secret = bytes.fromhex(await self._store.run(_secret))
            except NotWritten as error:
                log.warning("SCRAM refused", reason=str(error))
                raise Refused("Logins by SCRAM cannot be checked now; try again later") from None
        return ScramKeys.fake(self._secret, name.casefold())


def _secret(connection: Connection) -> str:
    """The secret of the made-up keys, made once: they must not change with a restart either."""
    known = accounts.get_meta(connection, SECRET)
    if known is None:
        known = secrets.token_hex(32)
        accounts.put_meta(connection, SECRET, known)
    return known
